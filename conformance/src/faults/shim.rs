//! The preloaded library that makes disk and clock fail: built at run time by the machine's C compiler, steered by a
//! file that it maps. What it does stands at its head, in shim.c.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// The library.
const SOURCE: &str = include_str!("shim.c");

/// The numbers of the steering file, in their order: `struct control` of shim.c.
#[derive(Debug, Clone, Copy)]
enum Number {
    ClockShift,
    Failing,
    Passing,
    Failures,
    Error,
    Failed,
    Lying,
    SyncMicros,
    Dying,
}

/// How many there are.
const NUMBERS: usize = 9;

/// How long a sync takes: long enough that commits are grouped, and that many are under way when the power goes.
const SYNC_MICROS: i64 = 3_000;

/// Which calls fail, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) calls: Calls,
    pub(super) errno: Errno,
    /// How many calls pass first.
    pub(super) passing: i64,
    /// How many fail then.
    pub(super) failures: i64,
}

/// Which calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    Writes,
    Syncs,
    Both,
}

/// What a disk says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errno {
    /// It could not be read or written.
    InputOutput,
    /// There is no room.
    NoSpace,
}

/// The library, built, with its steering file and its journal. It watches one folder.
#[derive(Debug)]
pub(super) struct Shim {
    library: PathBuf,
    watched: PathBuf,
    journal: PathBuf,
    control_path: PathBuf,
    control: File,
}

impl Shim {
    /// Builds the library in `folder`, to watch `watched`.
    pub(super) fn build(folder: &Path, watched: &Path) -> Result<Shim, Error> {
        let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
        let (journal, control_path) = (folder.join("journal"), folder.join("control"));
        fs::write(&source, SOURCE).map_err(Error::at(&source))?;
        let built = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-pthread", "-o"])
            .args([&library, &source])
            .output()
            .map_err(|source| Error::Command {
                command: "cc".to_owned(),
                said: source.to_string(),
            })?;
        if !built.status.success() {
            return Err(Error::Command {
                command: "cc".to_owned(),
                said: String::from_utf8_lossy(&built.stderr).into_owned(),
            });
        }
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&control_path);
        let control = opened.map_err(Error::at(&control_path))?;
        let zeros = [0; NUMBERS * 8];
        let written = control.write_all_at(&zeros, 0);
        written.map_err(Error::at(&control_path))?;
        let shim = Shim {
            library,
            watched: watched.to_path_buf(),
            journal,
            control_path,
            control,
        };
        shim.forget()?;
        shim.set(Number::SyncMicros, SYNC_MICROS)?;
        Ok(shim)
    }

    /// What a process needs in its environment to run under it.
    pub(super) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("LD_PRELOAD", self.library.clone()),
            ("TAKMIL_FAULTS_FOLDER", self.watched.clone()),
            ("TAKMIL_FAULTS_JOURNAL", self.journal.clone()),
            ("TAKMIL_FAULTS_CONTROL", self.control_path.clone()),
        ]
    }

    /// Where it notes what happens.
    pub(super) fn journal(&self) -> &Path {
        &self.journal
    }

    /// Begins the journal anew.
    pub(super) fn forget(&self) -> Result<(), Error> {
        fs::write(&self.journal, []).map_err(Error::at(&self.journal))
    }

    /// Makes calls fail from now on.
    pub(super) fn break_down(&self, fault: Fault) -> Result<(), Error> {
        // The calls are named last, so that none fails by half of a new order.
        self.set(Number::Failing, 0)?;
        self.set(Number::Failed, 0)?;
        self.set(Number::Passing, fault.passing)?;
        self.set(Number::Failures, fault.failures)?;
        self.set(Number::Error, fault.errno.number())?;
        self.set(
            Number::Failing,
            match fault.calls {
                Calls::Writes => 1,
                Calls::Syncs => 2,
                Calls::Both => 3,
            },
        )
    }

    /// Ends a fault.
    pub(super) fn mend(&self) -> Result<(), Error> {
        self.set(Number::Failing, 0)
    }

    /// How many calls have failed since the last fault began.
    pub(super) fn failed(&self) -> Result<i64, Error> {
        let mut bytes = [0; 8];
        self.control
            .read_exact_at(&mut bytes, place(Number::Failed))
            .map_err(Error::at(&self.control_path))?;
        Ok(i64::from_le_bytes(bytes))
    }

    /// Has syncs tell that they are done, and do nothing.
    pub(super) fn lie(&self) -> Result<(), Error> {
        self.set(Number::Lying, 1)
    }

    /// Has the process die when it has changed or synced its files so many times.
    pub(super) fn die_after(&self, calls: i64) -> Result<(), Error> {
        self.set(Number::Dying, calls)
    }

    /// Shifts the wall clock against the machine's.
    pub(super) fn shift_clock(&self, milliseconds: i64) -> Result<(), Error> {
        self.set(Number::ClockShift, milliseconds.saturating_mul(1_000_000))
    }

    fn set(&self, number: Number, value: i64) -> Result<(), Error> {
        self.control
            .write_all_at(&value.to_le_bytes(), place(number))
            .map_err(Error::at(&self.control_path))
    }
}

fn place(number: Number) -> u64 {
    number as u64 * 8
}

impl Errno {
    /// Its number on Linux.
    const fn number(self) -> i64 {
        match self {
            Errno::InputOutput => 5,
            Errno::NoSpace => 28,
        }
    }
}
