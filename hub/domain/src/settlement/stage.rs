//! The stages of an electronic document on its way to payment: where it is, by when it should have come further, and
//! what is late.

use serde::{Deserialize, Serialize};

use crate::date::Instant;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A stage on the way to payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The hub has it.
    Received,
    /// Who pays what is decided.
    Decided,
    /// The insurer has the decision.
    Delivered,
    /// It stands in a statement.
    Stated,
    /// The insurer says that it has paid all of it.
    Noticed,
    /// The provider has the money.
    Confirmed,
    /// Hub, insurer and provider state the same.
    Reconciled,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: &'static [Stage] = &[
        Stage::Received,
        Stage::Decided,
        Stage::Delivered,
        Stage::Stated,
        Stage::Noticed,
        Stage::Confirmed,
        Stage::Reconciled,
    ];

    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Received => "received",
            Stage::Decided => "decided",
            Stage::Delivered => "delivered",
            Stage::Stated => "stated",
            Stage::Noticed => "noticed",
            Stage::Confirmed => "confirmed",
            Stage::Reconciled => "reconciled",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Stage> {
        Stage::ALL
            .iter()
            .copied()
            .find(|stage| stage.as_str() == text)
    }
}

/// How long stages may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roadmap {
    /// From receipt to the decision.
    pub decided_hours: u32,
    /// From the decision to its delivery.
    pub delivered_hours: u32,
    /// From the notice of payment to the provider's confirmation.
    pub confirmed_days: u32,
    /// By when it is to stand in a statement, where it is decided.
    pub stated_by: Option<Instant>,
    /// By when it is to be paid, where something is owed for it.
    pub paid_by: Option<Instant>,
}

/// How far a document has come towards one insurer's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// When the hub had it.
    pub received_at: Instant,
    /// When it was decided.
    pub decided_at: Option<Instant>,
    /// When the insurer had the decision.
    pub delivered_at: Option<Instant>,
    /// When a statement had it.
    pub stated_at: Option<Instant>,
    /// When a payment reached the last of it.
    pub noticed_at: Option<Instant>,
    /// When the last of it was confirmed.
    pub confirmed_at: Option<Instant>,
    /// When all sides stated the same.
    pub reconciled_at: Option<Instant>,
    /// Whether the insurer pays for documents of its kind. Others end with the decision.
    pub is_payable: bool,
    /// Whether the insurer owes something for it. Others end with the delivery.
    pub is_owed: bool,
    /// Whether it has ended and awaits nothing: there was nothing to decide, it was refused or taken back, or all is said.
    pub has_ended: bool,
}

/// One stage of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StageReached {
    /// Which.
    pub stage: Stage,
    /// When it was reached; missing where it is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Instant>,
    /// By when it should be; missing where nobody promised, or that is not known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Instant>,
    /// Whether it was reached after its deadline, or has not been though it has passed.
    pub late: bool,
}

/// The stages of a document's way to one insurer's money, in order: those that it has reached, and those that it awaits.
pub fn stages(progress: &Progress, roadmap: &Roadmap, now: Instant) -> Vec<StageReached> {
    let from = |start: Option<Instant>, long: u64| start.map(|start| start.plus_ms(long));
    let hours = |hours: u32| u64::from(hours).saturating_mul(HOUR_MS);
    let days = |days: u32| u64::from(days).saturating_mul(DAY_MS);
    let reached = |stage| match stage {
        Stage::Received => (Some(progress.received_at), None),
        Stage::Decided => (
            progress.decided_at,
            from(Some(progress.received_at), hours(roadmap.decided_hours)),
        ),
        Stage::Delivered => (
            progress.delivered_at,
            from(progress.decided_at, hours(roadmap.delivered_hours)),
        ),
        Stage::Stated => (progress.stated_at, roadmap.stated_by),
        Stage::Noticed => (progress.noticed_at, roadmap.paid_by),
        Stage::Confirmed => (
            progress.confirmed_at,
            from(progress.noticed_at, days(roadmap.confirmed_days)),
        ),
        Stage::Reconciled => (progress.reconciled_at, None),
    };
    let last = match (progress.is_payable, progress.is_owed) {
        (false, _) => Stage::Decided,
        (true, false) => Stage::Delivered,
        (true, true) => Stage::Reconciled,
    };
    let told = |stage: &Stage| {
        let (at, deadline) = reached(*stage);
        StageReached {
            stage: *stage,
            at,
            deadline,
            late: deadline.is_some_and(|deadline| at.unwrap_or(now) > deadline),
        }
    };
    let all = Stage::ALL.iter().map(told);
    // What was reached is told even where the way is shorter by now: what was paid may have been corrected to nothing.
    all.filter(|own| own.at.is_some() || (!progress.has_ended && own.stage <= last))
        .collect()
}

