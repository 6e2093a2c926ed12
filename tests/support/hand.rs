//! HTTP/2 frame by frame, over plain TCP, for servers that do what no library lets them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::ledger::{Ledger, end_quietly};
use super::server::Server;

/// One connection of an HTTP/2 server that is played by hand (RFC 9113).
///
/// Its client has to know beforehand that HTTP/2 is spoken. Writing to a client that has gone
/// reports `false`.
pub(crate) struct Hand {
    socket: Arc<TcpStream>,
    ledger: Arc<Ledger>,
    connection: usize,
}

/// What is looked at of a client's frame.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Server {
    /// Gives each connection, its preface read and nothing sent yet, to `play`.
    pub(crate) fn http2_by_hand(play: impl Fn(&Hand) + Send + Sync + 'static) -> Self {
        Self::serving("http", move |socket, connection, ledger| {
            let hand = Hand { socket, ledger: Arc::clone(ledger), connection };
            let mut preface = [0; PREFACE.len()];
            if (&*hand.socket).read_exact(&mut preface).is_ok() {
                assert_eq!(&preface, PREFACE, "no client of HTTP/2");
                play(&hand);
            }
            drop(hand.socket.shutdown(std::net::Shutdown::Write));
            hand.ignore_all();
        })
    }
}

impl Hand {
    /// The how-many-eth connection of the server this is, from 0.
    pub(crate) fn connection(&self) -> usize {
        self.connection
    }

    /// Reads all that comes until the client goes, and answers nothing.
    pub(crate) fn ignore_all(&self) {
        while self.next().is_some() {}
    }

    fn next(&self) -> Option<Frame> {
        let mut head = [0; 9];
        (&*self.socket).read_exact(&mut head).ok()?;
        let word =
            |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let mut payload = vec![0; usize::try_from(word(0) >> 8).expect("24 bits")];
        (&*self.socket).read_exact(&mut payload).ok()?;
        Some(Frame { kind: head[3], flags: head[4], stream: word(5), payload })
    }

    /// The stream of the next request; unwinds quietly when the client has gone.
    pub(crate) fn next_request(&self) -> u32 {
        let head = self.skip_to(|frame| frame.kind == HEADERS);
        self.signal("request");
        head.stream
    }

    /// Sends PING and waits for its acknowledgement.
    pub(crate) fn ping(&self, data: [u8; 8]) {
        self.send(PING, 0, 0, &data);
        let answer = self.skip_to(|frame| frame.kind == PING);
        assert_eq!((answer.flags, answer.stream, &answer.payload[..]), (ACK, 0, &data[..]));
    }

    /// What the client says that a setting is (RFC 9113 §6.5.1).
    pub(crate) fn client_setting(&self, name: u16) -> Option<u32> {
        let settings = self.skip_to(|frame| (frame.kind, frame.flags) == (SETTINGS, 0));
        let mut settings = settings.payload.chunks(6);
        let setting = settings.find(|setting| setting[..2] == name.to_be_bytes())?;
        Some(u32::from_be_bytes(setting[2..].try_into().expect("four bytes")))
    }

    /// Waits until SETTINGS are acknowledged.
    pub(crate) fn await_settings_ack(&self) {
        self.skip_to(|frame| (frame.kind, frame.flags) == (SETTINGS, ACK));
    }

    /// Waits until the whole connection is given more room; how many bytes.
    pub(crate) fn await_window_update(&self) -> u32 {
        let update = self.skip_to(|frame| (frame.kind, frame.stream) == (WINDOW_UPDATE, 0));
        u32::from_be_bytes(update.payload.try_into().expect("four bytes"))
    }

    /// Passes over frames, requests included, and answers pings; unwinds quietly when the client has gone.
    fn skip_to(&self, is_it: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            match self.next() {
                Some(frame) if is_it(&frame) => return frame,
                Some(ping) if (ping.kind, ping.flags) == (PING, 0) => {
                    self.send(PING, ACK, 0, &ping.payload);
                }
                Some(_) => {}
                None => end_quietly(),
            }
        }
    }

    pub(crate) fn send(&self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.write(&Self::frame(kind, flags, stream, payload))
    }

    /// Sends frames that were made before.
    pub(crate) fn write(&self, frames: &[u8]) -> bool {
        (&*self.socket).write_all(frames).is_ok()
    }

    pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// Sends SETTINGS.
    pub(crate) fn settings(&self, settings: &[(u16, u32)]) -> bool {
        let payload = settings.iter().flat_map(|(name, value)| {
            let (name, value) = (name.to_be_bytes(), value.to_be_bytes());
            [name[0], name[1], value[0], value[1], value[2], value[3]]
        });
        self.send(SETTINGS, 0, 0, &payload.collect::<Vec<_>>())
    }

    /// Answers a stream with status 200 and no body.
    pub(crate) fn answer(&self, stream: u32) -> bool {
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &[STATUS_200])
    }

    /// Answers all requests until the client goes.
    pub(crate) fn answer_all(&self) {
        loop {
            let stream = self.next_request();
            self.answer(stream);
        }
    }

    pub(crate) fn reset(&self, stream: u32, reason: h2::Reason) -> bool {
        self.send(RST_STREAM, 0, stream, &u32::from(reason).to_be_bytes())
    }

    pub(crate) fn go_away(&self, last_stream: u32, reason: h2::Reason) -> bool {
        let payload = [last_stream.to_be_bytes(), u32::from(reason).to_be_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload)
    }

    pub(crate) fn signal(&self, name: &str) {
        self.ledger.signal(name);
    }

    pub(crate) fn await_signal(&self, name: &str, count: usize) {
        self.ledger.await_signal_in_handler(name, count);
    }
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
/// The setting `SETTINGS_MAX_CONCURRENT_STREAMS`.
pub(crate) const STREAMS_MAX: u16 = 3;
/// The setting `SETTINGS_INITIAL_WINDOW_SIZE`.
pub(crate) const STREAM_WINDOW: u16 = 4;
/// `:status: 200` in the static table (RFC 7541 appendix A).
pub(crate) const STATUS_200: u8 = 0x88;
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
