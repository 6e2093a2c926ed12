//! Everything that is kept of a reply but its body, and how it is written down.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

use super::lifetime::Lifetime;

/// What is stored under a key, besides a body.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are replies, each behind a pointer")]
pub(crate) enum Record {
    Reply(Head),
    /// Where to look for the replies of a URL that vary.
    Signpost(Signpost),
}

/// The head of a stored reply, with what was worked out when it was stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    /// Differs for each body that is stored.
    pub(crate) id: u64,
    /// Without user information and fragment.
    pub(crate) url: Box<str>,
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) lifetime: Lifetime,
}

/// The fields that the replies of a URL depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signpost {
    pub(crate) id: u64,
    pub(crate) url: Box<str>,
    pub(crate) fields: Vec<HeaderName>,
}

impl Record {
    pub(crate) const fn id(&self) -> u64 {
        match self {
            Self::Reply(head) => head.id,
            Self::Signpost(signpost) => signpost.id,
        }
    }

    pub(crate) const fn url(&self) -> &str {
        match self {
            Self::Reply(head) => &head.url,
            Self::Signpost(signpost) => &signpost.url,
        }
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn memory(&self) -> usize {
        let fields = |headers: &HeaderMap| -> usize {
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 96).sum()
        };
        size_of::<Self>()
            + self.url().len()
            + match self {
                // Those of the last reply that was made of it, too.
                Self::Reply(head) => fields(&head.headers) * 2 + fields(&head.trailers),
                Self::Signpost(signpost) => signpost.fields.len() * 32,
            }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Out(Vec::with_capacity(512));
        out.byte(FORM);
        out.number(self.id());
        out.bytes(self.url().as_bytes());
        match self {
            Self::Reply(head) => {
                out.byte(REPLY);
                out.reply(head);
            }
            Self::Signpost(signpost) => {
                out.byte(SIGNPOST);
                out.number(signpost.fields.len() as u64);
                signpost.fields.iter().for_each(|name| out.bytes(name.as_str().as_bytes()));
            }
        }
        out.0
    }

    /// Reads what `encode` wrote; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = From(bytes);
        if from.byte()? != FORM {
            return None;
        }
        let id = from.number()?;
        let url = std::str::from_utf8(from.bytes()?).ok()?.into();
        let record = match from.byte()? {
            REPLY => Self::Reply(from.reply(id, url)?),
            SIGNPOST => {
                let count = from.number()?;
                let name = |_| HeaderName::from_bytes(from.bytes()?).ok();
                let fields = (0..count).map(name).collect::<Option<_>>()?;
                Self::Signpost(Signpost { id, url, fields })
            }
            _ => return None,
        };
        from.0.is_empty().then_some(record)
    }
}

struct Out(Vec<u8>);

impl Out {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn fields(&mut self, headers: &HeaderMap) {
        self.number(headers.len() as u64);
        for (name, value) in headers {
            self.bytes(name.as_str().as_bytes());
            self.bytes(value.as_bytes());
        }
    }

    fn reply(&mut self, head: &Head) {
        let Head { id: _, url: _, status, version, headers, trailers, lifetime } = head;
        self.number(status.as_u16().into());
        self.byte(VERSIONS.iter().position(|known| known == version).map_or(0, |at| at as u8));
        self.fields(headers);
        self.fields(trailers);
        let Lifetime {
            initial_age,
            received,
            // Another process, or this machine after a start, has another such clock.
            received_steady: _,
            fresh_for,
            is_heuristic,
            always_validate,
            never_stale,
            is_immutable,
            stale_while_revalidate,
            stale_if_error,
        } = *lifetime;
        for number in [initial_age, received.cast_unsigned(), fresh_for] {
            self.number(number);
        }
        self.number(stale_while_revalidate);
        self.number(stale_if_error);
        let flags = [is_heuristic, always_validate, never_stale, is_immutable];
        self.byte(flags.iter().rev().fold(0, |byte, &flag| byte << 1 | u8::from(flag)));
    }
}

struct From<'b>(&'b [u8]);

impl<'b> From<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'b [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }

    fn fields(&mut self) -> Option<HeaderMap> {
        let count = self.number()?;
        // No more than there can be: the number may be damaged.
        let likely = usize::try_from(count).ok().filter(|&count| count <= self.0.len() / 16)?;
        // Two more are added to each reply that is served.
        let mut headers = HeaderMap::with_capacity(likely + 2);
        for _ in 0..count {
            let name = HeaderName::from_bytes(self.bytes()?).ok()?;
            headers.append(name, HeaderValue::from_bytes(self.bytes()?).ok()?);
        }
        Some(headers)
    }

    fn reply(&mut self, id: u64, url: Box<str>) -> Option<Head> {
        let status = StatusCode::from_u16(u16::try_from(self.number()?).ok()?).ok()?;
        let version = *VERSIONS.get(usize::from(self.byte()?))?;
        let (headers, trailers) = (self.fields()?, self.fields()?);
        let (initial_age, received, fresh_for) =
            (self.number()?, self.number()?.cast_signed(), self.number()?);
        let (stale_while_revalidate, stale_if_error) = (self.number()?, self.number()?);
        let flags = self.byte()?;
        let flag = |at: u8| flags >> at & 1 == 1;
        let lifetime = Lifetime {
            initial_age,
            received,
            received_steady: None,
            fresh_for,
            is_heuristic: flag(0),
            always_validate: flag(1),
            never_stale: flag(2),
            is_immutable: flag(3),
            stale_while_revalidate,
            stale_if_error,
        };
        Some(Head { id, url, status, version, headers, trailers, lifetime })
    }
}

/// Changes when what is written changes.
const FORM: u8 = 1;
const REPLY: u8 = 1;
const SIGNPOST: u8 = 2;
const VERSIONS: [Version; 5] =
    [Version::HTTP_11, Version::HTTP_10, Version::HTTP_2, Version::HTTP_3, Version::HTTP_09];

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Record {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("a=b"));
        headers.append("set-cookie", HeaderValue::from_static("c=d"));
        headers.append("etag", HeaderValue::from_bytes(b"\"\xfc\"").expect("a value"));
        let mut trailers = HeaderMap::new();
        trailers.append("x-sum", HeaderValue::from_static("42"));
        Record::Reply(Head {
            id: 7,
            url: "http://host/a?b".into(),
            status: StatusCode::NOT_FOUND,
            version: Version::HTTP_2,
            headers,
            trailers,
            lifetime: Lifetime {
                initial_age: 1,
                received: -2,
                received_steady: None,
                fresh_for: 3,
                is_heuristic: true,
                always_validate: false,
                never_stale: true,
                is_immutable: false,
                stale_while_revalidate: 4,
                stale_if_error: 5,
            },
        })
    }

    fn signpost() -> Record {
        let fields = vec![HeaderName::from_static("accept"), HeaderName::from_static("x-y")];
        Record::Signpost(Signpost { id: 9, url: "http://host/".into(), fields })
    }

    #[test]
    fn what_is_written_is_read() {
        for record in [reply(), signpost()] {
            assert_eq!(Record::decode(&record.encode()), Some(record));
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_never_read_as_more_than_it_is() {
        for record in [reply(), signpost()] {
            let written = record.encode();
            for length in 0..written.len() {
                assert_eq!(Record::decode(&written[..length]), None, "cut at {length}");
                let mut changed = written.clone();
                // Must not panic, nor ask for all the memory there is.
                changed[length] ^= 0xff;
                drop(Record::decode(&changed));
            }
            let mut longer = written;
            longer.push(0);
            assert_eq!(Record::decode(&longer), None);
        }
    }
}
