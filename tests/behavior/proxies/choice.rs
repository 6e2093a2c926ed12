//! Which proxy a call goes through: rules of the client, of the call, of the environment.

use abide::{ErrorKind, Proxy, ProxyConfig};

use super::{ok, proxy};
use crate::{
    clients::{FixedNames, builder},
    support::Server,
};

const URL: &str = "http://a.test/";

#[test]
fn a_client_can_be_given_variables_in_place_of_the_environment() {
    let forwarder = Server::http(ok);
    let url = forwarder.url("");
    let variables = ProxyConfig::from_variables(|name| match name {
        "http_proxy" => Some(url.clone()),
        "no_proxy" => Some("b.test".to_owned()),
        _ => None,
    });
    let client = builder().proxy(variables).resolver(FixedNames::new([])).build().unwrap();
    assert_eq!(client.get(URL).send().unwrap().proxy().unwrap().to_string(), forwarder.url(""));
    let direct = client.get("http://b.test/").send().unwrap_err();
    assert_eq!((direct.kind(), direct.is_proxy()), (ErrorKind::Resolve, false));
}

#[test]
fn an_unusable_variable_fails_the_first_call_that_it_is_for() {
    let server = Server::http(ok);
    let variables = ProxyConfig::from_variables(|name| {
        (name == "http_proxy").then(|| "gopher://joe:secret@p:1".to_owned())
    });
    let client = builder().proxy(variables.exclude_hosts("127.0.0.1")).build().unwrap();
    let error = client.get("http://a.test/?q=hidden").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proxy);
    assert!(error.is_proxy() && error.proxy().is_none());
    assert!(error.to_string().contains("`http_proxy`"), "{error}");
    assert!(error.to_string().contains("scheme"), "{error}");
    for secret in ["secret", "hidden"] {
        assert!(!format!("{error:?}").contains(secret), "{error:?}");
    }
    assert!(client.get(server.url("/")).send().is_ok());
    assert!(client.get(URL).no_proxy().resolver_fails());
}

/// A call that needs no proxy to fail.
trait ResolverFails {
    fn resolver_fails(self) -> bool;
}

impl ResolverFails for abide::RequestBuilder<'_> {
    fn resolver_fails(self) -> bool {
        self.send().is_err_and(|error| error.kind() == ErrorKind::Resolve)
    }
}

#[test]
fn a_call_has_the_last_word() {
    let (first, second) = (Server::http(ok), Server::http(ok));
    let rules = ProxyConfig::from(proxy(first.url(""))).exclude_hosts("b.test");
    let client = builder().proxy(rules).resolver(FixedNames::new([])).build().unwrap();
    let second_proxy = proxy(second.url(""));
    client.get(URL).send().unwrap();
    client.get(URL).proxy(&second_proxy).send().unwrap();
    client.get("http://b.test/").proxy(&second_proxy).send().unwrap();
    assert!(client.get(URL).no_proxy().resolver_fails());
    assert_eq!((first.requests(), second.requests()), (1, 2));
}

#[test]
fn each_hop_is_asked_for_by_the_rules() {
    let forwarder = Server::http(|exchange| {
        let location = exchange.request().header("x-next").unwrap().to_owned();
        exchange.reply(302, &[("location", &location)], b"");
    });
    let origin = Server::http(ok);
    let rules = ProxyConfig::from(proxy(forwarder.url(""))).exclude_prefixes([origin.url("/")]);
    let client = builder().proxy(rules).build().unwrap();
    let reply = client.get(URL).header("x-next", origin.url("/x")).send().unwrap();
    assert_eq!((reply.proxy(), reply.url().path()), (None, "/x"));
    assert_eq!((forwarder.requests(), origin.requests()), (1, 1));
}

#[test]
fn a_function_chooses_and_may_make_calls() {
    let (forwarder, directory) = (Server::http(ok), Server::http(ok));
    let (inner, inner_url) = (builder().build().unwrap(), directory.url("/"));
    let chosen = proxy(forwarder.url(""));
    let rules = ProxyConfig::by(move |url| {
        inner.get(&inner_url).send().expect("the directory");
        (url.path() == "/far").then(|| chosen.clone())
    });
    let client = builder().proxy(rules).build().unwrap();
    client.get("http://a.test/far").send().unwrap();
    let near = client.get(forwarder.url("/near")).send().unwrap();
    assert_eq!(near.proxy(), None);
    assert_eq!((forwarder.requests(), directory.requests()), (2, 2));
}

#[test]
fn nothing_that_is_shown_has_a_password_in_it() {
    let with_password = Proxy::new("http://joe:secret@p.test:1").unwrap();
    let variables = ProxyConfig::from_variables(|_| Some("http://joe:secret@p.test".to_owned()));
    let rules = variables.http(with_password.clone()).all(with_password.clone());
    let request = builder().build().unwrap().get(URL).proxy(&with_password);
    let shown = format!("{with_password} {with_password:?} {rules:?} {request:?}");
    assert!(!shown.contains("secret") && !shown.contains("joe"), "{shown}");
}

#[test]
fn the_environment_is_asked_unless_rules_are_given() {
    let forwarder = Server::http(ok);
    // The variables of a process are set for all of its threads, so another one is started.
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "proxies::choice::in_a_process_with_variables"])
        .env("http_proxy", forwarder.url(""))
        .env("no_proxy", "b.test")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(forwarder.requests(), 1);
}

#[test]
#[ignore = "started by `the_environment_is_asked_unless_rules_are_given`"]
fn in_a_process_with_variables() {
    let client = abide::Client::builder().resolver(FixedNames::new([])).build().unwrap();
    assert!(client.get(URL).send().unwrap().proxy().is_some());
    assert!(client.get("http://b.test/").resolver_fails());
    let client = abide::Client::builder().resolver(FixedNames::new([])).no_proxy().build().unwrap();
    assert!(client.get(URL).resolver_fails());
}

#[test]
fn connections_are_opened_ahead_through_the_proxy_of_the_call() {
    let forwarder = Server::http(ok);
    let client = builder().proxy(proxy(forwarder.url(""))).build().unwrap();
    client.warm_up(URL, 2).unwrap();
    forwarder.await_open(2);
    client.get(URL).send().unwrap();
    assert_eq!((forwarder.connections(), client.stats().connections_opened()), (2, 2));
}