/// Whether a document awaits something: of a stage, where one is named; that is late, where that is asked. Where
/// lateness is not asked for, only the first stage that it awaits counts.
pub fn awaits(stages: &[StageReached], stage: Option<Stage>, is_late: bool) -> bool {
    let mut awaited = stages.iter().filter(|own| own.at.is_none());
    let is_asked = |own: &StageReached| stage.is_none_or(|stage| own.stage == stage);
    match is_late {
        true => awaited.any(|own| own.late && is_asked(own)),
        false => awaited.next().is_some_and(is_asked),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::sample::at;
    use super::*;

    fn moment(days: i64, minutes: i64) -> Instant {
        Instant(at(days).0 + minutes * 60_000_000)
    }

    fn progress() -> Progress {
        Progress {
            received_at: moment(1, 0),
            decided_at: None,
            delivered_at: None,
            stated_at: None,
            noticed_at: None,
            confirmed_at: None,
            reconciled_at: None,
            is_payable: true,
            is_owed: true,
            has_ended: false,
        }
    }

    const ROADMAP: Roadmap = Roadmap {
        decided_hours: 72,
        delivered_hours: 24,
        confirmed_days: 7,
        stated_by: None,
        paid_by: None,
    };

    fn roadmap() -> Roadmap {
        Roadmap {
            stated_by: Some(moment(4, 0)),
            paid_by: Some(moment(41, 0)),
            ..ROADMAP
        }
    }

    #[test]
    fn a_stage_is_late_when_its_time_has_passed_and_not_before() {
        type Row = (fn(&mut Progress), Instant, Vec<Stage>);
        let table: Vec<Row> = vec![
            (|_| (), moment(4, 0), vec![]),
            (|_| (), moment(4, 1), vec![Stage::Decided, Stage::Stated]),
            (
                |one| one.decided_at = Some(moment(4, 0)),
                moment(4, 0),
                vec![],
            ),
            (
                |one| {
                    one.decided_at = Some(moment(4, 1));
                    one.stated_at = Some(moment(4, 0));
                },
                moment(4, 2),
                vec![Stage::Decided],
            ),
            (
                |one| one.decided_at = Some(moment(2, 5)),
                moment(3, 6),
                vec![Stage::Delivered],
            ),
            (
                |one| {
                    one.decided_at = Some(moment(2, 5));
                    one.delivered_at = Some(moment(2, 6));
                    one.stated_at = Some(moment(3, 90));
                },
                moment(42, 0),
                vec![Stage::Noticed],
            ),
            (
                |one| {
                    one.decided_at = Some(moment(2, 5));
                    one.delivered_at = Some(moment(2, 6));
                    one.stated_at = Some(moment(3, 90));
                    one.noticed_at = Some(moment(30, 0));
                },
                moment(37, 1),
                vec![Stage::Confirmed],
            ),
            (
                |one| {
                    one.decided_at = Some(moment(2, 5));
                    one.has_ended = true;
                },
                moment(90, 0),
                vec![],
            ),
        ];
        for (change, now, expected) in table {
            let mut progress = progress();
            change(&mut progress);
            let stages = stages(&progress, &roadmap(), now);
            let late = stages.iter().filter(|one| one.late);
            let late: Vec<Stage> = late.map(|one| one.stage).collect();
            assert_eq!(late, expected, "{progress:?} at {now}");
            for stage in Stage::ALL {
                let is_awaited = |own: &&StageReached| own.stage == *stage && own.at.is_none();
                let own = stages.iter().find(is_awaited);
                let is_late = own.is_some_and(|own| own.late);
                assert_eq!(awaits(&stages, Some(*stage), true), is_late);
            }
        }
    }

    #[test]
    fn the_way_is_as_long_as_what_is_owed_and_ends_where_it_was_taken_back() {
        let last = |progress: Progress| {
            let stages = stages(&progress, &ROADMAP, moment(1, 0));
            let awaited = awaits(&stages, None, false);
            (stages.last().unwrap().stage, awaited)
        };
        assert_eq!(last(progress()), (Stage::Reconciled, true));
        let unowed = Progress {
            is_owed: false,
            ..progress()
        };
        assert_eq!(last(unowed), (Stage::Delivered, true));
        let inquiry = Progress {
            is_payable: false,
            decided_at: Some(moment(1, 0)),
            ..progress()
        };
        assert_eq!(last(inquiry), (Stage::Decided, false));
        let cancelled = Progress {
            has_ended: true,
            ..progress()
        };
        assert_eq!(last(cancelled), (Stage::Received, false));
    }

    #[test]
    fn the_first_stage_that_is_missing_is_the_one_that_is_awaited() {
        let decided = Progress {
            decided_at: Some(moment(2, 0)),
            ..progress()
        };
        let stages = stages(&decided, &ROADMAP, moment(2, 0));
        for stage in Stage::ALL {
            let expected = *stage == Stage::Delivered;
            assert_eq!(awaits(&stages, Some(*stage), false), expected);
        }
        for stage in Stage::ALL {
            assert_eq!(Stage::parse(stage.as_str()), Some(*stage));
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.as_str());
        }
    }
}
