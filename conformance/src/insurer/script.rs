//! How a simulated insurer behaves: what it says, and the manner in which it says it.

use serde::Deserialize;
use takmil_proto::v1;

use super::records::Notice;

/// What an insurer says, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What it says.
    pub verdict: Verdict,
    /// How it says it.
    #[serde(default)]
    pub manner: Manner,
}

/// A script for a whole evening, as a JSON document: steps, of which the first that fits what the insurer is given counts,
/// and what it says otherwise.
///
/// ```json
/// {
///   "steps": [
///     {"when": {"kind": "preauthorization"}, "say": {"verdict": "pend"}},
///     {"when": {"over": 5000000}, "say": {"verdict": {"adjust": {"percent": 10}}, "manner": {"slow": {"ms": 800}}}},
///     {"when": {"every": 20}, "say": {"verdict": "approve", "manner": "silent"}}
///   ],
///   "otherwise": {"verdict": "approve"}
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Play {
    /// The steps.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What it says where no step fits. A manner that comes and goes is of the whole, and stands here alone.
    pub otherwise: Script,
}

/// One step of a [`Play`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When it fits.
    pub when: When,
    /// What the insurer says then.
    pub say: Script,
}

/// What a [`Step`] asks of what the insurer is given. What is not named fits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// The kind of the message: claim, admission…
    pub kind: Option<String>,
    /// What is to be done with it: decide, decided, review, cancelled…
    pub purpose: Option<String>,
    /// More is billed than this, in the smallest unit.
    pub over: Option<i64>,
    /// It is the so manieth thing that the insurer is given, and each such one again.
    pub every: Option<u64>,
}

impl From<Script> for Play {
    fn from(otherwise: Script) -> Play {
        Play {
            steps: Vec::new(),
            otherwise,
        }
    }
}

impl Play {
    /// What an insurer says to what it is given as so manieth, from 1.
    pub(super) fn on(&self, notice: &Notice, place: u64) -> Script {
        let mut steps = self.steps.iter();
        let fitting = steps.find(|step| step.when.fits(notice, place));
        fitting.map_or(self.otherwise, |step| step.say)
    }
}

impl When {
    fn fits(&self, notice: &Notice, place: u64) -> bool {
        let is =
            |asked: &Option<String>, own: &str| asked.as_ref().is_none_or(|asked| asked == own);
        let billed = notice.lines.iter().map(|line| line.billed);
        let billed = billed.fold(0, i64::saturating_add);
        is(&self.kind, &notice.kind)
            && is(&self.purpose, &notice.purpose)
            && self.over.is_none_or(|over| billed > over)
            && self.every.is_none_or(|every| place.is_multiple_of(every))
    }
}

/// What an insurer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// At once.
    #[default]
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
    /// Decisions that it submits of its own accord wait until there are so many, and go in the reverse of their order.
    /// Needs a way to the hub: `Simulator::report_to`.
    Reordering {
        /// How many.
        hold: u16,
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
            revision: 0,
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
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::records::{Notice, ProposedLine};
    use super::{Manner, Play, Script, less};

    #[test]
    fn the_first_step_that_fits_counts() {
        let play = r#"{
            "steps": [
                {"when": {"kind": "preauthorization"}, "say": {"verdict": "pend"}},
                {"when": {"over": 500, "purpose": "decide"}, "say": {"verdict": {"adjust": {"percent": 10}}, "manner": {"slow": {"ms": 8}}}},
                {"when": {"every": 3}, "say": {"verdict": "refuse", "manner": "silent"}}
            ],
            "otherwise": {"verdict": "approve"}
        }"#;
        let play: Play = serde_json::from_str(play).unwrap();
        let notice = |kind: &str, purpose: &str, billed: i64| Notice {
            kind: kind.to_owned(),
            purpose: purpose.to_owned(),
            lines: vec![ProposedLine {
                seq: 1,
                billed,
                share: 0,
            }],
            ..Notice::default()
        };
        let ten_less = Script::adjust(10).slowly(8);
        let silent = Script::refuse().in_manner(Manner::Silent);
        for (notice, place, expected) in [
            (notice("preauthorization", "decide", 900), 3, Script::pend()),
            (notice("claim", "decide", 900), 3, ten_less),
            (notice("claim", "review", 900), 3, silent),
            (notice("claim", "decide", 500), 6, silent),
            (notice("claim", "decide", 500), 4, Script::approve()),
        ] {
            assert_eq!(play.on(&notice, place), expected, "{notice:?} {place}");
        }
        let unknown = r#"{"otherwise": {"verdict": "approve"}, "intermission": 1}"#;
        assert!(serde_json::from_str::<Play>(unknown).is_err());
    }

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
