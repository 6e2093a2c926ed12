//! Which credentials a hop shows.

use std::sync::Arc;

use super::{AuthConfig, Registry};
use crate::{
    auth_id::{AuthChoice, AuthId},
    error::{Error, ErrorKind, Result},
    origin::Origin,
};

/// Which credentials a call uses.
#[derive(Debug)]
pub(crate) enum Wanted {
    Automatic,
    /// As they were when the call began.
    Named(AuthId, Arc<AuthConfig>),
}

impl Wanted {
    /// Looks up what a request names; `None` if no credentials can be used.
    ///
    /// # Errors
    /// Kind `Auth` for a name without credentials.
    pub(crate) fn of(choice: AuthChoice, registry: &Registry) -> Result<Option<Self>> {
        match choice {
            AuthChoice::None => Ok(None),
            AuthChoice::Automatic => Ok(registry.has_automatic().then_some(Self::Automatic)),
            AuthChoice::Named(id) => match registry.get(&id) {
                Some(config) => Ok(Some(Self::Named(id, config))),
                None => Err(Error::new(
                    ErrorKind::Auth,
                    format!("there are no credentials `{id}` (add them with `Client::set_auth`)"),
                )),
            },
        }
    }
}

/// What a hop is to show.
#[derive(Debug)]
pub(crate) enum Choice {
    Nothing,
    Show(AuthId, Arc<AuthConfig>),
    /// The caller wants them shown to somebody who may not see them.
    NotAllowed(AuthId, Arc<AuthConfig>),
    /// A redirect leads, or has led, to somebody who may not see them.
    Withhold(AuthId),
}

/// Chooses the credentials of a hop to `origin`.
///
/// `lost` are those that the call has taken to an origin they are not for: whoever redirected it
/// from there must not have them used, not even where they are at home.
pub(crate) fn choose(
    wanted: &Wanted,
    registry: &Registry,
    origin: &Origin,
    (is_first, lost): (bool, &[AuthId]),
) -> Choice {
    match wanted {
        Wanted::Automatic => registry
            .automatic_for(origin, lost)
            .map_or(Choice::Nothing, |(id, config)| Choice::Show(id, config)),
        Wanted::Named(id, config) => {
            let (id, is_lost) = (id.clone(), lost.contains(id));
            match config.allows(origin) {
                true if !is_lost => Choice::Show(id, Arc::clone(config)),
                false if is_first => Choice::NotAllowed(id, Arc::clone(config)),
                _ => Choice::Withhold(id),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::policy::auth::AuthOrigins;

    fn registry() -> Registry {
        let registry = Registry::default();
        let token = |origins: &[&str]| {
            let origins = AuthOrigins::only(origins.iter().copied()).expect("origins");
            AuthConfig::bearer(origins, "t").expect("a token")
        };
        registry.set("a".into(), token(&["https://a.test"]));
        registry.set("auto".into(), token(&["https://b.test"]).automatic());
        registry.set("wide".into(), token(&["https://*.test"]).automatic());
        registry
    }

    #[track_caller]
    fn check(wanted: AuthChoice, host: &str, is_first: bool, lost: &[&str], expected: &str) {
        let url = Url::parse(&format!("https://{host}/")).expect("a URL");
        let origin = Origin::of(&url).expect("an origin");
        let lost: Vec<AuthId> = lost.iter().map(|&id| id.into()).collect();
        let registry = registry();
        let choice = match Wanted::of(wanted, &registry) {
            Err(error) => format!("{:?}", error.kind()),
            Ok(None) => "nobody".to_owned(),
            Ok(Some(wanted)) => match choose(&wanted, &registry, &origin, (is_first, &lost)) {
                Choice::Nothing => "nothing".to_owned(),
                Choice::Show(id, _) => format!("show {id}"),
                Choice::NotAllowed(id, _) => format!("not allowed {id}"),
                Choice::Withhold(id) => format!("withhold {id}"),
            },
        };
        assert_eq!(choice, expected);
    }

    fn named(id: &str) -> AuthChoice {
        AuthChoice::Named(id.into())
    }

    #[test]
    fn credentials_by_name_go_where_they_are_allowed() {
        check(named("a"), "a.test", true, &[], "show a");
        check(named("a"), "b.test", true, &[], "not allowed a");
        check(named("x"), "a.test", true, &[], "Auth");
        check(AuthChoice::None, "b.test", true, &[], "nobody");
    }

    #[test]
    fn a_redirect_takes_credentials_away_for_good() {
        check(named("a"), "b.test", false, &[], "withhold a");
        check(named("a"), "a.test", false, &["a"], "withhold a");
        check(named("a"), "a.test", false, &[], "show a");
    }

    #[test]
    fn automatic_credentials_are_the_closest_of_those_that_ask_for_it() {
        check(AuthChoice::Automatic, "a.test", true, &[], "show wide");
        check(AuthChoice::Automatic, "b.test", true, &[], "show auto");
        check(AuthChoice::Automatic, "b.test", false, &["auto"], "nothing");
        check(AuthChoice::Automatic, "elsewhere.example", true, &[], "nothing");
    }
}
