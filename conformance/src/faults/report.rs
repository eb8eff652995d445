//! What a fault test came to: a page for people, and the same in JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The report of one test.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Which test.
    pub test: String,
    /// On which store.
    pub store: String,
    /// From which seed.
    pub seed: u64,
    /// How many rounds it ran.
    pub rounds: u64,
    /// Different requests that were sent.
    pub sent: u64,
    /// Those that the hub acknowledged, at once or on a repeat.
    pub acknowledged: u64,
    /// Acknowledged messages that were gone, or were answered otherwise later.
    pub lost: u64,
    /// Limits of which more was promised than there is.
    pub overspent: u64,
    /// What the hub's own check found.
    pub doctor: Vec<String>,
    /// Everything that went wrong, losses and overspending among it, with the round.
    pub failures: Vec<Failure>,
    /// Counts of this test alone, by name.
    pub counts: BTreeMap<&'static str, i64>,
    /// How long it took.
    pub ms: u64,
    /// The run that has to fail, where the test has one: without it, a good report proves nothing.
    pub control: Option<Box<Report>>,
}

/// Something that went wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// In which round, from 1.
    pub round: u64,
    /// What.
    pub what: String,
    /// How to run it again.
    pub again: String,
    /// The folder that was kept for people to look at.
    pub folder: String,
}

impl Report {
    /// Whether the hub kept its promises, and the control run shows that the test would have told otherwise.
    pub fn is_well(&self) -> bool {
        let control_failed = self
            .control
            .as_ref()
            .is_none_or(|control| control.lost > 0 && !control.failures.is_empty());
        self.failures.is_empty() && self.rounds > 0 && control_failed
    }

    /// Counts something of this test alone.
    pub(super) fn count(&mut self, name: &'static str, more: impl TryInto<i64>) {
        *self.counts.entry(name).or_default() += more.try_into().unwrap_or(i64::MAX);
    }

    /// Keeps the largest of something.
    pub(super) fn most(&mut self, name: &'static str, value: impl TryInto<i64>) {
        let value = value.try_into().unwrap_or(i64::MAX);
        let most = self.counts.entry(name).or_insert(value);
        *most = value.max(*most);
    }
}

/// More failures of one test than this are told as a number.
const MOST_SHOWN: usize = 10;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_well() { "well" } else { "NOT WELL" };
        writeln!(
            f,
            "{} on {}, seed {}: {verdict}",
            self.test, self.store, self.seed
        )?;
        writeln!(f, "  rounds        {:>9}", self.rounds)?;
        writeln!(f, "  sent          {:>9}", self.sent)?;
        writeln!(f, "  acknowledged  {:>9}", self.acknowledged)?;
        writeln!(f, "  lost          {:>9}", self.lost)?;
        writeln!(f, "  overspent     {:>9}", self.overspent)?;
        writeln!(f, "  doctor found  {:>9}", self.doctor.len())?;
        writeln!(f, "  seconds       {:>9}", self.ms.div_ceil(1_000))?;
        for (name, count) in &self.counts {
            writeln!(f, "  {count:>11}  {name}")?;
        }
        for found in &self.doctor {
            writeln!(f, "  doctor: {found}")?;
        }
        for failure in self.failures.iter().take(MOST_SHOWN) {
            let Failure {
                round,
                what,
                again,
                folder,
            } = failure;
            writeln!(
                f,
                "  round {round}: {what}\n    again: {again}\n    kept:  {folder}"
            )?;
        }
        let more = self.failures.len().saturating_sub(MOST_SHOWN);
        if more > 0 {
            writeln!(f, "  and {more} more failures")?;
        }
        if let Some(control) = &self.control {
            let verdict = match control.lost {
                0 => "lost nothing: this test proves NOTHING",
                _ => "lost acknowledged messages, as it has to",
            };
            writeln!(
                f,
                "  control run, syncs that do nothing: {verdict} ({} losses found, {} acknowledged)",
                control.lost, control.acknowledged
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Report {
        Report {
            lost: 1,
            failures: vec![Failure {
                round: 1,
                what: "a loss".to_owned(),
                again: String::new(),
                folder: String::new(),
            }],
            ..Report::default()
        }
    }

    #[test]
    fn a_good_run_is_only_good_where_its_control_run_fails() {
        let good = |control| Report {
            rounds: 3,
            control,
            ..Report::default()
        };
        assert!(good(None).is_well());
        assert!(good(Some(Box::new(failing()))).is_well());
        assert!(!good(Some(Box::new(Report::default()))).is_well());
        assert!(!failing().is_well());
        assert!(!Report::default().is_well(), "no round shows nothing");
    }
}
