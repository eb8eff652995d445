//! What a run is told as: one JSON object for machines, one table for people. Ratios are of whole numbers; it
//! judges nothing.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::drive::Figures;
use crate::hub::Checkup;
use crate::machine::Machine;

/// Everything that a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// On what it was made.
    pub machine: Machine,
    /// How it was made.
    pub setting: Setting,
    /// The runs with admissions.
    pub admissions: Vec<Figures>,
    /// What nothing can be faster than.
    pub ceilings: Ceilings,
    /// How many admissions got a good answer, in all runs together.
    pub answered: u64,
    /// How many the hub itself says it decided; missing for a hub that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<u64>,
    /// What the hub's own check said afterwards; missing for a hub that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkup: Option<Checkup>,
}

/// How a run was made.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Setting {
    /// How many members the hub knows.
    pub members: u64,
    /// How many bytes the body of an admission has.
    pub body_bytes: usize,
    /// Whether the hub spoke TLS.
    pub tls: bool,
    /// Whether what was owed to insurers was delivered during the run; missing for a hub that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver: Option<bool>,
}

/// What nothing can be faster than, in the same run on the same machine.
#[derive(Debug, Clone, Serialize)]
pub struct Ceilings {
    /// The same bodies over the same HTTP, read and validated by the hub and nothing more; missing where the hub
    /// has no such address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Figures>,
    /// The same bodies, thrown away by a server that does nothing else.
    pub hello: Figures,
    /// How often a second 4 KB appended to a file beside the database become durable, one after the other;
    /// missing where the database is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syncs_per_second: Option<u64>,
}

impl Report {
    /// Whether every answer was good, every admission was decided, and the hub's own check found nothing.
    pub fn is_well(&self) -> bool {
        let runs = self.admissions.iter().chain(&self.ceilings.validation);
        let good = runs
            .into_iter()
            .all(|run| run.other_statuses.is_empty() && run.unsent == 0);
        let whole = self.decided.is_none_or(|decided| decided == self.answered);
        good && whole && self.checkup.as_ref().is_none_or(|checkup| checkup.is_well)
    }

    fn write_runs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEADS: [&str; 10] = [
            "",
            "conns",
            "/s",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "p99.9 ms",
            "max ms",
            "hub CPU µs",
            "hub MiB",
        ];
        let mut rows = vec![HEADS.map(str::to_owned)];
        rows.extend(self.admissions.iter().map(|run| cells("admissions", run)));
        rows.extend(
            self.ceilings
                .validation
                .iter()
                .map(|run| cells("read and validated alone", run)),
        );
        rows.push(cells("hello alone", &self.ceilings.hello));
        write_table(f, &rows)
    }

    fn write_ratios(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closed = self.admissions.iter().filter(|run| run.rate.is_none());
        let Some(best) = closed.max_by_key(|run| run.per_second) else {
            return Ok(());
        };
        writeln!(f, "The most admissions a second, {}, are", best.per_second)?;
        if let Some(validation) = &self.ceilings.validation {
            let share = percent(best.per_second, validation.per_second);
            writeln!(
                f,
                "  {share} of reading and validating alone ({})",
                validation.per_second
            )?;
        }
        let hello = self.ceilings.hello.per_second;
        writeln!(
            f,
            "  {} of hello alone ({hello})",
            percent(best.per_second, hello)
        )?;
        if let Some(syncs) = self.ceilings.syncs_per_second {
            writeln!(
                f,
                "  {} times the {syncs} waits for the disk that fit in a second",
                times(best.per_second, syncs)
            )?;
        }
        Ok(())
    }

    fn write_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in self.admissions.iter().chain(&self.ceilings.validation) {
            let name = format!("{} connections{}", run.connections, rate(run));
            for (status, count) in &run.other_statuses {
                writeln!(f, "{name}: {count} answers had status {status}")?;
            }
            if run.unsent > 0 {
                let unsent = run.unsent;
                writeln!(
                    f,
                    "{name}: {unsent} requests were due and never sent: the true latencies are worse"
                )?;
            }
        }
        if self.ceilings.validation.is_none() {
            writeln!(
                f,
                "reading and validating alone: not measured, the hub has no address for it"
            )?;
        }
        match self.decided {
            Some(decided) => writeln!(
                f,
                "{} admissions answered, {decided} decided by the hub's count",
                self.answered
            )?,
            None => writeln!(f, "{} admissions answered", self.answered)?,
        }
        match &self.checkup {
            Some(Checkup { is_well: true, .. }) => {
                writeln!(
                    f,
                    "ledger: the sum of its entries; `takmil doctor` found nothing"
                )
            }
            Some(Checkup { findings, .. }) => {
                writeln!(f, "`takmil doctor` found:\n  {}", findings.join("\n  "))
            }
            None => writeln!(f, "ledger: not checked; run `takmil doctor` on that hub"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine {
            processor,
            cores,
            kernel,
            file_system,
            hub,
            commit,
        } = &self.machine;
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        writeln!(
            f,
            "{}, {cores} cores shared with the generator, Linux {}",
            known(processor),
            known(kernel)
        )?;
        writeln!(
            f,
            "{}, commit {}, database on {}",
            known(hub),
            known(commit),
            known(file_system)
        )?;
        let Setting {
            members,
            body_bytes,
            tls,
            deliver,
        } = self.setting;
        let wire = if tls { "TLS" } else { "plain HTTP" };
        let owed = match deliver {
            Some(true) => "delivered",
            Some(false) => "left in the outbox",
            None => "as that hub has it",
        };
        writeln!(
            f,
            "{members} members, bodies of {body_bytes} bytes, {wire}, deliveries {owed}\n"
        )?;
        self.write_runs(f)?;
        writeln!(f)?;
        self.write_ratios(f)?;
        writeln!(f)?;
        self.write_end(f)
    }
}

