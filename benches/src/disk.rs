//! What the disk under a folder can do: the ceiling of everything that is durable.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;

/// How much is written before each wait for the disk: a page of the database.
const PAGE: [u8; 4096] = [0x5a; 4096];

/// How often a second a page can be appended to a file in `folder` and be durable, measured over `window`.
///
/// # Errors
/// [`Error::File`] where the folder cannot be written.
pub fn syncs_per_second(folder: &Path, window: Duration) -> Result<u64, Error> {
    let path = folder.join("fdatasync");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(Error::file(&path))?;
    let start = Instant::now();
    let mut syncs = 0_u64;
    while start.elapsed() < window {
        file.write_all(&PAGE).map_err(Error::file(&path))?;
        file.sync_data().map_err(Error::file(&path))?;
        syncs += 1;
    }
    let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    fs::remove_file(&path).map_err(Error::file(&path))?;
    Ok(syncs.saturating_mul(1000) / took_ms.max(1))
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
    use super::{kind_of, syncs_per_second};
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
        assert!(syncs_per_second(folder.path(), Duration::from_millis(20)).unwrap() > 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
