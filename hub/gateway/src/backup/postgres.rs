//! PostgreSQL's own tools: the base backup, and a server started on one privately, behind a socket that nobody else
//! reaches, until what it holds is proven.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use takmil_store::{DatabaseUrl, ShownUrl};
use tempfile::TempDir;

use super::{Refusal, at};
use crate::cli::Fatal;

/// Where Debian puts the programs of a version, beside the search path.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Who runs a server where this process is root, as which PostgreSQL refuses to run.
const ACCOUNT: &str = "postgres";

/// The folder of a backup that pg_basebackup fills, and what it fills it with.
const BASE: &str = "base";
const FILES: &[&str] = &["base.tar", "pg_wal.tar", "backup_manifest"];

/// How often a private server is asked whether it is there. It replays for as long as it takes.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How many lines of a server's log are told where it did not start.
const TOLD_LINES: usize = 8;

/// Settings of a private server over whatever was backed up: it archives nothing, follows and waits for nobody, and is
/// reached by its socket alone.
const PRIVATE: &[&str] = &[
    "listen_addresses=",
    "port=5432",
    "ssl=off",
    "archive_mode=off",
    "primary_conninfo=",
    "synchronous_standby_names=",
    "shared_preload_libraries=",
    "logging_collector=off",
    "log_destination=stderr",
    "timezone=UTC",
    "hot_standby=off",
    "recovery_target=",
    "recovery_target_name=",
    "recovery_target_lsn=",
    "recovery_target_xid=",
    "recovery_target_time=",
    "recovery_target_timeline=latest",
    "recovery_target_action=promote",
];

/// How far a server replays its log.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until<'a> {
    /// To the end of the base backup, which holds all it needs.
    Backup,
    /// The same, on a copy that is thrown away: nothing of it has to reach the disk.
    Rehearsed,
    /// To a moment, in PostgreSQL's own words, or to the end, with what was archived in a folder.
    Archived {
        /// Where.
        archive: &'a Path,
        /// The moment; the end of the archive where there is none.
        time: Option<&'a str>,
    },
}

/// The programs of one major version.
#[derive(Debug)]
pub(crate) struct Programs {
    bin: PathBuf,
}

