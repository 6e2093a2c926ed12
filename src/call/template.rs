//! The fields of a request that says nothing of its own, put together once for a client.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::Config;

/// `Host`, still without a value, and what the client adds to every request.
pub(super) struct Template {
    fields: HeaderMap,
    offers_codings: bool,
}

impl Template {
    pub(super) fn of(config: &Config) -> Self {
        let defaults = &config.default_headers;
        let mut fields = HeaderMap::with_capacity(defaults.len() + 2);
        fields.insert(header::HOST, HeaderValue::from_static(""));
        let offer = super::hop::offer(defaults, config.decodes);
        let offered = offer.map(|offer| (&header::ACCEPT_ENCODING, offer));
        add(&mut fields, defaults.iter().chain(offered));
        Self { fields, offers_codings: offer.is_some() }
    }

    /// The fields, if content codings are offered or not as here.
    pub(super) fn fields(&self, offers_codings: bool) -> Option<&HeaderMap> {
        (offers_codings == self.offers_codings).then_some(&self.fields)
    }
}

/// Adds what a client adds to a request; what its proxy is to know is said elsewhere.
pub(super) fn add<'f>(
    fields: &mut HeaderMap,
    added: impl Iterator<Item = (&'f HeaderName, &'f HeaderValue)>,
) {
    for (name, value) in added {
        if name != header::PROXY_AUTHORIZATION {
            fields.append(name, value.clone());
        }
    }
}
