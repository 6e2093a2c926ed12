//! The walls between the rooms of `src/`, as tables, read against the paths that its files name.
//!
//! A wall needs no more parsing than this: `use` trees are spelled out, other lines are searched for
//! words joined by `::` or `.`; comments and unit tests are skipped. Why the rooms are what they
//! are is told in `src/guide/architecture.md`.

use std::fmt;

#[path = "architecture/paths.rs"]
mod paths;

use paths::{NOUNS, Named, Segments, Source, from_root, named_paths, sources};

struct Room {
    name: &'static str,
    /// Rooms, or modules of rooms. Each room may import itself and the nouns, the root files.
    may_import: &'static [&'static str],
    why: &'static str,
}

const ROOMS: &[Room] = &[
    Room {
        name: NOUNS,
        may_import: &[],
        why: "the root files are the nouns that every room shares, so they stand below all rooms",
    },
    Room {
        name: "client",
        may_import: &["call", "cache", "policy", "runtime::wait"],
        why: "the front door hands calls over and waits; connections are none of its business",
    },
    Room {
        name: "call",
        may_import: &["cache", "policy", "runtime"],
        why: "a call asks the rules and orders exchanges; how bytes travel is hidden by the runtime",
    },
    Room {
        name: "cache",
        may_import: &["policy"],
        why: "stores keep what the rules have decided about; calls and connections use them",
    },
    Room { name: "policy", may_import: &[], why: "rules are pure, so that tables can test them" },
    Room {
        name: "runtime",
        may_import: &["transport"],
        why: "lanes carry requests and never look inside, so they know neither rules nor calls",
    },
    Room { name: "transport", may_import: &[], why: "sockets know nothing of those who use them" },
];

/// Names that have one home.
struct Wall {
    /// Paths, found anywhere inside a longer path.
    names: &'static [&'static str],
    /// How the paths of the files begin that may say these names.
    only_in: &'static [&'static str],
    why: &'static str,
}

const WALLS: &[Wall] = &[
    Wall {
        names: &["hyper", "h2"],
        only_in: &["transport/wire", "transport/pool", "transport/connect/tunnel"],
        why: "one room speaks HTTP, so that another engine touches one room",
    },
    Wall {
        names: &["hyper_util"],
        only_in: &["transport/"],
        why: "one room speaks HTTP, so that another engine touches one room",
    },
    Wall {
        names: &["rustls", "tokio_rustls", "rustls_platform_verifier"],
        only_in: &["transport/connect/tls"],
        why: "one file speaks TLS, so that what is trusted can be read in one place",
    },
    Wall {
        names: &["rustls_pki_types"],
        only_in: &["transport/connect/tls", "certificates.rs"],
        why: "one file speaks TLS, and one reads the certificates that callers bring",
    },
    Wall {
        names: &["flate2", "brotli_decompressor", "zstd_safe"],
        only_in: &["policy/encoding/"],
        why: "content codings are undone in one place, behind limits",
    },
    Wall {
        names: &["tokio"],
        only_in: &["runtime/", "transport/"],
        why: "calls are polled by the thread that waits, where no tokio runtime is",
    },
    Wall {
        names: &["tokio_util"],
        only_in: &["runtime/", "transport/", "feedback.rs", "context.rs"],
        why: "outside of the lanes only the cancellation token is needed, and only there",
    },
    Wall {
        names: &["TcpStream", "TcpListener", "TcpSocket", "UdpSocket", "socket2"],
        only_in: &["transport/"],
        why: "sockets live in one room",
    },
    Wall {
        names: &["mpsc", "oneshot"],
        only_in: &["transport/bridge.rs"],
        why: "jobs, chunks and answers cross between threads at one place",
    },
    Wall {
        names: &[
            "block_on",
            "blocking_recv",
            "blocking_send",
            "blocking_lock",
            "spawn_blocking",
            "block_in_place",
            "shutdown_background",
        ],
        only_in: &["runtime/lane.rs", "transport/connect/hickory.rs"],
        why: "these panic inside a runtime of the caller's; one file knows when they are safe, and \
              one runs on resolver threads, which never are inside any",
    },
    Wall {
        names: &["thread::Builder", "thread::spawn"],
        only_in: &["threads.rs"],
        why: "every thread has a name and an owner",
    },
    Wall {
        names: &["std::fs"],
        only_in: &["files", "cache/disk/"],
        why: "files are opened in one place, and one store keeps them",
    },
    Wall {
        names: &["quick_cache", "siphasher", "twox_hash"],
        only_in: &["cache/"],
        why: "how replies are found and proved is the business of those who keep them",
    },
    Wall {
        names: &["std::env"],
        only_in: &["environment.rs"],
        why: "what the environment can change is read in one place",
    },
    Wall {
        names: &["Instant::now", "SystemTime::now"],
        only_in: &[
            "cache/clock.rs",
            "cache/disk/",
            "client/",
            "call/",
            "runtime/",
            "transport/",
            "context.rs",
            "moment.rs",
        ],
        why: "rules and values get the time as an argument, so that tests can choose it",
    },
];

