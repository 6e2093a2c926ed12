//! Longer texts: how abide is built, how to see what it does, and where things of the original went.

#[doc = include_str!("architecture.md")]
pub mod architecture {}

#[doc = include_str!("from_qgis.md")]
pub mod from_qgis {}

#[doc = include_str!("seeing.md")]
pub mod seeing {}
