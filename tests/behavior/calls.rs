//! A call sends what the builder was told.

use abide::{Body, Client, Error, Method, Reply, Url};

use crate::{
    clients::{builder, client},
    support::{Exchange, Server},
};

fn ok(exchange: &mut Exchange) {
    exchange.reply(200, &[], b"ok");
}

#[test]
fn each_method_arrives_as_itself() {
    let server = Server::http(ok);
    let (client, url) = (client(), server.url("/m"));
    let list = Method::from_bytes(b"PROPFIND").unwrap();
    for call in [
        client.get(&url),
        client.post(&url),
        client.put(&url),
        client.head(&url),
        client.delete(&url),
        client.patch(&url),
        client.options(&url),
        client.request(list, &url),
    ] {
        assert_eq!(call.send().unwrap().status(), 200);
    }
    let methods: Vec<_> = server.seen().into_iter().map(|request| request.method).collect();
    let expected = ["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "PROPFIND"];
    assert_eq!(methods, expected);
}

#[test]
fn one_line_is_enough() {
    let server = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], &body);
    });
    assert_eq!(abide::get(server.url("/")).unwrap().text(), "");
    assert_eq!(abide::post(server.url("/")).body("hello").send().unwrap().text(), "hello");
    assert_eq!(abide::client().get(server.url("/")).send().unwrap().status(), 200);
}

#[test]
fn a_request_is_plain_on_the_wire() {
    let server = Server::http(ok);
    client().get(server.url("/p?q")).header("X-One", "1").send().unwrap();
    let request = &server.seen()[0];
    let text = String::from_utf8(request.raw.clone()).unwrap();
    assert!(text.starts_with("GET /p?q HTTP/1.1\r\n"), "{text}");
    assert!(text.to_lowercase().contains("\r\nx-one: 1\r\n"), "{text}");
    let names: std::collections::HashSet<_> =
        request.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    assert_eq!(names.len(), request.headers.len(), "a header was sent twice: {text}");
}

#[test]
fn every_form_of_url_is_taken() {
    let server = Server::http(ok);
    let client = client();
    let text = server.url("/u");
    let url = Url::parse(&text).unwrap();
    client.get(text.as_str()).send().unwrap();
    client.get(&text).send().unwrap();
    client.get(&url).send().unwrap();
    client.get(url).send().unwrap();
    client.get(text).send().unwrap();
    assert!(server.seen().iter().all(|request| request.target == "/u"));
}

#[test]
fn host_and_user_agent_are_sent() {
    let server = Server::http(ok);
    let client = builder().user_agent("atlas/1.0").build().unwrap();
    client.get(server.url("/")).send().unwrap();
    let request = &server.seen()[0];
    assert_eq!(request.header("host"), Some(server.addr().to_string().as_str()));
    assert_eq!(request.header("user-agent"), Some("atlas/1.0"));
}

#[test]
fn headers_of_the_call_go_over_those_of_the_client() {
    let server = Server::http(ok);
    let client = builder()
        .default_header("x-kept", "client")
        .default_header("x-changed", "client")
        .build()
        .unwrap();
    client
        .get(server.url("/"))
        .header("x-changed", "call")
        .header("x-two", "1")
        .header("x-two", "2")
        .send()
        .unwrap();
    let request = &server.seen()[0];
    assert_eq!(request.header("x-kept"), Some("client"));
    assert_eq!(request.headers_named("x-changed").collect::<Vec<_>>(), ["call"]);
    let two: Vec<_> = request.headers_named("x-two").flat_map(|value| value.split(", ")).collect();
    assert_eq!(two, ["1", "2"]);
}

#[test]
fn a_header_map_is_added_whole() {
    let server = Server::http(ok);
    let mut headers = abide::HeaderMap::new();
    headers.insert("x-one", "1".parse().unwrap());
    headers.append("x-two", "a".parse().unwrap());
    headers.append("x-two", "b".parse().unwrap());
    client().get(server.url("/")).headers(headers).send().unwrap();
    let request = &server.seen()[0];
    assert_eq!(request.header("x-one"), Some("1"));
    assert_eq!(request.headers_named("x-two").collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn query_pairs_follow_those_of_the_url() {
    let server = Server::http(ok);
    client()
        .get(server.url("/p?first=1"))
        .query([("space", "a b"), ("signs", "&=+#?é")])
        .query(vec![("last".to_owned(), String::new())])
        .send()
        .unwrap();
    let request = &server.seen()[0];
    let url = Url::parse("http://localhost").unwrap().join(&request.target).unwrap();
    assert_eq!(url.path(), "/p");
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let expected =
        [("first", "1"), ("space", "a b"), ("signs", "&=+#?é"), ("last", "")].map(owned_pair);
    assert_eq!(pairs, expected);
}

#[test]
fn user_information_becomes_basic_credentials_and_nothing_else() {
    let server = Server::http(ok);
    let url = server.url("/p").replace("://", "://us%65r:p%3Ass@");
    client().get(&url).send().unwrap();
    client().get(&url).header("authorization", "Bearer own").send().unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("authorization"), Some("Basic dXNlcjpwOnNz"));
    assert_eq!((seen[0].target.as_str(), seen[0].header("host")), ("/p", seen[1].header("host")));
    assert_eq!(seen[0].header("host"), Some(server.addr().to_string().as_str()));
    assert_eq!(seen[1].header("authorization"), Some("Bearer own"));
}

#[test]
fn a_fragment_stays_at_home() {
    let server = Server::http(ok);
    client().get(server.url("/p?q=1#part")).send().unwrap();
    assert_eq!(server.seen()[0].target, "/p?q=1");
}

#[test]
fn a_form_is_sent_as_one() {
    let server = Server::http(|exchange| {
        let body = exchange.read_body();
        exchange.reply(200, &[], &body);
    });
    let pairs = [("name", "a b"), ("signs", "&=+é")];
    let reply = client().post(server.url("/")).form(pairs).send().unwrap();
    let sent: Vec<_> = url::form_urlencoded::parse(reply.bytes()).into_owned().collect();
    assert_eq!(sent, pairs.map(owned_pair));
    let request = &server.seen()[0];
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
}

#[test]
fn a_call_without_body_announces_none_unless_the_method_expects_one() {
    let server = Server::http(ok);
    let client = client();
    client.get(server.url("/")).send().unwrap();
    client.post(server.url("/")).send().unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("content-length"), None);
    assert_eq!(seen[0].header("transfer-encoding"), None);
    // RFC 9110 §8.6: a user agent should send Content-Length when the method expects content.
    assert_eq!(seen[1].header("content-length"), Some("0"));
}

#[test]
fn an_address_in_brackets_is_dialed() {
    let Ok(listener) = std::net::TcpListener::bind("[::1]:0") else { return };
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut socket, _) = listener.accept().unwrap();
        let length = socket.read(&mut [0; 4096]).unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        length
    });
    let reply = client().get(format!("http://[::1]:{port}/")).send().unwrap();
    assert_eq!(reply.text(), "ok");
    assert!(server.join().unwrap() > 0);
}

#[test]
fn the_types_keep_their_promises() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    fn sent<T: Send + 'static>() {}
    shared::<Client>();
    shared::<Reply>();
    shared::<abide::Feedback>();
    sent::<abide::OpenReply>();
    sent::<Error>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Reply>(), size_of::<usize>());
    let _: Body<'static> = Body::from("text");
}

fn owned_pair((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
