//! How fast a party takes what it is owed. Pure: moments come from outside.

use takmil_domain::date::Instant;

const MICROS: i64 = 1_000_000;

/// What may go at once after a pause: a tenth of a second's worth.
const BURSTS_A_SECOND: i64 = 10;

/// A pace of so many a second; without a bound at first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// When the next one would go if all went evenly.
    next: Option<Instant>,
}

impl Pace {
    /// Lets one go now, or says from when on one may.
    pub(crate) fn go(&mut self, now: Instant, per_second: Option<u32>) -> Result<(), Instant> {
        let Some(per_second) = per_second else {
            self.next = None;
            return Ok(());
        };
        let per_second = i64::from(per_second.max(1));
        let apart = MICROS / per_second;
        let ahead = (MICROS / BURSTS_A_SECOND - apart).max(0);
        let next = self.next.unwrap_or(now).max(now);
        // A clock that went back holds nothing up for longer than a second.
        let next = next.min(Instant(now.0.saturating_add(MICROS.max(apart))));
        let first = next.0.saturating_sub(ahead);
        if first > now.0 {
            self.next = Some(next);
            return Err(Instant(first));
        }
        self.next = Some(Instant(next.0.saturating_add(apart)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many go within so many seconds, if somebody tries as soon as it may.
    fn gone(per_second: u32, seconds: i64) -> i64 {
        let (mut pace, mut now, mut gone) = (Pace::default(), Instant(0), 0);
        while now.0 < seconds * MICROS {
            match pace.go(now, Some(per_second)) {
                Ok(()) => gone += 1,
                Err(then) => {
                    assert!(then > now);
                    now = then;
                }
            }
        }
        gone
    }

    #[test]
    fn it_is_kept_to_within_a_tenth_of_a_second() {
        for (per_second, most) in [(1, 1), (5, 5), (100, 100), (1_000, 1_000)] {
            for seconds in [1, 10] {
                let gone = gone(per_second, seconds);
                let even = most * seconds;
                assert!(
                    (even..=even + most / BURSTS_A_SECOND).contains(&gone),
                    "{per_second} a second: {gone} in {seconds} s"
                );
            }
        }
    }

    #[test]
    fn a_pause_saves_nothing_up_and_a_clock_that_goes_back_holds_nothing_up() {
        let mut pace = Pace::default();
        let go = |pace: &mut Pace, second: i64| {
            let now = Instant(second * MICROS);
            (0..1_000)
                .take_while(|_| pace.go(now, Some(100)).is_ok())
                .count()
        };
        assert_eq!([go(&mut pace, 1_000), go(&mut pace, 2_000)], [10, 10]);
        assert_eq!(go(&mut pace, 0), 0);
        assert_eq!(go(&mut pace, 1), 10);
        assert_eq!(pace.go(Instant(MICROS), None), Ok(()), "without a bound");
    }
}
