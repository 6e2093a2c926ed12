//! No string that the API takes can end its line or bring a header of its own.

use abide::{
    AuthConfig, AuthOrigins, AuthRequest, CredentialSource, Credentials, Proxy, Reply, Result,
    TraceContext,
};

use crate::{
    clients::{builder, client},
    support::Server,
};

/// Makes a call to the server with this text somewhere.
type Attack = fn(&Server, &str) -> Result<Reply>;

/// Everywhere that a text can be given.
const ATTACKS: &[(&str, Attack)] = &[
    ("the path", |server, evil| client().get(server.url(&format!("/{evil}"))).send()),
    ("the query of a URL", |server, evil| client().get(server.url(&format!("/?{evil}"))).send()),
    ("the fragment", |server, evil| client().get(server.url(&format!("/#{evil}"))).send()),
    ("the user of a URL", |server, evil| client().get(user(server, evil)).send()),
    ("the host", |server, evil| client().get(format!("http://{evil}{}", server.url("/"))).send()),
    ("a query", |server, evil| client().get(server.url("/")).query([(evil, evil)]).send()),
    ("a form", |server, evil| client().post(server.url("/")).form([(evil, evil)]).send()),
    ("a value", |server, evil| client().get(server.url("/")).header("x-own", evil).send()),
    ("a name", |server, evil| client().get(server.url("/")).header(evil, "1").send()),
    ("a host of one's own", |server, evil| {
        client().get(server.url("/")).header("host", evil).send()
    }),
    ("a secret", |server, evil| client().get(server.url("/")).secret_header("x-own", evil).send()),
    ("a default", |server, evil| get(builder().default_header("x-own", evil), server)),
    ("the user agent", |server, evil| get(builder().user_agent(evil), server)),
    ("Basic", |server, evil| known(AuthConfig::basic(only(server), evil, evil)?, server)),
    ("Bearer", |server, evil| known(AuthConfig::bearer(only(server), evil)?, server)),
    ("a key", |server, evil| {
        known(AuthConfig::api_key_headers(only(server), [("x-key", evil)])?, server)
    }),
    ("the name of a key", |server, evil| {
        known(AuthConfig::api_key_headers(only(server), [(evil, "key")])?, server)
    }),
    ("a key of the query", |server, evil| {
        known(AuthConfig::api_key_query(only(server), [(evil, evil)])?, server)
    }),
    ("a source", |server, evil| {
        known(AuthConfig::source(only(server), Source(evil.to_owned())), server)
    }),
    ("the name of credentials", |server, evil| {
        client().get(server.url("/")).auth(evil.to_owned()).send()
    }),
    ("a proxy's user", |server, evil| {
        let proxy = Proxy::new(server.url(""))?.credentials(evil, evil)?;
        client().get("http://a.test/").proxy(&proxy).send()
    }),
    ("a proxy's URL", |server, evil| {
        let proxy = Proxy::new(server.url("").replace("://", &format!("://{evil}:{evil}@")))?;
        client().get("http://a.test/").proxy(&proxy).send()
    }),
    ("what is asked of a proxy", |server, evil| {
        let proxy = Proxy::new(server.url(""))?;
        client().get(format!("http://a.test/{evil}?{evil}")).proxy(&proxy).send()
    }),
    ("a trace", |server, evil| {
        let state = format!("a={evil}");
        get(builder().trace_context(move |_| Some(trace().with_state(&state))), server)
    }),
];

fn get(builder: abide::ClientBuilder, server: &Server) -> Result<Reply> {
    builder.build()?.get(server.url("/")).send()
}

fn only(server: &Server) -> AuthOrigins {
    AuthOrigins::only([server.url("")]).unwrap()
}

fn known(config: AuthConfig, server: &Server) -> Result<Reply> {
    get(builder().auth("id", config.automatic()), server)
}

fn user(server: &Server, evil: &str) -> String {
    server.url("/").replace("://", &format!("://{evil}:{evil}@"))
}

fn trace() -> TraceContext {
    TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap()
}

struct Source(String);

impl CredentialSource for Source {
    fn credentials(
        &self,
        _: &AuthRequest<'_>,
    ) -> std::result::Result<Credentials, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Credentials::new().header("x-key", self.0.clone())?.query("key", self.0.clone()))
    }
}

#[track_caller]
fn check(attacks: &[(&str, Attack)]) {
    for (place, attack) in attacks {
        for end in ["\r\n", "\n", "\r", "\0", "%0d%0a", "\u{85}", "\u{2028}", " \r\n "] {
            let server = Server::http(|exchange| {
                exchange.read_body();
                exchange.reply(200, &[], b"");
            });
            let evil = format!("a{end}x-evil: 1{end}{end}GET /evil HTTP/1.1{end}{end}");
            let answer = attack(&server, &evil);
            let seen = server.seen();
            // It is refused, or taken for what it is: a text.
            assert_eq!(seen.len(), usize::from(answer.is_ok()), "{place}, {end:?}: {answer:?}");
            for request in seen {
                assert_eq!(request.header("x-evil"), None, "{place}, {end:?}: {request:?}");
                let head = String::from_utf8_lossy(&request.raw);
                let lines = head.split("\r\n").filter(|line| line.contains(['\r', '\n', '\0']));
                assert_eq!(lines.count(), 0, "{place}, {end:?}: {request:?}");
            }
        }
    }
}

#[test]
fn no_text_can_end_its_line() {
    check(ATTACKS);
}

#[cfg(feature = "cookies")]
#[test]
fn no_text_of_a_cookie_can_end_its_line() {
    check(&[("a cookie", |server, evil| {
        let jar = abide::CookieJar::new();
        jar.set(server.url("/"), &format!("name={evil}"))?;
        get(builder().cookies(jar), server)
    })]);
}

#[cfg(feature = "digest")]
#[test]
fn no_text_of_digest_can_end_its_line() {
    check(&[("Digest", |server, evil| {
        known(AuthConfig::digest(only(server), evil, evil)?, server)
    })]);
}