/// Folders of `src/` that are no rooms.
const PROSE: &[&str] = &["guide"];

const FILE_LINES_MAX: usize = 500;

#[test]
fn rooms_import_only_what_the_table_allows() {
    let sources = all_sources();
    assert!(sources.len() > 10, "found only {} files in src/", sources.len());
    report(&broken_rooms(&sources));
}

#[test]
fn names_stay_where_they_are_at_home() {
    report(&broken_walls(&all_sources()));
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    let too_long = all_sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > FILE_LINES_MAX).then(|| Violation {
            file: source.file,
            line: lines,
            found: format!("{lines} lines"),
            rule: format!("a file has at most {FILE_LINES_MAX}"),
            why: "two subjects live in it",
        })
    });
    report(&too_long.collect::<Vec<_>>());
}

/// The table is in the order of a call's walk, so there can be no cycle.
#[test]
fn rooms_import_only_rooms_further_down_the_table() {
    for (index, room) in ROOMS.iter().enumerate() {
        for path in room.may_import {
            let target = path.split("::").next();
            let is_below = ROOMS[index + 1..].iter().any(|below| Some(below.name) == target);
            assert!(is_below, "{} may not import {path}", room.name);
        }
    }
}

#[test]
fn a_breach_of_a_room_is_found_and_explained() {
    let found = |file: &str, text: &str| {
        let sources = [
            Source::new("lib.rs", "mod client;\npub use client::{Client, ClientBuilder};"),
            Source::new(file, text),
        ];
        broken_rooms(&sources).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let message = "src/policy/retry.rs:2: `crate::transport::pool::Pool`: policy may import: \
                   the nouns, because rules are pure, so that tables can test them";
    let text = "use crate::error::Error;\nuse crate::transport::pool::Pool;\n";
    assert_eq!(found("policy/retry.rs", text), [message]);

    for (file, text) in [
        ("reply.rs", "use crate::client::Client;"),
        ("reply.rs", "use super::client::Client;"),
        ("reply.rs", "use crate::Client;"),
        ("call/hops.rs", "use crate::{\n    error::Error,\n    transport::{self, Pool},\n};"),
        ("call/hops.rs", "    let pool = crate::transport::Pool::new();"),
        ("call/mod.rs", "pub(crate) use super::client::Client;"),
        ("call/hops/first.rs", "use super::super::super::client::Client;"),
        ("client/mod.rs", "use crate::runtime::lane::Lane;"),
        ("client/mod.rs", "use crate::runtime;"),
        ("client/mod.rs", "#[cfg(unix)] use crate::runtime;"),
        ("transport/wire.rs", "fn f(x: Vec<crate::runtime::Job>) {}"),
        ("transport/wire.rs", "#[cfg(test)]\nmod tests;\nuse crate::runtime::Job;"),
        ("helpers/mod.rs", ""),
    ] {
        assert_ne!(found(file, text), [""; 0], "in {file}: {text}");
    }
    for (file, text) in [
        ("lib.rs", "use crate::client::Client;"),
        ("reply.rs", "use crate::{Error, error::ErrorKind};"),
        ("call/hops.rs", "use crate::{policy::retry, runtime::wait};\nuse super::attempts;"),
        ("client/mod.rs", "use crate::runtime::wait::Waiter;"),
        ("transport/mod.rs", "use super::error::Error;\nuse self::pool::Pool;"),
        ("policy/retry.rs", "// Not crate::transport::Pool.\nlet x = 1; // crate::client::Client"),
        ("policy/retry.rs", "#[cfg(test)]\nmod tests {\n    use crate::client::Client;\n}"),
        ("guide/mod.rs", ""),
    ] {
        assert_eq!(found(file, text), [""; 0], "in {file}: {text}");
    }
}

#[test]
fn a_breach_of_a_wall_is_found_and_explained() {
    let found = |file: &str, text: &str| {
        let broken = broken_walls(&[Source::new(file, text)]);
        broken.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let message = "src/call/mod.rs:4: `std::fs::File`: `std::fs` only in files, \
                   cache/disk/, because files are opened in one place, and one store keeps them";
    let text = "use std::{\n    io,\n};\nuse std::{fs::File, io};";
    assert_eq!(found("call/mod.rs", text), [message]);

    for (file, text) in [
        ("call/mod.rs", "use std::{collections::{BTreeMap, HashMap}, env};"),
        ("call/mod.rs", "    runtime.block_on(future)"),
        ("call/mod.rs", "        .block_on(future)"),
        ("call/mod.rs", "fn f() -> Result<hyper::Response<()>, ()> {"),
        ("call/mod.rs", "use tokio::time::sleep;"),
        ("call/mod.rs", "pub use hyper;"),
        ("runtime/keeper.rs", "std::thread::Builder::new().spawn(f)"),
        ("runtime/keeper.rs", "thread::spawn(f)"),
        ("runtime/lane.rs", "use tokio::sync::{Notify, oneshot};"),
        ("policy/cache/age.rs", "let now = SystemTime::now();"),
        ("reply.rs", "use tokio_util::sync::CancellationToken;"),
    ] {
        assert_ne!(found(file, text), [""; 0], "in {file}: {text}");
    }
    for (file, text) in [
        ("transport/wire.rs", "use hyper::client::conn::http1;"),
        ("transport/wire/http1.rs", "use hyper::client::conn::http1;"),
        ("transport/bridge.rs", "use tokio::sync::{mpsc, oneshot};"),
        ("runtime/lane.rs", "self.runtime.block_on(future)"),
        ("feedback.rs", "use tokio_util::sync::CancellationToken;"),
        ("call/mod.rs", "/// Not hyper::Request.\nlet text = \"tokio, hyper and rustls\";"),
        ("call/mod.rs", "let host = env!(\"CARGO_PKG_VERSION\");"),
    ] {
        assert_eq!(found(file, text), [""; 0], "in {file}: {text}");
    }
}

fn all_sources() -> Vec<Source> {
    sources().expect("src/ can be read where the crate is built")
}

struct Violation {
    file: String,
    line: usize,
    found: String,
    rule: String,
    why: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, found, rule, why } = self;
        write!(f, "src/{file}:{line}: `{found}`: {rule}, because {why}")
    }
}

