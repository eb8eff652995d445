//! A backup as it lies in its folder: the copy of the database, and beside it a manifest that says what it is, by what
//! figures it is known again, and which keys a restore will need. No key is ever in it.

pub(crate) mod keys;
pub(crate) mod postgres;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use indicatif::ProgressBar;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use takmil_store::Figures;

use crate::cli::Fatal;

/// The manifest, and its own digest as `sha256sum -c` reads it. A folder without both is no backup: they are written
/// last.
pub(crate) const MANIFEST: &str = "manifest.json";
const MANIFEST_SUM: &str = "manifest.json.sha256";

/// The copy of a file of SQLite.
pub(crate) const SQLITE_COPY: &str = "takmil.db";

/// Bytes of a manifest; a longer file is something else.
const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// How much of a file is read at once.
const STRETCH: usize = 1 << 20;

/// What a backup is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of the hub that made it.
    pub(crate) takmil: String,
    /// When it was begun.
    pub(crate) at: String,
    /// What it is a backup of.
    pub(crate) database: Database,
    /// By which what is restored is known again.
    pub(crate) figures: Figures,
    /// The keys that a restore will need, and the hub after it.
    pub(crate) keys: Vec<keys::Needed>,
    /// Every file but the manifest's own.
    pub(crate) files: Vec<Kept>,
}

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Database {
    /// A file of SQLite.
    Sqlite,
    /// The whole of a PostgreSQL server, the hub's database among it.
    Postgres {
        /// The major version, whose programs alone read it.
        version: u32,
        /// The hub's database.
        name: String,
        /// The role that owns the hub's tables.
        role: String,
    },
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Its path in the folder.
    pub(crate) name: String,
    /// Its length.
    pub(crate) bytes: u64,
    /// SHA-256 of its contents, in hexadecimal.
    pub(crate) sha256: String,
}

/// Why a backup or a restore was refused, though it could have been run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refusal(pub(crate) String);

/// Makes a folder that nobody else reads; one that is there must be empty.
///
/// # Errors
/// [`Refusal`] if it holds something.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Fatal> {
    if !is_vacant(folder)? {
        let told = format!("{} holds something already", folder.display());
        return Err(Refusal(told).into());
    }
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    Ok(made.map_err(|error| at(folder, error))?)
}

/// Whether nothing is there, or an empty folder.
pub(crate) fn is_vacant(place: &Path) -> Result<bool, Fatal> {
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(at(place, error).into()),
        Ok(found) if found.is_dir() => {
            let mut entries = fs::read_dir(place).map_err(|error| at(place, error))?;
            Ok(entries.next().is_none())
        }
        Ok(_) => Ok(false),
    }
}

impl Manifest {
    /// Writes the manifest, which makes the folder a backup. Every file is on the disk before.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Fatal> {
        for file in &self.files {
            sync(&folder.join(&file.name))?;
        }
        let text = serde_json::to_string_pretty(self)?;
        let sum = hex(takmil_domain::digest::sha256(text.as_bytes()));
        let sum = format!("{sum}  {MANIFEST}\n");
        for (name, text) in [(MANIFEST_SUM, sum), (MANIFEST, text)] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| at(&path, error))?;
            sync(&path)?;
        }
        sync(folder)
    }

    /// Reads the manifest of a backup, and holds every file against it.
    ///
    /// # Errors
    /// [`Refusal`] if there is none, or a byte is not as it was.
    pub(crate) fn checked(folder: &Path) -> Result<Manifest, Fatal> {
        let no_backup = |why: &str| Refusal(format!("{} is no backup: {why}", folder.display()));
        let text = limited(&folder.join(MANIFEST)).map_err(|_| no_backup("it has no manifest"))?;
        let sum = limited(&folder.join(MANIFEST_SUM))
            .map_err(|_| no_backup("its manifest has no digest"))?;
        if sum.split(' ').next() != Some(&hex(takmil_domain::digest::sha256(text.as_bytes()))) {
            return Err(Refusal(format!("{MANIFEST} was changed")).into());
        }
        let manifest: Manifest =
            serde_json::from_str(&text).map_err(|_| no_backup("its manifest cannot be read"))?;
        for kept in &manifest.files {
            let path = Path::new(&kept.name);
            let inside = path
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            if !inside {
                return Err(no_backup("a file lies outside of it").into());
            }
        }
        let names = manifest.files.iter().map(|kept| kept.name.clone());
        let found = digests(folder, names.collect())?;
        for (kept, found) in manifest.files.iter().zip(&found) {
            if kept != found {
                return Err(Refusal(format!("{} was changed", kept.name)).into());
            }
        }
        Ok(manifest)
    }
}

/// The digests of files of a folder. One that is not there has no bytes, and no digest.
///
/// # Errors
/// If one cannot be read although it is there.
pub(crate) fn digests(folder: &Path, names: Vec<String>) -> Result<Vec<Kept>, Fatal> {
    let progress = ProgressBar::new(0);
    let mut kept = Vec::with_capacity(names.len());
    for name in names {
        let path = folder.join(&name);
        let digest = match File::open(&path) {
            Ok(file) => digest(file, &progress).map_err(|error| at(&path, error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => (0, String::new()),
            Err(error) => return Err(at(&path, error).into()),
        };
        let (bytes, sha256) = digest;
        kept.push(Kept {
            name,
            bytes,
            sha256,
        });
    }
    progress.finish_and_clear();
    Ok(kept)
}

fn digest(mut file: File, progress: &ProgressBar) -> io::Result<(u64, String)> {
    progress.inc_length(file.metadata()?.len());
    let mut context = Context::new(&SHA256);
    let mut stretch = vec![0; STRETCH];
    let mut bytes = 0_u64;
    loop {
        let read = file.read(&mut stretch)?;
        let Some(some) = stretch.get(..read).filter(|some| !some.is_empty()) else {
            return Ok((bytes, hex(context.finish())));
        };
        context.update(some);
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        bytes = bytes.saturating_add(read);
        progress.inc(read);
    }
}

/// Bytes as sha256sum writes them.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digits = bytes.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

fn limited(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(MAX_MANIFEST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Brings a file, or the names in a folder, to the disk.
pub(crate) fn sync(path: &Path) -> Result<(), Fatal> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    Ok(synced.map_err(|error| at(path, error))?)
}

/// An error, with the path that it is about.
pub(crate) fn at(path: &Path, error: io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// The folder that a place is in.
pub(crate) fn parent(place: &Path) -> PathBuf {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
