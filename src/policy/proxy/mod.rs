//! Which proxy a URL is asked through: exclusions first, then the rule for its scheme.
//!
//! `no_proxy.rs` reads lists of excluded hosts.

mod no_proxy;

use url::{Position, Url};

use self::no_proxy::NoProxy;
use crate::{
    error::{Error, ErrorKind, Result},
    origin::Origin,
    proxy::Proxy,
    proxy_config::{ProxyConfig, ProxyFunction},
};

/// The rules of one client, ready to be asked.
#[derive(Default)]
pub(crate) struct Rules {
    http: Rule,
    https: Rule,
    function: Option<ProxyFunction>,
    excluded_hosts: NoProxy,
    excluded_prefixes: Vec<String>,
}

/// What is said for one scheme.
#[derive(Clone, Default)]
enum Rule {
    #[default]
    Direct,
    Through(Proxy),
    /// A variable that cannot be used, and why.
    Unusable(&'static str, String),
}

impl Rules {
    pub(crate) fn new(config: &ProxyConfig) -> Self {
        let ProxyConfig {
            http,
            https,
            all,
            function,
            variables,
            excluded_hosts,
            excluded_prefixes,
        } = config;
        let explicit = |own: &Option<Proxy>| own.as_ref().or(all.as_ref()).cloned();
        let rule = |own: &Option<Proxy>, names: &[&str]| match explicit(own) {
            Some(proxy) => Rule::Through(proxy),
            None => of_variables(variables, names),
        };
        let no_proxy = first(variables, &["no_proxy", "NO_PROXY"]).map(|(_, value)| value);
        let lists = excluded_hosts.iter().map(String::as_str).chain(no_proxy);
        Self {
            http: rule(http, &["http_proxy", "all_proxy", "ALL_PROXY"]),
            https: rule(https, &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            function: function.clone(),
            excluded_hosts: NoProxy::parse(lists),
            excluded_prefixes: excluded_prefixes.clone(),
        }
    }

    /// The proxy for a URL.
    pub(crate) fn choose(&self, url: &Url) -> Result<Option<Proxy>> {
        let rule = if url.scheme() == "https" { &self.https } else { &self.http };
        if matches!(rule, Rule::Direct) && self.function.is_none() {
            return Ok(None);
        }
        if self.excludes(url)? {
            return Ok(None);
        }
        if let Some(function) = &self.function {
            return Ok(function(url));
        }
        match rule {
            Rule::Direct => Ok(None),
            Rule::Through(proxy) => Ok(Some(proxy.clone())),
            Rule::Unusable(variable, why) => Err(Error::new(
                ErrorKind::Proxy,
                format!("the environment variable `{variable}` names no proxy: {why}"),
            )),
        }
    }

    fn excludes(&self, url: &Url) -> Result<bool> {
        Ok(self.excludes_prefix(url) || self.excluded_hosts.matches(&Origin::of(url)?))
    }

    fn excludes_prefix(&self, url: &Url) -> bool {
        let has_user = !url.username().is_empty() || url.password().is_some();
        let rest = &url[Position::BeforeHost..];
        self.excluded_prefixes.iter().any(|prefix| {
            if !has_user {
                return url.as_str().starts_with(prefix.as_str());
            }
            let after_scheme = prefix.strip_prefix(url.scheme());
            let after_scheme = after_scheme.and_then(|prefix| prefix.strip_prefix("://"));
            after_scheme.map_or_else(
                || url[..Position::BeforeUsername].starts_with(prefix.as_str()),
                |prefix| rest.starts_with(prefix),
            )
        })
    }
}

fn of_variables(variables: &[(&'static str, String)], names: &[&str]) -> Rule {
    let Some((name, value)) = first(variables, names) else { return Rule::Direct };
    match Proxy::new(value) {
        Ok(proxy) => Rule::Through(proxy),
        Err(error) => Rule::Unusable(name, error.to_string()),
    }
}

/// The first of `names` that is set.
fn first<'v>(
    variables: &'v [(&'static str, String)],
    names: &[&str],
) -> Option<(&'static str, &'v str)> {
    names.iter().find_map(|name| {
        let set = variables.iter().find(|(known, _)| known == name);
        set.map(|(name, value)| (*name, value.as_str()))
    })
}

#[cfg(test)]
mod tests;
