//! A secret in a file of its own: written once, whole or not at all, for its owner alone.

use std::fs::File;
use std::io::{Error, ErrorKind, Write as _};
use std::path::Path;

/// Writes a secret to a file that was not there before; when this returns, it outlives a power cut.
///
/// Of several who write at the same time one does, and nobody ever reads a part of it: the file gets its name when
/// all of it is on the disk.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] where there is such a file, which stays as it is; else if it cannot be written.
pub fn write_secret(path: &Path, secret: &[u8]) -> Result<(), Error> {
    // Nobody needs the right to write beside a file that is there.
    if path.try_exists()? {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let mut fresh = tempfile::NamedTempFile::new_in(folder_of(path))?;
    fresh.write_all(secret)?;
    fresh.as_file().sync_all()?;
    // A rename would write over what another has made meanwhile; a second name does not.
    std::fs::hard_link(fresh.path(), path)?;
    fresh.close()?;
    sync_folder_of(path)
}

/// Makes the names in a file's folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), Error> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn of_many_who_write_one_does_and_nobody_reads_a_part() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..100 {
            let path = folder.path().join(format!("{round}.key"));
            let write = |writer: u8| {
                let path = &path;
                move || {
                    let written = write_secret(path, &[writer; 64]);
                    let found = std::fs::read(path).unwrap();
                    (written, found)
                }
            };
            let results: Vec<_> = std::thread::scope(|scope| {
                let writers: Vec<_> = (1..=4).map(|writer| scope.spawn(write(writer))).collect();
                writers
                    .into_iter()
                    .map(|writer| writer.join().unwrap())
                    .collect()
            });
            let won = results.iter().filter(|(written, _)| written.is_ok());
            assert_eq!(won.count(), 1);
            for (written, found) in &results {
                assert_eq!((found.len(), found), (64, &results[0].1));
                let error = written.as_ref().err().map(Error::kind);
                assert!(matches!(error, None | Some(ErrorKind::AlreadyExists)));
            }
            let kept = path.metadata().unwrap();
            assert_eq!((kept.mode() & 0o777, kept.nlink()), (0o600, 1));
        }
        let files = folder.path().read_dir().unwrap().count();
        assert_eq!(files, 100, "nothing is left beside them");
    }
}
