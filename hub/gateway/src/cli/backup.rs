//! `takmil backup`: a copy of the database while the hub works, with a manifest by which a restore proves itself.

use std::path::{Path, PathBuf};

use clap::Args;
use takmil_store::{DatabaseUrl, Figures, Place, copy_file, server_version};
use tempfile::TempDir;

use super::{ConfigFile, Exit, Fatal};
use crate::backup::postgres::{self, Programs, Until};
use crate::backup::{Database, Manifest, SQLITE_COPY, digests, keys, make_folder, parent};
use crate::clock;
use crate::config::Config;

/// Where to, and how.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder, made where it is missing; it must be empty.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// How pg_basebackup enters PostgreSQL, as libpq has it: "host=… user=…" or "service=…", a role that may replicate.
    /// Where it is missing: the server of the configured address, and PGUSER. A password comes from ~/.pgpass or a
    /// service file.
    #[arg(long, value_name = "CONNINFO")]
    replication: Option<String>,
    /// The folder with PostgreSQL's programs; where Debian has them, or the search path, where it is missing.
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

/// Backs up, and says what.
pub(super) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    let config = arguments.config.load()?;
    if config.store.is_missing() {
        return Err(format!("there is no store in {}", config.store.path.display()).into());
    }
    make_folder(&arguments.to)?;
    let at = clock::now().to_string();
    let (database, figures, names) = match config.store.place()? {
        Place::Postgres { url, .. } => of_server(&arguments, &url).await?,
        Place::File(path) => of_file(&path, &arguments.to).await?,
        Place::Temporary => return Err("a temporary store is gone with its hub".into()),
    };
    let manifest = Manifest {
        takmil: env!("CARGO_PKG_VERSION").to_owned(),
        at,
        database,
        keys: keys::needed(&config, figures.log.key.as_deref())?,
        files: digests(&arguments.to, names)?,
        figures,
    };
    manifest.write(&arguments.to)?;
    print(&manifest, &arguments.to, &config, json)?;
    // A backup of what is wrong is better than none, but nobody is to think that it is sound.
    Ok(match manifest.figures.ledger.differences {
        0 => Exit::Well,
        _ => Exit::Refused,
    })
}

type Taken = (Database, Figures, Vec<String>);

async fn of_file(path: &Path, to: &Path) -> Result<Taken, Fatal> {
    let copy = to.join(SQLITE_COPY);
    copy_file(path, &copy).await?;
    let figures = Figures::of_file(&copy).await?;
    Ok((Database::Sqlite, figures, vec![SQLITE_COPY.to_owned()]))
}

/// What a base backup comes to is known when it is put back: it is, once, beside the backup, and thrown away.
async fn of_server(arguments: &Arguments, url: &DatabaseUrl) -> Result<Taken, Fatal> {
    let shown = url.shown().ok_or("the database's address is none")?;
    let version = server_version(url).await?;
    let programs = Programs::of(version, arguments.pg_bin.as_deref())?;
    let to = &arguments.to;
    programs.back_up(&shown, arguments.replication.as_deref(), to)?;
    let (name, role) = (shown.database, shown.role);
    let rehearsal = TempDir::with_prefix_in(".takmil-rehearsal-", parent(to))?;
    postgres::give(rehearsal.path())?;
    let data = rehearsal.path().join("data");
    programs.unpack(to, &data)?;
    let private = programs.start(&data, Until::Rehearsed)?;
    let figures = Figures::of_server(&private.url(&name, &role)?).await?;
    private.stop()?;
    let database = Database::Postgres {
        version,
        name,
        role,
    };
    Ok((database, figures, postgres::files().collect()))
}

fn print(manifest: &Manifest, to: &Path, config: &Config, json: bool) -> Result<(), Fatal> {
    if json {
        println!("{}", serde_json::to_string(manifest)?);
        return Ok(());
    }
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let rows: u64 = manifest.figures.rows.values().sum();
    let log = &manifest.figures.log;
    println!(
        "{}: {rows} rows, {} MiB, as of {}",
        to.display(),
        bytes >> 20,
        manifest.at
    );
    println!("log: {} entries, root {}", log.size, log.root);
    println!("keep apart from it, for no restore works without:");
    for key in &manifest.keys {
        println!(
            "  {:?}: {} ({})",
            key.what,
            key.file.display(),
            key.fingerprint
        );
    }
    let erased = config.store.erased_file();
    println!("  and the list of erased members: {}", erased.display());
    if manifest.figures.ledger.differences > 0 {
        println!("NOT SOUND: limits differ from their ledger; takmil doctor says which");
    }
    Ok(())
}
