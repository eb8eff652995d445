//! Percentiles over every single latency of a run: exact, nothing is binned or thrown away.

use serde::Serialize;

/// How long answers took, in microseconds, by the nearest rank: p99 is the least latency that no more than one
/// request in a hundred exceeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "they are the percentiles")]
pub struct Latencies {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
}

impl Latencies {
    /// The percentiles of `samples`; `None` where there are none.
    pub fn of(mut samples: Vec<u64>) -> Option<Latencies> {
        samples.sort_unstable();
        Some(Latencies {
            p50: percentile(&samples, 500)?,
            p90: percentile(&samples, 900)?,
            p99: percentile(&samples, 990)?,
            p99_9: percentile(&samples, 999)?,
            max: *samples.last()?,
        })
    }
}

/// The value of `sorted` at `per_mille` thousandths, by the nearest rank.
fn percentile(sorted: &[u64], per_mille: usize) -> Option<u64> {
    let rank = sorted.len().saturating_mul(per_mille).div_ceil(1000);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::{Latencies, percentile};

    #[test]
    fn a_percentile_is_the_sample_at_its_rank() {
        let thousand: Vec<u64> = (1..=1000).collect();
        let check = |sorted: &[u64], per_mille, expected| {
            assert_eq!(percentile(sorted, per_mille), expected, "{per_mille}");
        };
        check(&thousand, 500, Some(500));
        check(&thousand, 990, Some(990));
        check(&thousand, 999, Some(999));
        check(&[1, 2, 3], 500, Some(2));
        check(&[1, 2, 3], 334, Some(2));
        check(&[1, 2, 3], 333, Some(1));
        check(&[1, 2, 3], 999, Some(3));
        check(&[7], 1, Some(7));
        check(&[], 500, None);
    }

    #[test]
    fn one_slow_answer_in_a_thousand_shows_in_the_maximum_alone() {
        let mut samples = vec![10; 999];
        samples.insert(0, 5_000_000);
        let expected = Latencies {
            p50: 10,
            p90: 10,
            p99: 10,
            p99_9: 10,
            max: 5_000_000,
        };
        assert_eq!(Latencies::of(samples), Some(expected));
        assert_eq!(Latencies::of(Vec::new()), None);
    }
}