#[track_caller]
fn report(violations: &[Violation]) {
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "\n{}\n", lines.join("\n"));
}

fn broken_rooms(sources: &[Source]) -> Vec<Violation> {
    let exports: Vec<Segments> = sources
        .iter()
        .filter(|source| source.file == "lib.rs")
        .flat_map(|source| named_paths(&source.text))
        .map(|named| named.path)
        .filter(|path| path.len() > 1 && room_of(path).is_some())
        .collect();
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| source.file != "lib.rs") {
        let Some(room) = ROOMS.iter().find(|room| room.name == source.room()) else {
            if !PROSE.contains(&source.room()) {
                violations.push(unknown_room(source));
            }
            continue;
        };
        for named in named_paths(&source.text) {
            let Some(path) = from_root(&named.path, &source.module(), &exports) else {
                continue;
            };
            if !may_import(room, &path) {
                violations.push(Violation {
                    file: source.file.clone(),
                    line: named.line,
                    found: named.path.join("::"),
                    rule: room.rule(),
                    why: room.why,
                });
            }
        }
    }
    violations
}

impl Room {
    fn rule(&self) -> String {
        let others: String = self.may_import.iter().map(|path| format!(", {path}")).collect();
        format!("{} may import: {NOUNS}{others}", self.name)
    }
}

fn unknown_room(source: &Source) -> Violation {
    Violation {
        file: source.file.clone(),
        line: 1,
        found: source.room().to_owned(),
        rule: "a folder of src/ is a room of the table".to_owned(),
        why: "a room without walls is everybody's cupboard",
    }
}

fn may_import(room: &Room, path: &[String]) -> bool {
    let begins_with = |allowed: &&str| {
        let allowed: Vec<&str> = allowed.split("::").collect();
        path.len() >= allowed.len() && path[..allowed.len()] == allowed[..]
    };
    room_of(path)
        .is_none_or(|target| target.name == room.name || room.may_import.iter().any(begins_with))
}

fn room_of(path: &[String]) -> Option<&'static Room> {
    ROOMS.iter().find(|room| path.first().is_some_and(|first| first == room.name))
}

fn broken_walls(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        for Named { line, path } in named_paths(&source.text) {
            for wall in WALLS {
                if wall.only_in.iter().any(|start| source.file.starts_with(start)) {
                    continue;
                }
                let Some(name) = wall.names.iter().find(|name| contains(&path, name)) else {
                    continue;
                };
                violations.push(Violation {
                    file: source.file.clone(),
                    line,
                    found: path.join("::"),
                    rule: format!("`{name}` only in {}", wall.only_in.join(", ")),
                    why: wall.why,
                });
            }
        }
    }
    violations
}

fn contains(path: &[String], name: &str) -> bool {
    let name: Vec<&str> = name.split("::").collect();
    path.windows(name.len()).any(|part| part == name)
}
