//! What the load found: one JSON object for machines, one table for people. It judges nothing.

use std::fmt;

use serde::Serialize;

use crate::disk::Syncs;
use crate::drive::Figures;
use crate::hub::Checkup;
use crate::machine::Machine;
use crate::postgres::PgBench;
use crate::process::Used;
use crate::sqlite::Commits;
use crate::table::{ms, per_mille, percent, thousandths, write_faults, write_machine, write_runs};

/// Everything that the load found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// On what it was made.
    pub machine: Machine,
    /// How it was made.
    pub setting: Setting,
    /// What hub and database held in memory before the load; missing for a hub that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Idle>,
    /// The runs.
    pub runs: Vec<Run>,
    /// What nothing can be faster than.
    pub ceilings: Ceilings,
    /// The runs beside the ceilings.
    pub ratios: Ratios,
    /// How many admissions and claims got a good answer, in all runs together.
    pub answered: u64,
    /// How many the hub itself says it decided; missing for a hub that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<u64>,
    /// What the hub's own check said afterwards; missing for a hub that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkup: Option<Checkup>,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Which.
    pub what: What,
    /// What came of it.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Which run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Admissions, each connection as fast as it is answered.
    Admissions,
    /// Admissions at half of the rate that they reached.
    HalfRate,
    /// Admissions at a rate that was asked for.
    GivenRate,
    /// Claims in FHIR.
    Fhir,
    /// Whole stays.
    Stays,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Admissions | What::GivenRate => "admissions",
            What::HalfRate => "admissions, half of that",
            What::Fhir => "FHIR claims",
            What::Stays => "stays, all requests",
        }
    }
}

/// How the load was made.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    /// Where the hub keeps its database; missing for a hub that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<&'static str>,
    /// How many members the hub knows.
    pub members: u64,
    /// How many bytes the body of an admission has.
    pub body_bytes: usize,
    /// How many bytes the body of a claim in FHIR has.
    pub fhir_body_bytes: usize,
    /// Whether the hub spoke TLS.
    pub tls: bool,
    /// Whether what was owed to insurers was delivered during the run; missing for a hub that ran before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver: Option<bool>,
}

/// Memory before the load, in KiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Idle {
    /// Of the hub.
    pub hub_kib: u64,
    /// Of the database server's processes together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_kib: Option<u64>,
}

impl From<Used> for Idle {
    fn from(used: Used) -> Idle {
        Idle {
            hub_kib: used.hub.resident_kib,
            database_kib: used.database.map(|family| family.resident_kib),
        }
    }
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
    /// What is beneath the database; missing where that is elsewhere.
    #[serde(flatten)]
    pub disk: Option<DiskCeilings>,
}

/// What is beneath the database.
#[derive(Debug, Clone, Serialize)]
pub struct DiskCeilings {
    /// How soon 4 KB appended to a file beside the database are durable, one after the other.
    pub fdatasync: Syncs,
    /// How fast bare SQLite commits small rows, one and several at a time.
    pub sqlite: Vec<Commits>,
    /// What PostgreSQL's own bench reaches on the same server, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pgbench: Option<PgBench>,
}

/// Runs beside ceilings, in thousandths: 1000 is as much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ratios {
    /// The most admissions a second, in a closed loop.
    pub best_per_second: u64,
    /// The same beside reading and validating alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_validation: Option<u64>,
    /// Beside hello alone.
    pub of_hello: u64,
    /// Beside the waits for the disk that fit in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_fdatasync: Option<u64>,
    /// Beside the most rows that bare SQLite commits in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_sqlite: Option<u64>,
    /// Beside PostgreSQL's own bench.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_pgbench: Option<u64>,
    /// The median over one connection beside the median wait for the disk; missing where no run had one connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_p50_of_fdatasync: Option<u64>,
    /// The 99th percentile at half of the reached rate, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub half_rate_p99_us: Option<u64>,
}

impl Ratios {
    /// The ratios of runs to ceilings.
    pub fn of(runs: &[Run], ceilings: &Ceilings) -> Ratios {
        let closed = || runs.iter().filter(|run| run.what == What::Admissions);
        let best = closed()
            .map(|run| run.figures.per_second)
            .max()
            .unwrap_or(0);
        let disk = ceilings.disk.as_ref();
        let beside = |ceiling: u64| per_mille(best, ceiling);
        let rows = disk.and_then(|disk| disk.sqlite.iter().map(|own| own.rows_per_second).max());
        let single = closed().find(|run| run.figures.connections == 1);
        let single = single.and_then(|run| run.figures.latency_us);
        let half = runs.iter().find(|run| run.what == What::HalfRate);
        Ratios {
            best_per_second: best,
            of_validation: ceilings
                .validation
                .as_ref()
                .map(|run| beside(run.per_second)),
            of_hello: beside(ceilings.hello.per_second),
            of_fdatasync: disk.map(|disk| beside(disk.fdatasync.per_second)),
            of_sqlite: rows.map(beside),
            of_pgbench: disk
                .and_then(|disk| disk.pgbench)
                .map(|bench| beside(bench.per_second)),
            single_p50_of_fdatasync: single
                .zip(disk)
                .map(|(own, disk)| per_mille(own.p50, disk.fdatasync.latency_us.p50)),
            half_rate_p99_us: half
                .and_then(|run| run.figures.latency_us)
                .map(|own| own.p99),
        }
    }
}

