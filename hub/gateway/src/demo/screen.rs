//! What a person sees while the demonstration runs: lines on standard output, a bar on standard error where that
//! is a terminal. Nothing of it where JSON is asked for.

use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Display;
use std::io::Write;

/// Where the demonstration is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    /// Whether only the JSON object is wanted.
    pub(super) json: bool,
}

impl Screen {
    /// Shows lines.
    pub(super) fn show(self, lines: impl Display) {
        if !self.json {
            print(lines);
        }
    }

    /// A bar over so many steps; it clears itself when it is dropped.
    pub(super) fn progress(self, what: &str, steps: usize) -> Progress {
        let bar = match self.json {
            true => ProgressBar::hidden(),
            false => ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX)),
        };
        if let Ok(style) = ProgressStyle::with_template("  {msg} {bar:30} {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Progress(bar)
    }
}

/// Prints lines. Who has closed the pipe does not want them.
pub(super) fn print(lines: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{lines}").and_then(|()| out.flush());
}

/// A bar that is under way.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// One step more.
    pub(super) fn step(&self) {
        self.0.inc(1);
    }

    /// So many steps in all are done.
    pub(super) fn at(&self, done: usize) {
        self.0.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
