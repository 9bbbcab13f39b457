//! Weights of evidence.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Weight of evidence in hundredths of a point. Positive is bad.
///
/// An integer, so that sums are exact and no NaN can slip past a threshold. It is written as a decimal number
/// (`3.5`) in configuration, JSON and explanations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Points(i32);

impl Points {
    /// No weight at all.
    pub const ZERO: Points = Points(0);
    /// Largest magnitude that a single weight or threshold may have, in points.
    pub const LIMIT: i32 = 100_000;

    /// So many hundredths of a point: `hundredths(350)` is 3.5 points.
    pub const fn hundredths(value: i32) -> Self {
        Points(value)
    }

    /// Rounds a decimal number to hundredths. `None` if it is not finite or larger than [`Points::LIMIT`].
    pub fn from_decimal(value: f64) -> Option<Self> {
        (value.is_finite() && value.abs() <= f64::from(Self::LIMIT)).then(|| Points((value * 100.0).round() as i32))
    }

    /// The value in hundredths.
    pub const fn as_hundredths(self) -> i32 {
        self.0
    }

    /// The value as a decimal number, for JSON and TOML.
    pub fn as_decimal(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Sum that stops at the ends of the range instead of wrapping.
    pub fn plus(self, other: Points) -> Points {
        Points(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Points {
    fn sum<I: Iterator<Item = Points>>(iter: I) -> Points {
        iter.fold(Points::ZERO, Points::plus)
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let value = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", value / 100, value % 100)
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_decimal())
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Points::from_decimal(value)
            .ok_or_else(|| serde::de::Error::custom(format!("{value} is not a number of points")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_print_with_two_decimals_and_sign() {
        assert_eq!(Points::hundredths(350).to_string(), "3.50");
        assert_eq!(Points::hundredths(-5).to_string(), "-0.05");
    }

    #[test]
    fn not_a_number_is_no_weight() {
        assert_eq!(Points::from_decimal(f64::NAN), None);
        assert_eq!(Points::from_decimal(f64::INFINITY), None);
        assert_eq!(Points::from_decimal(-1.005), Some(Points::hundredths(-100)));
    }

    #[test]
    fn a_sum_of_extremes_does_not_wrap() {
        let sum: Points = [Points::hundredths(i32::MAX), Points::hundredths(10)].into_iter().sum();
        assert_eq!(sum, Points::hundredths(i32::MAX));
    }
}
