//! How a simulated insurer behaves: what it says, and the manner in which it says it.

use takmil_proto::v1;

use super::records::Notice;

/// What an insurer says to every question, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Script {
    /// What it says.
    pub verdict: Verdict,
    /// How it says it.
    pub manner: Manner,
}

/// What an insurer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As proposed.
    Approve,
    /// So many percent less on every line, rounded down.
    Adjust {
        /// How many, at most 100.
        percent: u8,
    },
    /// Nothing.
    Refuse,
    /// Later.
    Pend,
    /// As proposed line by line, but with a total that is not their sum.
    WrongSums,
    /// More for every line than was billed.
    Overpay,
    /// A verdict that nobody knows.
    Nonsense,
}

/// How an insurer says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// At once.
    Prompt,
    /// After a while.
    Slow {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// Never: it takes the call and says nothing.
    Silent,
    /// At once, and then again to the hub, unasked. Needs a way to the hub: `Simulator::report_to`.
    Repeating {
        /// How often again.
        times: u16,
    },
    /// At once while it is there; it crashes and comes back by turns.
    Flapping {
        /// How long it is there, and how long away, in milliseconds.
        period_ms: u64,
    },
    /// Takes no call.
    Declining {
        /// Whether it says never, or not now.
        permanent: bool,
    },
}

impl Script {
    /// Says yes to everything, at once.
    pub const fn approve() -> Self {
        Self::of(Verdict::Approve)
    }

    /// Takes so many percent off every line, rounded down.
    pub const fn adjust(percent: u8) -> Self {
        Self::of(Verdict::Adjust { percent })
    }

    /// Says no to everything.
    pub const fn refuse() -> Self {
        Self::of(Verdict::Refuse)
    }

    /// Says "later" to everything.
    pub const fn pend() -> Self {
        Self::of(Verdict::Pend)
    }

    /// Says this, at once.
    pub const fn of(verdict: Verdict) -> Self {
        Self {
            verdict,
            manner: Manner::Prompt,
        }
    }

    /// The same, in this manner.
    pub const fn in_manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    /// The same, after so many milliseconds.
    pub const fn slowly(self, ms: u64) -> Self {
        self.in_manner(Manner::Slow { ms })
    }

    /// Never says anything.
    pub const fn silent() -> Self {
        Self::approve().in_manner(Manner::Silent)
    }
}

impl Verdict {
    /// What `insurer` decides on what it was given. The same delivery always gets the same decision.
    pub(super) fn on(self, insurer: &str, notice: &Notice) -> v1::InsurerDecision {
        let lines = |amount: &dyn Fn(i64, i64) -> i64, reason: &str| -> Vec<v1::DecidedLine> {
            let proposed = notice.lines.iter();
            proposed
                .map(|line| v1::DecidedLine {
                    seq: line.seq,
                    amount: Some(notice.money(amount(line.share, line.billed))),
                    reasons: vec![reason.to_owned()],
                    quantity: String::new(),
                })
                .collect()
        };
        let (verdict, lines) = match self {
            Verdict::Approve => (v1::Verdict::Approve.into(), Vec::new()),
            Verdict::Pend => (v1::Verdict::Pend.into(), Vec::new()),
            Verdict::Nonsense => (UNKNOWN_VERDICT, Vec::new()),
            Verdict::Refuse => {
                let refused = lines(&|_, _| 0, "not covered by this policy");
                (v1::Verdict::Refuse.into(), refused)
            }
            Verdict::Adjust { percent } => {
                let adjusted = lines(&|share, _| less(share, percent), "by our own price list");
                (v1::Verdict::Adjust.into(), adjusted)
            }
            Verdict::WrongSums => {
                let unchanged = lines(&|share, _| share, "as proposed");
                (v1::Verdict::Adjust.into(), unchanged)
            }
            Verdict::Overpay => {
                let more = lines(&|_, billed| billed.saturating_add(1), "more than was asked");
                (v1::Verdict::Adjust.into(), more)
            }
        };
        let amounts = lines.iter().filter_map(|line| line.amount.as_ref());
        let sum: i64 = amounts.fold(0, |sum, money| sum.saturating_add(money.units));
        let stated = match self {
            Verdict::WrongSums => Some(sum.saturating_add(1)),
            _ => (!lines.is_empty()).then_some(sum),
        };
        v1::InsurerDecision {
            message_id: notice.message_id.clone(),
            reference: format!("{insurer}-{}", notice.delivery_id),
            verdict,
            lines,
            total: stated.map(|total| notice.money(total)),
            valid_until: String::new(),
            note: String::new(),
        }
    }
}

/// A number that stands for no verdict.
const UNKNOWN_VERDICT: i32 = 99;

/// `share` less so many percent, rounded down.
fn less(share: i64, percent: u8) -> i64 {
    let kept = i128::from(100_u8.saturating_sub(percent));
    let left = (i128::from(share) * kept).div_euclid(100);
    i64::try_from(left).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::less;

    #[test]
    fn what_is_left_is_rounded_down() {
        assert_eq!(less(243_600, 10), 219_240);
        assert_eq!(less(9, 10), 8);
        assert_eq!(less(1, 1), 0);
        assert_eq!(less(7, 0), 7);
        assert_eq!(less(7, 200), 0);
        assert_eq!(less(i64::MAX, 0), i64::MAX);
    }
}
