//! Without the feature nothing is offered and nothing is decoded.

use super::Decode;

pub(super) const OFFERED: &[&str] = &[];

pub(super) fn decoder(_name: &str) -> Option<Box<dyn Decode>> {
    None
}
