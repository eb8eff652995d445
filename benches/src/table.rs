//! Figures as people read them: tables of whole numbers, cut and never rounded up.

use std::fmt::{self, Write as _};

use crate::drive::Figures;
use crate::latency::Latencies;
use crate::machine::Machine;

/// The heads of the columns of runs.
const HEADS: [&str; 14] = [
    "", "conns", "/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "CPU µs", "of it db",
    "turns", "syncs", "hub MiB", "db MiB",
];

/// Writes a row for each run, and one for each kind of request of a run with several.
///
/// # Errors
/// Where it cannot be written.
pub fn write_runs<'a>(
    f: &mut fmt::Formatter<'_>,
    runs: impl IntoIterator<Item = (String, &'a Figures)>,
) -> fmt::Result {
    let mut rows = vec![HEADS.map(str::to_owned)];
    for (name, run) in runs {
        rows.push(cells(&name, run));
        for (ask, kind) in &run.kinds {
            let mut row = HEADS.map(|_| String::new());
            let latency = latencies(Some(&kind.latency_us));
            let shown = [
                format!("  {}", ask.name()),
                String::new(),
                per_second(kind.answers, run.window_ms).to_string(),
            ];
            for (cell, text) in row.iter_mut().zip(shown.into_iter().chain(latency)) {
                *cell = text;
            }
            rows.push(row);
        }
    }
    write_table(f, &rows)
}

fn cells(name: &str, run: &Figures) -> [String; 14] {
    let cost = run.cost.as_ref();
    let number = |number: Option<u64>| number.map_or_else(none, |number| number.to_string());
    let mib = |kib: Option<u64>| number(kib.map(|kib| kib / 1024));
    let each = |count: Option<u64>| count.map_or_else(none, thousandths);
    let [p50, p90, p99, p99_9, max] = latencies(run.latency_us.as_ref());
    [
        format!("{name}{}", rate(run)),
        run.connections.to_string(),
        run.per_second.to_string(),
        p50,
        p90,
        p99,
        p99_9,
        max,
        number(cost.map(|cost| cost.cpu_us)),
        number(cost.and_then(|cost| cost.database_cpu_us)),
        each(cost.and_then(|cost| cost.turns_per_thousand)),
        each(cost.and_then(|cost| cost.syncs_per_thousand)),
        mib(cost.map(|cost| cost.hub_resident_kib)),
        mib(cost.and_then(|cost| cost.database_resident_kib)),
    ]
}

fn latencies(own: Option<&Latencies>) -> [String; 5] {
    let columns: [fn(&Latencies) -> u64; 5] = [
        |own| own.p50,
        |own| own.p90,
        |own| own.p99,
        |own| own.p99_9,
        |own| own.max,
    ];
    columns.map(|column| own.map_or_else(none, |own| ms(column(own))))
}

/// Writes what was not as it should be: other statuses, and what was never sent.
///
/// # Errors
/// Where it cannot be written.
pub fn write_faults(f: &mut fmt::Formatter<'_>, name: &str, run: &Figures) -> fmt::Result {
    let name = format!("{name}, {} connections{}", run.connections, rate(run));
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
    Ok(())
}

/// Writes on what the figures were found.
///
/// # Errors
/// Where it cannot be written.
pub fn write_machine(f: &mut fmt::Formatter<'_>, machine: &Machine) -> fmt::Result {
    let Machine {
        processor,
        cores,
        kernel,
        file_system,
        hub,
        commit,
    } = machine;
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
    )
}

fn rate(run: &Figures) -> String {
    run.rate
        .map_or_else(String::new, |rate| format!(" at {rate}/s"))
}

fn none() -> String {
    "–".to_owned()
}

fn per_second(count: u64, window_ms: u64) -> u64 {
    count.saturating_mul(1000) / window_ms.max(1)
}

/// Microseconds as milliseconds.
pub fn ms(us: u64) -> String {
    format!("{}.{:02}", us / 1000, us % 1000 / 10)
}

/// `part` of `whole` in thousandths.
pub fn per_mille(part: u64, whole: u64) -> u64 {
    part.saturating_mul(1000) / whole.max(1)
}

/// Thousandths as a percentage.
pub fn percent(per_mille: u64) -> String {
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

/// Thousandths as a number.
pub fn thousandths(count: u64) -> String {
    format!("{}.{:03}", count / 1000, count % 1000)
}

/// Writes columns as wide as their widest cell: the first to the left, figures to the right.
///
/// # Errors
/// Where it cannot be written.
pub fn write_table<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    rows: &[[String; N]],
) -> fmt::Result {
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
    use super::{ms, per_mille, percent, thousandths};

    #[test]
    fn figures_are_shown_without_rounding_up() {
        assert_eq!(
            (ms(0).as_str(), ms(12_349).as_str(), ms(1_000_007).as_str()),
            ("0.00", "12.34", "1000.00")
        );
        let shown = (percent(per_mille(5_118, 16_500)), percent(per_mille(1, 0)));
        assert_eq!(shown, ("31.0 %".to_owned(), "100.0 %".to_owned()));
        let shown = (thousandths(per_mille(3_853, 465)), thousandths(31));
        assert_eq!(shown, ("8.286".to_owned(), "0.031".to_owned()));
    }
}
