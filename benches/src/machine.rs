//! On what a run was made: figures without it mean nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::disk;

/// The machine, the disk and the program of a run, as far as they can be told.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: Option<String>,
    /// How many of its cores the generator and the hub share.
    pub cores: usize,
    /// The kernel.
    pub kernel: Option<String>,
    /// The kind of file system under the database.
    pub file_system: Option<String>,
    /// What the hub's binary says of itself.
    pub hub: Option<String>,
    /// The source that the working folder holds.
    pub commit: Option<String>,
}

impl Machine {
    /// Looks around. `hub` is the folder of its database and its binary, where the run has a hub of its own.
    pub fn look(hub: Option<(&Path, &Path)>) -> Machine {
        let text = |path: &str| fs::read_to_string(path).ok();
        Machine {
            processor: text("/proc/cpuinfo").as_deref().and_then(processor),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: text("/proc/sys/kernel/osrelease").map(|release| release.trim().to_owned()),
            file_system: hub.and_then(|(folder, _)| disk::file_system(folder)),
            hub: hub.and_then(|(_, binary)| said(Command::new(binary).arg("--version"))),
            commit: said(Command::new("git").args(["describe", "--always", "--dirty"])),
        }
    }
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

/// What a command prints, where it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
