//! The head of one request as it came over the wire.

/// A request's method, target and headers. HTTP/2 requests are shown in the same shape.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The head's bytes; empty for HTTP/2.
    pub(crate) raw: Vec<u8>,
}

impl Request {
    /// Reads a head that ends with an empty line. Panics if it is malformed: the client's fault.
    pub(super) fn parse(raw: Vec<u8>) -> Self {
        let text = String::from_utf8(raw.clone()).expect("a request head in ASCII");
        let mut lines = text.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let mut word = || words.next().expect("a request line of three words").to_owned();
        let (method, target, version) = (word(), word(), word());
        assert_eq!(version, "HTTP/1.1", "in {text:?}");
        let headers = lines.take_while(|line| !line.is_empty()).map(split_header).collect();
        Self { method, target, headers, raw }
    }

    pub(super) fn of_http2<B>(request: &http::Request<B>) -> Self {
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self {
            method: request.method().to_string(),
            target: request.uri().path_and_query().map_or("", |target| target.as_str()).to_owned(),
            headers: request.headers().iter().map(header).collect(),
            raw: Vec::new(),
        }
    }

    /// The first value of a header, whatever the case of its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).next()
    }

    /// All values of a header in their order.
    pub(crate) fn headers_named(&self, name: &str) -> impl Iterator<Item = &str> {
        let is_named = move |given: &str| given.eq_ignore_ascii_case(name);
        self.headers.iter().filter(move |(given, _)| is_named(given)).map(|(_, value)| &**value)
    }

    pub(super) fn has_token(&self, name: &str, token: &str) -> bool {
        self.headers_named(name)
            .flat_map(|value| value.split(','))
            .any(|given| given.trim().eq_ignore_ascii_case(token))
    }
}

fn split_header(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').expect("a header line with a colon");
    (name.to_owned(), value.trim().to_owned())
}
