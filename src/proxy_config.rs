//! Which proxy a client uses for what, as plain data; the rules are in `policy/proxy/`.

use std::{fmt, sync::Arc};

use http::HeaderValue;
use url::Url;

use crate::{environment, proxy::Proxy};

/// Which proxy a client uses for which URL.
///
/// By default the environment says so, as for curl; see [`from_environment`](Self::from_environment).
/// [`none`](Self::none) is the beginning of explicit rules, for which the environment does not
/// matter, and [`by`](Self::by) leaves it to a function. Exclusions come first. Addresses of this
/// machine are no exception: who does not want a proxy for `localhost` excludes it.
///
/// ```
/// use abide::{Proxy, ProxyConfig};
/// let rules = ProxyConfig::none()
///     .https(Proxy::new("http://proxy.example:3128")?)
///     .exclude_hosts("localhost, .internal.example, 10.0.0.0/8")
///     .exclude_prefixes(["https://maps.example/tiles/"]);
/// let client = abide::Client::builder().proxy(rules).build()?;
/// # Ok::<(), abide::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "rules do nothing until a client gets them"]
pub struct ProxyConfig {
    pub(crate) http: Option<Proxy>,
    pub(crate) https: Option<Proxy>,
    pub(crate) all: Option<Proxy>,
    pub(crate) function: Option<ProxyFunction>,
    /// Names of variables, as the environment has them, and their values.
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) excluded_hosts: Vec<String>,
    pub(crate) excluded_prefixes: Vec<String>,
}

pub(crate) type ProxyFunction = Arc<dyn Fn(&Url) -> Option<Proxy> + Send + Sync>;

impl ProxyConfig {
    /// No proxy for anything.
    pub fn none() -> Self {
        Self::default()
    }

    /// What the environment says now, read as curl reads it; the default of a client.
    ///
    /// | variable | for |
    /// |---|---|
    /// | `http_proxy` | `http` URLs; only in lower case, since a server may pass a visitor's header `Proxy` to its programs as `HTTP_PROXY` |
    /// | `https_proxy`, `HTTPS_PROXY` | `https` URLs |
    /// | `all_proxy`, `ALL_PROXY` | URLs whose own variable is not set |
    /// | `no_proxy`, `NO_PROXY` | what is excluded from these, see [`exclude_hosts`](Self::exclude_hosts) |
    ///
    /// The lower case wins, and an empty variable is one that is not set. The values are what
    /// [`Proxy::new`] takes; one that cannot be used fails the calls that it is for, with kind
    /// [`Proxy`](crate::ErrorKind::Proxy). A client that is made without rules of its own reads them
    /// once, when it is built.
    pub fn from_environment() -> Self {
        Self::from_variables(environment::variable)
    }

    /// As [`from_environment`](Self::from_environment), with the variables taken from `variable`.
    ///
    /// ```
    /// let settings = [("https_proxy", "proxy.example:3128"), ("no_proxy", "localhost")];
    /// let rules = abide::ProxyConfig::from_variables(|name| {
    ///     let setting = settings.iter().find(|(known, _)| *known == name);
    ///     setting.map(|(_, value)| (*value).to_owned())
    /// });
    /// ```
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&'static str| {
            let value = variable(name).filter(|value| !value.trim().is_empty());
            value.map(|value| (*name, value))
        };
        Self { variables: VARIABLES.iter().filter_map(set).collect(), ..Self::default() }
    }

    /// The proxy that `function` names for a URL; `None` is none.
    ///
    /// It is called on the thread that makes the call, for each hop of each call whose URL is not
    /// excluded, with the complete URL. It should be quick, and may make calls of its own with
    /// another client. Clones of one [`Proxy`] share what is known about it, so keep them.
    pub fn by(function: impl Fn(&Url) -> Option<Proxy> + Send + Sync + 'static) -> Self {
        Self { function: Some(Arc::new(function)), ..Self::default() }
    }

    /// Sets the proxy for `http` URLs.
    pub fn http(mut self, proxy: Proxy) -> Self {
        self.http = Some(proxy);
        self
    }

    /// Sets the proxy for `https` URLs.
    pub fn https(mut self, proxy: Proxy) -> Self {
        self.https = Some(proxy);
        self
    }

    /// Sets the proxy for URLs that none is set for by their scheme.
    pub fn all(mut self, proxy: Proxy) -> Self {
        self.all = Some(proxy);
        self
    }

    /// Excludes hosts, written as in the variable `no_proxy`: entries between commas or blanks.
    ///
    /// | entry | excludes |
    /// |---|---|
    /// | `example.org`, `.example.org`, `*.example.org` | this host and all below it, in any case |
    /// | `10.0.0.1`, `::1`, `[::1]` | this address, when the URL names it as an address |
    /// | `10.0.0.0/8`, `fe80::/10` | the addresses that begin with so many bits |
    /// | any of these and `:8080` (an IPv6 address in brackets) | the same, at this port only |
    /// | `*` | everything |
    ///
    /// curl knows no ports here, no `*.`, and `*` only alone. Names are not looked up in order to
    /// compare addresses.
    pub fn exclude_hosts(mut self, hosts: impl Into<String>) -> Self {
        self.excluded_hosts.push(hosts.into());
        self
    }

    /// Excludes URLs that begin with one of these texts.
    ///
    /// Compared byte by byte, case and scheme included, with the URL as [`Url`] writes it but
    /// without user information: `http://host` excludes `http://hostile.example/` as well, and
    /// `http://host/` does not. Blank entries are dropped; they would exclude everything.
    pub fn exclude_prefixes(
        mut self,
        prefixes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let given = prefixes.into_iter().map(Into::into);
        self.excluded_prefixes.extend(given.filter(|prefix: &String| !prefix.trim().is_empty()));
        self
    }
}

impl From<Proxy> for ProxyConfig {
    /// This proxy for everything.
    fn from(proxy: Proxy) -> Self {
        Self::none().all(proxy)
    }
}

impl fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { http, https, all, function, variables, excluded_hosts, excluded_prefixes } =
            self;
        // Values of variables may hold passwords.
        let names: Vec<_> = variables.iter().map(|(name, _)| name).collect();
        f.debug_struct("ProxyConfig")
            .field("http", http)
            .field("https", https)
            .field("all", all)
            .field("by_function", &function.is_some())
            .field("variables", &names)
            .field("excluded_hosts", excluded_hosts)
            .field("excluded_prefixes", excluded_prefixes)
            .finish()
    }
}

/// What a call says about its proxy.
#[derive(Clone, Debug)]
pub(crate) struct ProxyWish {
    pub(crate) choice: ProxyChoice,
    /// In place of the proxy's own introduction, from a header of the request.
    pub(crate) authorization: Option<HeaderValue>,
}

/// Which proxy a call wants.
#[derive(Clone, Debug, Default)]
pub(crate) enum ProxyChoice {
    /// What the client says.
    #[default]
    Client,
    Direct,
    Through(Proxy),
}

/// Each in the order in which it is looked at; `HTTP_PROXY` is not among them on purpose.
const VARIABLES: [&str; 7] =
    ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];
