//! The fields of a request that says nothing of its own, put together once for a client.

use http::{HeaderMap, HeaderValue, header};

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
        for (name, value) in defaults {
            if name != header::PROXY_AUTHORIZATION {
                fields.append(name, value.clone());
            }
        }
        let offer = super::hop::offer(defaults, config.decodes);
        if let Some(offer) = offer {
            fields.append(header::ACCEPT_ENCODING, offer.clone());
        }
        Self { fields, offers_codings: offer.is_some() }
    }

    /// The fields, if content codings are offered or not as here.
    pub(super) fn fields(&self, offers_codings: bool) -> Option<&HeaderMap> {
        (offers_codings == self.offers_codings).then_some(&self.fields)
    }
}
