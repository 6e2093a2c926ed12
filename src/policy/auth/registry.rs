//! The credentials of a client by their names.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{AuthConfig, origins::Fit};
use crate::{auth_id::AuthId, origin::Origin};

/// Changed by any thread at any time; a call keeps what it began with.
#[derive(Default)]
pub(crate) struct Registry {
    /// Held while a name is looked up or changed, never while credentials are used.
    configs: RwLock<HashMap<AuthId, Arc<AuthConfig>>>,
    /// So that a call without credentials needs no lock.
    has_automatic: AtomicBool,
}

impl Registry {
    /// Adds credentials, in place of those that had the name; tells whether there were some.
    pub(crate) fn set(&self, id: AuthId, config: AuthConfig) -> bool {
        self.change(|configs| configs.insert(id, Arc::new(config)))
    }

    pub(crate) fn remove(&self, id: &AuthId) -> bool {
        self.change(|configs| configs.remove(id))
    }

    pub(crate) fn ids(&self) -> Vec<AuthId> {
        let mut ids: Vec<AuthId> = self.read().keys().cloned().collect();
        ids.sort();
        ids
    }

    pub(super) fn get(&self, id: &AuthId) -> Option<Arc<AuthConfig>> {
        self.read().get(id).cloned()
    }

    /// Whether any credentials ask to be used without being named.
    pub(crate) fn has_automatic(&self) -> bool {
        self.has_automatic.load(Ordering::Acquire)
    }

    /// The automatic credentials that describe `origin` most closely; the first by name of equals.
    ///
    /// If those are `lost`, there are none: what is less close must not stand in for them.
    pub(super) fn automatic_for(
        &self,
        origin: &Origin,
        lost: &[AuthId],
    ) -> Option<(AuthId, Arc<AuthConfig>)> {
        let configs = self.read();
        let automatic = configs.iter().filter(|(_, config)| config.is_automatic());
        let fitting =
            automatic.filter_map(|(id, config)| Some((config.origins().fit(origin)?, id, config)));
        let (_, id, config) = fitting.max_by(closest)?;
        (!lost.contains(id)).then(|| (id.clone(), Arc::clone(config)))
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut HashMap<AuthId, Arc<AuthConfig>>) -> Option<T>,
    ) -> bool {
        let mut configs = self.configs.write().unwrap_or_else(PoisonError::into_inner);
        let previous = change(&mut configs);
        let has_automatic = configs.values().any(|config| config.is_automatic());
        self.has_automatic.store(has_automatic, Ordering::Release);
        drop(configs);
        // Only now, because a source of the user's may be dropped with it.
        previous.is_some()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<AuthId, Arc<AuthConfig>>> {
        self.configs.read().unwrap_or_else(PoisonError::into_inner)
    }
}

type Fitting<'r> = (Fit, &'r AuthId, &'r Arc<AuthConfig>);

fn closest(one: &Fitting<'_>, other: &Fitting<'_>) -> std::cmp::Ordering {
    one.0.cmp(&other.0).then_with(|| other.1.cmp(one.1))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}
