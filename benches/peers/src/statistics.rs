//! Medians, quartiles and percentiles.

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quartiles {
    pub(crate) first: f64,
    pub(crate) median: f64,
    pub(crate) third: f64,
}

impl Quartiles {
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            first: quantile(&sorted, 0.25)?,
            median: quantile(&sorted, 0.5)?,
            third: quantile(&sorted, 0.75)?,
        })
    }

    /// The distance of the quartiles as a share of the median.
    pub(crate) fn spread(self) -> f64 {
        (self.third - self.first) / self.median
    }
}

/// The value below which this share of the sorted values lies, between two of them if need be.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share * last as f64;
    let below = position.floor();
    let index = below as usize;
    let above = sorted[last.min(index + 1)];
    Some(sorted[index] + (above - sorted[index]) * (position - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], first: f64, median: f64, third: f64) {
        assert_eq!(Quartiles::of(values), Some(Quartiles { first, median, third }));
    }

    #[test]
    fn quartiles_lie_between_the_sorted_values() {
        check(&[7.0], 7.0, 7.0, 7.0);
        check(&[3.0, 1.0, 2.0], 1.5, 2.0, 2.5);
        check(&[5.0, 1.0, 4.0, 2.0, 3.0], 2.0, 3.0, 4.0);
        check(&[1.0, 2.0, 3.0, 4.0], 1.75, 2.5, 3.25);
    }

    #[test]
    fn nothing_has_no_quartiles() {
        assert_eq!(Quartiles::of(&[]), None);
    }

    #[test]
    fn spread_is_relative_to_the_median() {
        let quartiles = Quartiles { first: 9.0, median: 10.0, third: 11.0 };
        assert!((quartiles.spread() - 0.2).abs() < 1e-9);
    }
}
