//! A process that never forks.

#[derive(Debug)]
pub(crate) struct OfProcess<T>(T);

impl<T> OfProcess<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    #[expect(clippy::unnecessary_wraps, reason = "in a child process there is none")]
    pub(crate) const fn get_mut(&mut self) -> Option<&mut T> {
        Some(&mut self.0)
    }
}