impl Programs {
    /// Finds them: in the folder that is named, or Debian's, or the search path.
    ///
    /// # Errors
    /// If they are not there.
    pub(crate) fn of(version: u32, named: Option<&Path>) -> Result<Programs, Fatal> {
        let debian = Path::new(VERSIONS).join(version.to_string()).join("bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let searched = std::env::split_paths(&path).collect::<Vec<_>>();
        let folders = match named {
            Some(named) => vec![named.to_owned()],
            None => [debian].into_iter().chain(searched).collect(),
        };
        let found = folders.into_iter().map(|bin| Programs { bin });
        let mut fitting = found.filter(|programs| programs.version() == Some(version));
        let none = || {
            format!(
                "the programs of PostgreSQL {version} are not here (Debian's package postgresql-{version}, or --pg-bin DIR)"
            )
        };
        Ok(fitting.next().ok_or_else(none)?)
    }

    /// The major version, by what the server says of itself: "postgres (PostgreSQL) 15.13 (Debian …)".
    fn version(&self) -> Option<u32> {
        let told = Command::new(self.bin.join("postgres"))
            .arg("--version")
            .output();
        let text = String::from_utf8(told.ok()?.stdout).ok()?;
        let number = text.split(' ').nth(2)?;
        let digits = number.split(|letter: char| !letter.is_ascii_digit());
        digits.into_iter().next()?.parse().ok()
    }

    /// Takes a base backup into a folder, with the log that it needs, while the server works.
    ///
    /// It enters as `connection` says, in libpq's words, else at the server of the hub's own address with the name that
    /// libpq finds; a password comes from where libpq looks for it.
    ///
    /// # Errors
    /// If it cannot be taken; with what pg_basebackup says.
    pub(crate) fn back_up(
        &self,
        server: &ShownUrl,
        connection: Option<&str>,
        folder: &Path,
    ) -> Result<(), Fatal> {
        let own = format!("host={} port={}", quoted(&server.host), server.port);
        let base = folder.join(BASE);
        let done = Command::new(self.bin.join("pg_basebackup"))
            .args(["--format=tar", "--wal-method=stream", "--checkpoint=fast"])
            .args(["--manifest-checksums=SHA256", "--no-password"])
            .args(["--label=takmil", "--dbname", connection.unwrap_or(&own)])
            .arg("--pgdata")
            .arg(&base)
            .output();
        said("pg_basebackup", done)?;
        for entry in fs::read_dir(&base).map_err(|error| at(&base, error))? {
            let name = entry.map_err(|error| at(&base, error))?.file_name();
            if !FILES.iter().any(|known| name == *known) {
                let told = "the server has tablespaces of its own, which this command does not put back; take the backup with pg_basebackup";
                return Err(Refusal(told.to_owned()).into());
            }
        }
        Ok(())
    }

    /// Puts a base backup into a folder that is not there yet, and holds every file of it against the server's own
    /// list.
    ///
    /// # Errors
    /// If it cannot be put there, or is not as it was.
    pub(crate) fn unpack(&self, backup: &Path, data: &Path) -> Result<(), Fatal> {
        own_folder(data)?;
        for (name, to) in [("base.tar", data), ("pg_wal.tar", &data.join("pg_wal"))] {
            let archive = backup.join(BASE).join(name);
            let file = File::open(&archive).map_err(|error| at(&archive, error))?;
            let mut tar = as_account(Path::new("tar"));
            let done = tar.args(["-xf", "-", "-C"]).arg(to).stdin(file).output();
            said("tar", done)?;
        }
        let done = Command::new(self.bin.join("pg_verifybackup"))
            .args(["--exit-on-error", "--quiet", "--manifest-path"])
            .arg(backup.join(BASE).join("backup_manifest"))
            .arg(data)
            .output();
        said("pg_verifybackup", done)
    }

    /// Starts a server on a base backup that was put in place, lets it replay, and waits until it serves.
    ///
    /// # Errors
    /// If it does not; with the last that it says.
    pub(crate) fn start<'p>(&'p self, data: &Path, until: Until<'_>) -> Result<Private<'p>, Fatal> {
        let folder = TempDir::with_prefix("takmil-pg-")?;
        let place = folder.path();
        for (name, text) in [
            ("postgresql.conf", ""),
            ("pg_hba.conf", "local all all trust\n"),
            ("pg_ident.conf", ""),
            ("log", ""),
        ] {
            fs::write(place.join(name), text)?;
            fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o644))?;
        }
        give(place)?;
        // An empty file tells the server to recover from an archive; it takes the file away when it has done.
        let signal = data.join("recovery.signal");
        File::create(&signal).map_err(|error| at(&signal, error))?;
        give(&signal)?;
        let log = File::options().append(true).open(place.join("log"))?;
        let mut server = bound_to_us(&self.bin.join("postgres"));
        server.arg("-D").arg(data);
        for setting in PRIVATE {
            server.args(["-c", setting]);
        }
        for (name, file) in [
            ("config_file", "postgresql.conf"),
            ("hba_file", "pg_hba.conf"),
            ("ident_file", "pg_ident.conf"),
            ("unix_socket_directories", ""),
        ] {
            let value = place.join(file);
            let value = value.display().to_string();
            server.args(["-c", &format!("{name}={}", value.trim_end_matches('/'))]);
        }
        for setting in until.settings() {
            server.args(["-c", &setting]);
        }
        let child = server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let mut private = Private {
            programs: self,
            data: data.to_owned(),
            folder,
            child: Some(child),
        };
        private.wait()?;
        Ok(private)
    }
}

impl Until<'_> {
    fn settings(self) -> Vec<String> {
        match self {
            // Nothing is fetched: what it needs lies beside it.
            Until::Backup => ["recovery_target=immediate", "restore_command=false"]
                .map(str::to_owned)
                .to_vec(),
            Until::Rehearsed => {
                let mut settings = Until::Backup.settings();
                settings.push("fsync=off".to_owned());
                settings
            }
            Until::Archived { archive, time } => {
                let time = time.map(|time| format!("recovery_target_time={time}"));
                let fetch = format!("restore_command={}", fetch(archive));
                time.into_iter().chain([fetch]).collect()
            }
        }
    }
}

/// The files of a base backup, by their paths in the backup's folder.
pub(crate) fn files() -> impl Iterator<Item = String> {
    FILES.iter().map(|name| format!("{BASE}/{name}"))
}

/// The command by which a server fetches a file of its log.
fn fetch(archive: &Path) -> String {
    // For the shell, within which %f and %p are the server's.
    let archive = archive.display().to_string().replace('%', "%%");
    format!("cp '{}'/%f \"%p\"", archive.replace('\'', r"'\''"))
}

/// A server of this process's own. Dropped, it is stopped at once.
#[derive(Debug)]
pub(crate) struct Private<'p> {
    programs: &'p Programs,
    data: PathBuf,
    /// Its socket, settings and log.
    folder: TempDir,
    child: Option<Child>,
}

