//! httpbin under gunicorn: what it says it was sent, and what it can be made to send.

use std::{
    io::{BufRead, BufReader, Read},
    time::{Duration, Instant},
};

use abide::{Body, Budget, ErrorKind, Method, Phase, StatusCode, Timeouts};
use abide_real::{AT_ONCE, client, http, in_threads};
use serde_json::{Value, json};

#[test]
fn every_method_arrives_with_its_content() {
    let client = client();
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for body in ["", "content"] {
            let call = client.request(method.clone(), http("HTTPBIN", "/anything"));
            let seen: Value = call.body(body).send().unwrap().json().unwrap();
            assert_eq!(
                (seen["method"].as_str(), seen["data"].as_str()),
                (Some(method.as_str()), Some(body))
            );
        }
    }
    let options = client.options(http("HTTPBIN", "/anything")).send().unwrap();
    assert!(options.header("allow").unwrap().contains("PATCH"));
}

#[test]
fn forms_json_queries_and_headers_arrive_as_they_were() {
    let client = client();
    let odd = "a b&c=d/é+\u{1F980}";
    let seen: Value = client
        .post(http("HTTPBIN", "/anything"))
        .query([("q", odd)])
        .form([("field", odd), ("empty", "")])
        .header("x-own", "a;  b")
        .send()
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(seen["args"], json!({ "q": odd }));
    assert_eq!(seen["form"], json!({ "field": odd, "empty": "" }));
    assert_eq!(seen["headers"]["X-Own"], "a;  b");
    let value = json!({ "text": odd, "list": [1, 2.5, null] });
    let call = client.post(http("HTTPBIN", "/anything")).json(&value);
    let seen: Value = call.send().unwrap().json().unwrap();
    assert_eq!(seen["json"], value);
}

#[test]
fn a_body_in_chunks_is_understood() {
    let client = client();
    let text = "0123456789".repeat(10_000);
    let call = client.post(http("HTTPBIN", "/anything")).body(Body::reader(text.as_bytes()));
    let seen: Value = call.send().unwrap().json().unwrap();
    assert_eq!(seen["headers"]["Transfer-Encoding"], "chunked");
    assert_eq!(seen["data"].as_str(), Some(&*text));
}

#[test]
fn every_status_is_a_reply() {
    let client = client();
    for status in [200, 201, 204, 304, 400, 402, 403, 404, 405, 406, 410, 418, 429, 500, 502, 503] {
        let reply = client.get(http("HTTPBIN", &format!("/status/{status}"))).send().unwrap();
        assert_eq!(reply.status().as_u16(), status);
        let error = reply.error_for_status();
        assert_eq!(error.is_err(), status >= 400, "{status}");
    }
    assert_eq!(client.stats().connections_opened(), 1);
}

#[test]
fn lines_are_read_as_they_come() {
    let client = client();
    let open = client.get(http("HTTPBIN", "/stream/20")).open().unwrap();
    let lines: Vec<Value> = BufReader::new(open)
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    assert_eq!(lines.len(), 20);
    assert!(lines.iter().enumerate().all(|(index, line)| line["id"] == index));
}

#[test]
fn a_body_that_drips_is_no_silence_as_long_as_it_drips() {
    let client = client();
    let url = http("HTTPBIN", "/drip?duration=1&numbytes=10&delay=0");
    let timeouts = Timeouts::default().idle(Duration::from_millis(700));
    let reply = client.get(&url).timeouts(timeouts).send().unwrap();
    assert_eq!(reply.bytes().as_ref(), b"**********");
    let began = Instant::now();
    let total = Duration::from_millis(400);
    let error = client.get(&url).timeout(total).send().unwrap_err();
    assert_eq!((error.budget(), error.phase()), (Some(Budget::Total), Some(Phase::Body)));
    assert!(began.elapsed() < total + AT_ONCE);
}

#[test]
fn a_late_answer_ends_by_its_budget_and_harms_no_other() {
    let client = client();
    let limit = Duration::from_millis(300);
    in_threads(8, |thread| {
        if thread % 2 == 0 {
            for _ in 0..10 {
                let reply = client.get(http("HTTPBIN", "/bytes/1000?seed=1")).send().unwrap();
                assert_eq!(reply.bytes().len(), 1000);
            }
            return;
        }
        let timeouts = Timeouts::default().first_byte(limit);
        let began = Instant::now();
        let error = client.get(http("HTTPBIN", "/delay/2")).timeouts(timeouts).send().unwrap_err();
        assert_eq!((error.kind(), error.budget()), (ErrorKind::TimedOut, Some(Budget::FirstByte)));
        assert!(began.elapsed() < limit + AT_ONCE, "{:?}", began.elapsed());
    });
    assert_eq!(client.get(http("HTTPBIN", "/delay/1")).send().unwrap().status(), StatusCode::OK);
}

#[test]
fn parts_of_what_is_generated_fit_together() {
    let client = client();
    let url = http("HTTPBIN", "/range/1000?chunk_size=100");
    let whole = client.get(&url).send().unwrap();
    let mut joined = Vec::new();
    for from in (0..1000).step_by(250) {
        let range = format!("bytes={from}-{}", from + 249);
        let mut open = client.get(&url).header("range", range).open().unwrap();
        assert_eq!(open.status(), StatusCode::PARTIAL_CONTENT);
        open.read_to_end(&mut joined).unwrap();
    }
    assert!(whole.bytes() == &joined);
}