fn cells(name: &str, run: &Figures) -> [String; 10] {
    let latency = |of: fn(&crate::latency::Latencies) -> u64| {
        run.latency_us.as_ref().map_or_else(none, |own| ms(of(own)))
    };
    [
        format!("{name}{}", rate(run)),
        run.connections.to_string(),
        run.per_second.to_string(),
        latency(|own| own.p50),
        latency(|own| own.p90),
        latency(|own| own.p99),
        latency(|own| own.p99_9),
        latency(|own| own.max),
        run.server_cpu_us.map_or_else(none, |us| us.to_string()),
        run.server_resident_kib
            .map_or_else(none, |kib| (kib / 1024).to_string()),
    ]
}

fn none() -> String {
    "–".to_owned()
}

fn rate(run: &Figures) -> String {
    run.rate
        .map_or_else(String::new, |rate| format!(" at {rate}/s"))
}

/// Microseconds as milliseconds.
fn ms(us: u64) -> String {
    format!("{}.{:02}", us / 1000, us % 1000 / 10)
}

fn percent(part: u64, whole: u64) -> String {
    let per_mille = part.saturating_mul(1000) / whole.max(1);
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

fn times(many: u64, one: u64) -> String {
    let tenths = many.saturating_mul(10) / one.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Columns as wide as their widest cell: the first to the left, figures to the right.
fn write_table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let mut widths = [0_usize; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            match at {
                0 => write!(line, "{cell:<width$}")?,
                _ => write!(line, "  {cell:>width$}")?,
            }
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ms, percent, times};

    #[test]
    fn figures_are_shown_without_rounding_up() {
        assert_eq!(
            (ms(0).as_str(), ms(12_349).as_str(), ms(1_000_007).as_str()),
            ("0.00", "12.34", "1000.00")
        );
        assert_eq!(
            (percent(5_118, 16_500).as_str(), percent(1, 0).as_str()),
            ("31.0 %", "100.0 %")
        );
        assert_eq!(
            (times(3_853, 465).as_str(), times(0, 465).as_str()),
            ("8.2", "0.0")
        );
    }
}