impl Private<'_> {
    /// The address of a database, for a role.
    ///
    /// # Errors
    /// If names and folders make none.
    pub(crate) fn url(&self, database: &str, role: &str) -> Result<DatabaseUrl, Fatal> {
        let folder = self.folder.path().display();
        let url = format!(
            "postgres://{}@localhost:5432/{}?host={folder}",
            percent(role),
            percent(database)
        );
        Ok(DatabaseUrl::parse(&url).ok_or("no address of the private server")?)
    }

    /// Waits until it serves.
    fn wait(&mut self) -> Result<(), Fatal> {
        let ready = |folder: &Path| {
            let mut asks = Command::new(self.programs.bin.join("pg_isready"));
            let asks = asks.args(["-q", "-p", "5432", "-h"]).arg(folder);
            asks.status().is_ok_and(|status| status.success())
        };
        while !ready(self.folder.path()) {
            let ended = self.child.as_mut().map(Child::try_wait).transpose()?;
            if ended.flatten().is_some() {
                self.child = None;
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let told = lines.get(lines.len().saturating_sub(TOLD_LINES)..);
                let told = told.unwrap_or_default().join("\n  ");
                return Err(format!("PostgreSQL does not come up on the backup:\n  {told}").into());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Stops it, with everything on the disk.
    ///
    /// # Errors
    /// If it does not stop as it should.
    pub(crate) fn stop(mut self) -> Result<(), Fatal> {
        self.tell_to_stop("fast")?;
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }

    fn tell_to_stop(&self, mode: &str) -> Result<(), Fatal> {
        let mut stops = as_account(&self.programs.bin.join("pg_ctl"));
        let stops = stops.args([
            "stop",
            "--silent",
            "--wait",
            "--timeout=600",
            "--mode",
            mode,
        ]);
        said("pg_ctl", stops.arg("-D").arg(&self.data).output())
    }
}

impl Drop for Private<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // What cannot be told to stop is ended; its helpers see that and end, too.
            if self.tell_to_stop("immediate").is_err() {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
    }
}

/// A folder that a server takes for its own.
fn own_folder(folder: &Path) -> Result<(), Fatal> {
    fs::create_dir(folder).map_err(|error| at(folder, error))?;
    let mode = fs::Permissions::from_mode(0o700);
    fs::set_permissions(folder, mode).map_err(|error| at(folder, error))?;
    give(folder)
}

/// Gives a file or folder to the account that runs servers.
pub(crate) fn give(path: &Path) -> Result<(), Fatal> {
    if is_root() {
        let (user, group) = account()?;
        chown(path, Some(user), Some(group)).map_err(|error| at(path, error))?;
    }
    Ok(())
}

/// Who runs servers: user and group.
fn account() -> Result<(u32, u32), Fatal> {
    let id = |what: &str| -> Result<u32, Fatal> {
        let told = Command::new("id").args([what, ACCOUNT]).output()?;
        let number = String::from_utf8_lossy(&told.stdout).trim().parse();
        Ok(number.map_err(|_| format!("there is no account {ACCOUNT}"))?)
    };
    Ok((id("-u")?, id("-g")?))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A program, as an account that PostgreSQL accepts.
fn as_account(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    with_account(&mut command);
    command.arg(program);
    command
}

/// The same for a server, which is told to stop if this process ends in whatever way.
fn bound_to_us(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        with_account(&mut command);
    }
    command.arg("--pdeathsig=INT").arg(program);
    command
}

fn with_account(setpriv: &mut Command) {
    setpriv.arg(format!("--reuid={ACCOUNT}"));
    setpriv.arg(format!("--regid={ACCOUNT}"));
    setpriv.arg("--init-groups").current_dir("/");
}

fn said(program: &str, done: std::io::Result<Output>) -> Result<(), Fatal> {
    let output = done.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} has failed: {}", told.trim_end()).into())
}

/// A value of libpq's `name=value`.
fn quoted(value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('\'', r"\'");
    format!("'{value}'")
}

/// A part of a URL.
fn percent(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_their_readers_take_them() {
        assert_eq!(fetch(Path::new("/a")), "cp '/a'/%f \"%p\"");
        assert_eq!(fetch(Path::new("/it's 5%")), r#"cp '/it'\''s 5%%'/%f "%p""#);
        assert_eq!(quoted(r"it's\"), r"'it\'s\\'");
        assert_eq!(percent("a b@c"), "a%20b%40c");
    }
}