impl Report {
    /// Whether every answer was good, every message was decided, and the hub's own check found nothing.
    pub fn is_well(&self) -> bool {
        let runs = self.runs.iter().map(|run| &run.figures);
        let good = runs
            .chain(&self.ceilings.validation)
            .all(|run| run.other_statuses.is_empty() && run.unsent == 0);
        let whole = self.decided.is_none_or(|decided| decided == self.answered);
        good && whole && self.checkup.as_ref().is_none_or(|checkup| checkup.is_well)
    }

    fn rows(&self) -> impl Iterator<Item = (String, &Figures)> {
        let runs = self.runs.iter();
        let runs = runs.map(|run| (run.what.name().to_owned(), &run.figures));
        let validation = self.ceilings.validation.iter();
        runs.chain(validation.map(|run| ("read and validated alone".to_owned(), run)))
            .chain([("hello alone".to_owned(), &self.ceilings.hello)])
    }

    fn write_setting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting {
            store,
            members,
            body_bytes,
            fhir_body_bytes,
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
            "{}, {members} members, bodies of {body_bytes} bytes ({fhir_body_bytes} in FHIR), {wire}, deliveries {owed}",
            store.unwrap_or("a hub that ran before"),
        )?;
        let Some(idle) = self.idle else {
            return writeln!(f);
        };
        let peak = self.runs.iter().filter_map(|run| run.figures.cost);
        let peak = peak.map(|cost| cost.hub_peak_kib).max().unwrap_or(0);
        let database = idle
            .database_kib
            .map_or_else(String::new, |kib| format!(", database {} MiB", kib / 1024));
        writeln!(
            f,
            "idle before the load: hub {} MiB{database}; the hub's most ever: {} MiB\n",
            idle.hub_kib / 1024,
            peak / 1024
        )
    }

    fn write_ratios(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratios = &self.ratios;
        let best = ratios.best_per_second;
        writeln!(f, "The most admissions a second, {best}, are")?;
        if let (Some(ratio), Some(run)) = (ratios.of_validation, &self.ceilings.validation) {
            let (ratio, of) = (percent(ratio), run.per_second);
            writeln!(f, "  {ratio} of reading and validating alone ({of})")?;
        }
        let hello = self.ceilings.hello.per_second;
        writeln!(f, "  {} of hello alone ({hello})", percent(ratios.of_hello))?;
        let Some(disk) = &self.ceilings.disk else {
            return Ok(());
        };
        let times = |ratio: Option<u64>| thousandths(ratio.unwrap_or(0));
        let syncs = disk.fdatasync.per_second;
        let ratio = times(ratios.of_fdatasync);
        writeln!(
            f,
            "  {ratio} times the {syncs} waits for the disk that fit in a second"
        )?;
        for own in &disk.sqlite {
            let ratio = thousandths(per_mille(best, own.rows_per_second));
            let (rows, each) = (own.rows_per_second, own.rows_per_commit);
            writeln!(
                f,
                "  {ratio} times the {rows} small rows that bare SQLite makes durable in a second, {each} in a commit"
            )?;
        }
        if let Some(bench) = disk.pgbench {
            let ratio = times(ratios.of_pgbench);
            let (per_second, cpu) = (bench.per_second, bench.database_cpu_us);
            writeln!(
                f,
                "  {ratio} times the {per_second} simple updates of pgbench ({cpu} µs of the server's time each)"
            )?;
        }
        if let Some(ratio) = ratios.single_p50_of_fdatasync {
            let (median, mean) = (disk.fdatasync.latency_us.p50, disk.fdatasync.mean_us);
            writeln!(
                f,
                "Over one connection half are answered within {} median waits for the disk ({} ms; on average a wait takes {} ms)",
                thousandths(ratio),
                ms(median),
                ms(mean)
            )?;
        }
        if let Some(p99) = ratios.half_rate_p99_us {
            writeln!(f, "At half of that rate p99 is {} ms", ms(p99))?;
        }
        Ok(())
    }

    fn write_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, run) in self.rows() {
            write_faults(f, &name, run)?;
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
                "{} admissions and claims answered, {decided} decided by the hub's count",
                self.answered
            )?,
            None => writeln!(f, "{} admissions and claims answered", self.answered)?,
        }
        match &self.checkup {
            Some(checkup) => writeln!(f, "{checkup}"),
            None => writeln!(f, "ledger: not checked; run `takmil doctor` on that hub"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_machine(f, &self.machine)?;
        self.write_setting(f)?;
        write_runs(f, self.rows())?;
        writeln!(
            f,
            "(CPU of hub and database, per good answer; turns and syncs per good answer)\n"
        )?;
        self.write_ratios(f)?;
        writeln!(f)?;
        self.write_end(f)
    }
}
