//! What the disk under a folder can do: the ceiling of everything that is durable.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::Error;
use crate::latency::Latencies;

/// How much is written before each wait for the disk: a page of the database.
const PAGE: [u8; 4096] = [0x5a; 4096];

/// How soon a page appended to a file is durable, one after the other.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Syncs {
    /// How many a second.
    pub per_second: u64,
    /// How long one took on average, in microseconds.
    pub mean_us: u64,
    /// How long each took, in microseconds.
    pub latency_us: Latencies,
}

/// Appends pages to a file in `folder` for `window`, each durable (`fdatasync`) before the next.
///
/// # Errors
/// [`Error::File`] where the folder cannot be written.
pub fn syncs(folder: &Path, window: Duration) -> Result<Syncs, Error> {
    let path = folder.join("fdatasync");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(Error::file(&path))?;
    let start = Instant::now();
    let mut took = Vec::new();
    while took.is_empty() || start.elapsed() < window {
        let one = Instant::now();
        file.write_all(&PAGE).map_err(Error::file(&path))?;
        file.sync_data().map_err(Error::file(&path))?;
        took.push(u64::try_from(one.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    fs::remove_file(&path).map_err(Error::file(&path))?;
    let count = u64::try_from(took.len()).unwrap_or(u64::MAX);
    let mean_us = took.iter().sum::<u64>() / count.max(1);
    Ok(Syncs {
        mean_us,
        per_second: count.saturating_mul(1000) / took_ms.max(1),
        latency_us: Latencies::of(took).unwrap_or_default(),
    })
}

/// How many bytes a file or a folder with all its files takes on the disk.
pub fn bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    // What goes away while it is looked at has no size.
    let Ok(own) = fs::symlink_metadata(path) else {
        return 0;
    };
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    let inside: u64 = inside.map(|entry| bytes(&entry.path())).sum();
    inside + own.blocks() * 512
}

/// The kind of file system that `folder` is on, where the kernel tells it.
pub fn file_system(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    kind_of(&folder, &fs::read_to_string("/proc/self/mounts").ok()?)
}

/// The kind of the mount that holds `folder`: of all whose place is above it the deepest, and of several there
/// the last, which lies on top.
fn kind_of(folder: &Path, mounts: &str) -> Option<String> {
    let mount = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        folder.starts_with(&place).then_some((place.len(), kind))
    };
    let above = mounts.lines().filter_map(mount);
    above
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

/// Whether what is written to a file system of this kind stays in memory, so that waiting for it means nothing.
pub fn is_memory(kind: &str) -> bool {
    matches!(kind, "tmpfs" | "ramfs")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{bytes, kind_of, syncs};
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn a_folder_is_on_the_deepest_mount_above_it() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmp/disk xfs rw 0 0\n";
        let check = |folder: &str, kind: &str| {
            assert_eq!(kind_of(Path::new(folder), mounts).as_deref(), Some(kind))
        };
        check("/srv/hub", "ext4");
        check("/tmp/run", "tmpfs");
        check("/tmp/disk/run", "xfs");
        check("/tmpfiles", "ext4");
    }

    #[test]
    fn pages_are_written_and_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let found = syncs(folder.path(), Duration::from_millis(20)).unwrap();
        assert!(found.per_second > 0 && found.latency_us.p50 <= found.latency_us.max);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_takes_what_its_files_take() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("file"), vec![7; 100_000]).unwrap();
        assert!((100_000..200_000).contains(&bytes(folder.path())));
        assert_eq!(bytes(&folder.path().join("none")), 0);
    }
}
