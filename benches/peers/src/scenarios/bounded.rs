//! Many threads over few connections, and the same client without that bound for comparison.

use super::repeat;
use crate::clients::Setup;
use crate::figures::Figures;
use crate::outcome::Outcome;
use crate::spec::Spec;
use crate::task::Task;

/// The figures are those under the bound; what it costs is in two more.
pub(super) fn run(spec: &Spec, task: &Task) -> Outcome<Figures> {
    let bounded = Setup::of(spec, task);
    let unbounded = Setup { places: None, ..bounded.clone() };
    let free = repeat::over(spec, task, &unbounded)?;
    let mut figures = repeat::over(spec, task, &bounded)?;
    let rate = |figures: &Figures| figures.get(RATE).copied().unwrap_or_default();
    let (bound, free) = (rate(&figures), rate(&free));
    figures.insert("unbounded_requests_per_second".into(), free);
    figures.insert("of_unbounded".into(), bound / free);
    Ok(figures)
}

const RATE: &str = "requests_per_second";
