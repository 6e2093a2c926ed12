//! What the tests against real servers share: clients, the servers' addresses, and files.
//!
//! The servers are installed, configured and started by `tests/real/run`, which says in the
//! environment where they are. Without it every test here fails: nothing passes because nothing was
//! there to test against.

#![expect(clippy::unwrap_used, reason = "a test fails where it meets the unexpected")]

use std::{
    env, fs,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    panic::resume_unwind,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use abide::{Certificate, Client, ClientBuilder, Driving, Identity, Version};

/// What anything may take that is not worth a limit of its own.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a blocked thread may take to return after it was told to; generous, for busy machines.
pub const AT_ONCE: Duration = Duration::from_millis(500);

/// Where every test begins: the defaults, trusting the root of `tests/real/run` only, in the way of
/// driving that the environment names.
pub fn builder() -> ClientBuilder {
    let driving = match env::var("ABIDE_TEST_DRIVING").as_deref() {
        Err(_) => Driving::default(),
        Ok("background") => Driving::Background,
        Ok("lent") => Driving::Lent,
        Ok("random") if RandomState::new().build_hasher().finish().is_multiple_of(2) => {
            Driving::Lent
        }
        Ok("random") => Driving::Background,
        Ok(other) => {
            panic!("ABIDE_TEST_DRIVING is `{other}`, not `background`, `lent` or `random`")
        }
    };
    let root = Certificate::from_pem(&certificate("ca.pem")).unwrap();
    Client::builder().driving(driving).only_root_certificates([root]).no_proxy()
}

/// [`builder`], built.
pub fn client() -> Client {
    builder().build().unwrap()
}

/// The port of a server, by its name in `tests/real/run`.
pub fn port(server: &str) -> u16 {
    told(server).parse().unwrap()
}

/// An `https` URL on loopback.
pub fn https(server: &str, path: &str) -> String {
    format!("https://localhost:{}{path}", port(server))
}

/// An `http` URL on loopback.
pub fn http(server: &str, path: &str) -> String {
    format!("http://127.0.0.1:{}{path}", port(server))
}

/// A path in the folder of the run.
pub fn path(of: &str) -> PathBuf {
    PathBuf::from(told("FOLDER")).join(of)
}

/// A file that the servers serve, one of those that `run` makes.
pub fn served(name: &str) -> Vec<u8> {
    fs::read(path("www").join(name)).unwrap()
}

/// A file of certificates or keys.
pub fn certificate(name: &str) -> Vec<u8> {
    fs::read(path("certs").join(name)).unwrap()
}

/// A client certificate and its key.
pub fn identity(name: &str) -> Identity {
    let mut pem = certificate(&format!("{name}.pem"));
    pem.extend(certificate(&format!("{name}.key")));
    Identity::from_pem(&pem).unwrap()
}

/// What `tests/real/run` said under this name.
pub fn told(name: &str) -> String {
    env::var(format!("ABIDE_REAL_{name}")).unwrap_or_else(|_| {
        panic!(
            "ABIDE_REAL_{name} is not set, so there is no server to test against; \
             run these tests by tests/real/run, which installs and starts the servers"
        )
    })
}

/// Runs `work` on that many threads at the same time, with the thread's number.
pub fn in_threads(count: usize, work: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|index| scope.spawn(move || work(index))).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
}

/// Waits until `holds`, and fails the test if that takes too long.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The user whom the servers and proxies know.
pub const USER: &str = "user";
/// The password of [`USER`].
pub const PASSWORD: &str = "pass word";

/// What a server does with what is sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploads {
    /// Keeps what is `PUT` below `/uploads/`.
    Kept,
    /// Sends it back.
    Echoed,
}

/// A server that has the files of `www`, and a way to talk to it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name in `tests/real/run`.
    pub server: &'static str,
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// What is spoken with it.
    pub version: Version,
    /// What it does with uploads.
    pub uploads: Uploads,
}

impl Target {
    const fn new(server: &'static str, tls: bool, version: Version, uploads: Uploads) -> Self {
        Self { server, tls, version, uploads }
    }

    /// A URL of this server.
    pub fn url(&self, path: &str) -> String {
        if self.tls { https(self.server, path) } else { http(self.server, path) }
    }

    /// A client that speaks the protocol of this target.
    pub fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    /// [`client`](Self::client), not yet built.
    pub fn builder(&self) -> ClientBuilder {
        match (self.is_http2(), self.tls) {
            (false, _) => builder().http1_only(),
            (true, true) => builder(),
            (true, false) => builder().http2_prior_knowledge(),
        }
    }

    /// This server under another name in `tests/real/run`.
    pub const fn at(self, server: &'static str) -> Self {
        Self { server, ..self }
    }

    /// Whether many calls share a connection.
    pub fn is_http2(&self) -> bool {
        self.version == Version::HTTP_2
    }
}

/// nginx over TLS, in HTTP/1.1 and HTTP/2.
pub const NGINX: [Target; 2] = [
    Target::new("NGINX", true, Version::HTTP_11, Uploads::Kept),
    Target::new("NGINX", true, Version::HTTP_2, Uploads::Kept),
];

/// Apache over TLS, in HTTP/1.1 and HTTP/2.
pub const APACHE: [Target; 2] = [
    Target::new("APACHE", true, Version::HTTP_11, Uploads::Kept),
    Target::new("APACHE", true, Version::HTTP_2, Uploads::Kept),
];

/// HAProxy over TLS before nginx, in HTTP/1.1 and HTTP/2.
pub const HAPROXY: [Target; 2] = [
    Target::new("HAPROXY", true, Version::HTTP_11, Uploads::Kept),
    Target::new("HAPROXY", true, Version::HTTP_2, Uploads::Kept),
];

/// Caddy over TLS, in HTTP/1.1 and HTTP/2.
pub const CADDY: [Target; 2] = [
    Target::new("CADDY", true, Version::HTTP_11, Uploads::Kept),
    Target::new("CADDY", true, Version::HTTP_2, Uploads::Kept),
];

/// nghttpd over TLS.
pub const NGHTTPD: Target = Target::new("NGHTTPD", true, Version::HTTP_2, Uploads::Echoed);

/// Every server with files, in every way to talk to it.
pub const ALL: [Target; 13] = [
    NGINX[0],
    NGINX[1],
    NGINX[0].at("NGINX_PLAIN").plain(),
    APACHE[0],
    APACHE[1],
    APACHE[0].at("APACHE_PLAIN").plain(),
    HAPROXY[0],
    HAPROXY[1],
    CADDY[0],
    CADDY[1],
    NGHTTPD,
    NGHTTPD.at("NGHTTPD_PLAIN").plain(),
    APACHE[1].at("APACHE_PLAIN").plain(),
];

impl Target {
    const fn plain(self) -> Self {
        Self { tls: false, ..self }
    }
}

/// Does the same with several targets, and says with which one it failed.
pub fn each<'t>(targets: impl IntoIterator<Item = &'t Target>, test: impl Fn(Target)) {
    for target in targets {
        // Shown by the test harness if the test fails.
        println!("with {} in {:?}", target.server, target.version);
        test(*target);
    }
}

/// The file that `warm-gets` asks for between its calls; there is none of that name.
pub const MARK: &str = "between-two-calls";
