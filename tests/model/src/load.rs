//! A model has no processor that could be used up.

#[derive(Debug, Default)]
pub(crate) struct Load;
