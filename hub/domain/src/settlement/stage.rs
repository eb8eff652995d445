//! The stages of an electronic document on its way to payment: where it is, by when it should have come further, and
//! what is late.

use serde::{Deserialize, Serialize};

use crate::date::{Date, Instant};

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
    /// Every insurer that pays has the decision.
    Delivered,
    /// It stands in a statement.
    Stated,
    /// The insurer says that it has paid.
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
}

/// How long each stage may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Roadmap {
    /// From receipt to the decision.
    pub decided_hours: u32,
    /// From the decision to its delivery.
    pub delivered_hours: u32,
    /// From the day of the decision to the end of the day of its statement.
    pub stated_days: u32,
    /// From the notice of payment to the provider's confirmation.
    pub confirmed_days: u32,
    /// How far the hub's zone is ahead of UTC, in minutes: days end by its clock.
    pub zone_minutes: i32,
}

impl Default for Roadmap {
    fn default() -> Roadmap {
        Roadmap {
            decided_hours: 72,
            delivered_hours: 24,
            stated_days: 1,
            confirmed_days: 7,
            zone_minutes: 0,
        }
    }
}

/// How far a claim has come towards one insurer's money.
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
    /// When a payment reached all of it.
    pub noticed_at: Option<Instant>,
    /// When all of it was confirmed.
    pub confirmed_at: Option<Instant>,
    /// When all sides stated the same.
    pub reconciled_at: Option<Instant>,
    /// By which day it is to be paid; `None` where the insurer owes nothing for it: then it ends with its delivery.
    pub due_on: Option<Date>,
    /// When it was taken back: nothing is awaited any more.
    pub taken_back_at: Option<Instant>,
}

/// One stage of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StageReached {
    /// Which.
    pub stage: Stage,
    /// When it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Instant>,
    /// By when it should be; `None` where the stage before it has not been reached, or nobody promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Instant>,
    /// Whether it was reached after its deadline, or has not been though it has passed.
    pub is_late: bool,
}

/// The stages of a claim's way to one insurer's money.
pub fn stages(progress: &Progress, roadmap: &Roadmap, now: Instant) -> Vec<StageReached> {
    let from = |start: Option<Instant>, long: u64| start.map(|start| start.plus_ms(long));
    let hours = |hours: u32| u64::from(hours).saturating_mul(HOUR_MS);
    let days = |days: u32| u64::from(days).saturating_mul(DAY_MS);
    let stated_by = |decided: Instant| {
        let day = roadmap.day(decided).add_days(roadmap.stated_days);
        roadmap.end_of(day)
    };
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
        Stage::Stated => (progress.stated_at, progress.decided_at.map(stated_by)),
        Stage::Noticed => (
            progress.noticed_at,
            progress.due_on.map(|day| roadmap.end_of(day)),
        ),
        Stage::Confirmed => (
            progress.confirmed_at,
            from(progress.noticed_at, days(roadmap.confirmed_days)),
        ),
        Stage::Reconciled => (progress.reconciled_at, None),
    };
    let is_on_its_way = |stage: &&Stage| **stage <= Stage::Delivered || progress.due_on.is_some();
    let told = |stage: &Stage| {
        let (at, deadline) = reached(*stage);
        // What was taken back is late with nothing that it had not reached before.
        let awaited_until = at.or(progress.taken_back_at).unwrap_or(now);
        StageReached {
            stage: *stage,
            at,
            deadline,
            is_late: deadline.is_some_and(|deadline| awaited_until > deadline),
        }
    };
    Stage::ALL.iter().filter(is_on_its_way).map(told).collect()
}

impl Roadmap {
    /// The day of a moment, by the hub's clock.
    pub fn day(&self, at: Instant) -> Date {
        Instant(at.0.saturating_add(self.zone_micros())).day()
    }

    /// The last moment of a day, by the hub's clock.
    pub fn end_of(&self, day: Date) -> Instant {
        let days = day.days_since(Instant(0).day()).saturating_add(1);
        let micros = days.saturating_mul(86_400_000_000);
        Instant(micros.saturating_sub(self.zone_micros()).saturating_sub(1))
    }

    fn zone_micros(&self) -> i64 {
        i64::from(self.zone_minutes).saturating_mul(60_000_000)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::sample::{at, day};
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
            due_on: Some(day("2026-02-10")),
            taken_back_at: None,
        }
    }

    #[test]
    fn days_end_by_the_hubs_clock() {
        let tehran = Roadmap {
            zone_minutes: 210,
            ..Roadmap::default()
        };
        let last = tehran.end_of(day("2026-01-05"));
        assert_eq!(last.to_string(), "2026-01-05T20:29:59.999999Z");
        assert_eq!(tehran.day(last), day("2026-01-05"));
        assert_eq!(tehran.day(Instant(last.0 + 1)), day("2026-01-06"));
        for zone_minutes in [i32::MIN, i32::MAX] {
            let strange = Roadmap {
                zone_minutes,
                ..tehran
            };
            strange.day(strange.end_of(day("9999-12-31")));
            strange.day(Instant(i64::MIN));
        }
    }

    #[test]
    fn a_stage_is_late_when_its_time_has_passed_and_not_before() {
        type Row = (fn(&mut Progress), Instant, Vec<Stage>);
        let table: Vec<Row> = vec![
            (|_| (), moment(4, 0), vec![]),
            (|_| (), moment(4, 1), vec![Stage::Decided]),
            (
                |one| one.decided_at = Some(moment(4, 0)),
                moment(4, 1),
                vec![],
            ),
            (
                |one| one.decided_at = Some(moment(4, 1)),
                moment(4, 2),
                vec![Stage::Decided],
            ),
            (
                |one| one.decided_at = Some(moment(2, 5)),
                moment(3, 6),
                vec![Stage::Delivered],
            ),
            (
                |one| one.decided_at = Some(moment(2, 5)),
                moment(4, 0),
                vec![Stage::Delivered, Stage::Stated],
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
                    one.taken_back_at = Some(moment(2, 10));
                },
                moment(90, 0),
                vec![],
            ),
        ];
        for (change, now, expected) in table {
            let mut progress = progress();
            change(&mut progress);
            let stages = stages(&progress, &Roadmap::default(), now);
            let late = stages.iter().filter(|one| one.is_late);
            let late: Vec<Stage> = late.map(|one| one.stage).collect();
            assert_eq!(late, expected, "{progress:?} at {now}");
            assert_eq!(stages.len(), Stage::ALL.len());
        }
    }

    #[test]
    fn a_claim_of_which_nothing_is_owed_ends_with_its_delivery() {
        let progress = Progress {
            due_on: None,
            ..progress()
        };
        let stages = stages(&progress, &Roadmap::default(), moment(1, 0));
        assert_eq!(stages.last().unwrap().stage, Stage::Delivered);
        let names: Vec<&str> = Stage::ALL.iter().map(|stage| stage.as_str()).collect();
        let written = serde_json::to_value(Stage::ALL).unwrap();
        assert_eq!(written, serde_json::json!(names));
    }
}
