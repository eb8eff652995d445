//! `takmil audit`: the tamper-evident log on the command line. Its key, its export, and, in this file, the verifier:
//! whether a log that was exported is one history that nobody has changed. It needs the log's files and keys to trust, and
//! neither a store nor a secret of the hub.

mod export;
mod key;

use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread::Scope;
use takmil_domain::audit::{
    Asset, Bundle, Checkpoint, Evidence, Finding, KEPT, KeptCheckpoint, LATEST, MAX_NOTE_BYTES,
    Note, NoteFault, Piece, Policy, Receipt, Report, Tile, Verdict, verify,
};

use super::{Exit, Fatal};

/// What to do with the tamper-evident log.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks an exported log offline: every hash, number, tile, checkpoint and signature.
    Verify(Arguments),
    /// Writes the log into a folder, for whoever verifies it.
    Export(export::Arguments),
    /// Makes the log's key, and shows the policy by which others trust it.
    Key(key::Arguments),
}

/// What to verify, and by what.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder that the log was exported to.
    #[arg(value_name = "TARGET")]
    target: PathBuf,
    /// Whom to trust: the log's keys, its witnesses and their quorum, as a policy of C2SP (`tlog-policy`). Take it
    /// from whom you trust, not from the export.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A checkpoint that you saw earlier; the log must be its continuation. May be given several times.
    #[arg(long, value_name = "FILE", visible_alias = "checkpoint")]
    since: Vec<PathBuf>,
    /// A receipt, or an answer with its receipt: what it promises must be in the log. May be given several times.
    #[arg(long, value_name = "FILE")]
    receipt: Vec<PathBuf>,
}

/// A receipt alone, or an answer that has one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Held {
    Receipt(Receipt),
    Answer { receipt: Receipt },
}

/// Bytes of a file that a person gives: a receipt, a policy. Larger ones are something else.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Bytes of a bundle: 256 entries of the greatest length, each after its length.
const MAX_BUNDLE_BYTES: u64 = 256 * (2 + 65_535);

/// Bytes of a line with a checkpoint: JSON spells a character in up to six.
const MAX_LINE_BYTES: usize = 6 * MAX_NOTE_BYTES;

/// How many results wait for their turn at each worker, so that none is idle and memory stays bounded.
const WAITING: usize = 4;

/// Does it.
pub(super) async fn run(command: Command, json: bool) -> Result<Exit, Fatal> {
    match command {
        Command::Verify(arguments) => check(&arguments, json),
        Command::Export(arguments) => export::run(arguments, json).await,
        Command::Key(arguments) => key::run(&arguments, json),
    }
}

/// Verifies, and prints what it came to.
fn check(arguments: &Arguments, json: bool) -> Result<Exit, Fatal> {
    let policy = Policy::parse(&text(&arguments.key)?)
        .map_err(|fault| format!("{}: {fault}", arguments.key.display()))?;
    let since: Result<Vec<String>, Fatal> = arguments.since.iter().map(|path| text(path)).collect();
    let receipts: Result<Vec<Receipt>, Fatal> =
        arguments.receipt.iter().map(|path| receipt(path)).collect();
    let evidence = Evidence {
        policy: &policy,
        earlier: &since?,
        receipts: &receipts?,
    };
    let report = examine(&arguments.target, evidence)?;
    print(&report, json)?;
    Ok(match report.verdict {
        Verdict::Sound => Exit::Well,
        Verdict::Broken => Exit::Refused,
    })
}

/// Reads a file that a person gives.
fn text(path: &Path) -> Result<String, Fatal> {
    let cannot = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(MAX_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    Ok(text)
}

fn receipt(path: &Path) -> Result<Receipt, Fatal> {
    let held = serde_json::from_str(&text(path)?);
    match held.map_err(|_| format!("{} is no receipt and has none", path.display()))? {
        Held::Receipt(receipt) | Held::Answer { receipt } => Ok(receipt),
    }
}

/// Reads the export on all cores, and verifies it in order.
fn examine(target: &Path, evidence: Evidence<'_>) -> Result<Report, Fatal> {
    let latest = text(&target.join(LATEST))?;
    let kept_path = target.join(KEPT);
    let kept = File::open(&kept_path)
        .map_err(|error| format!("{} cannot be read: {error}", kept_path.display()))?;
    let files = Files {
        target,
        fault: Mutex::new(None),
    };
    // What the latest checkpoint says is not believed here: it only tells how far to read.
    let size = Note::parse(&latest)
        .and_then(|note| Checkpoint::parse(&note.text))
        .map_or(0, |checkpoint| checkpoint.size);
    let progress = ProgressBar::new(size);
    let report = std::thread::scope(|scope| {
        let checkpoint = |line: Option<String>| match line {
            Some(note) => evidence.policy.checkpoint(&note),
            None => Err(NoteFault::Malformed),
        };
        let heads = on_all_cores(scope, lines(kept, &files), checkpoint);
        let places = Tile::all(size).take_while(|tile| tile.level == 0);
        let pieces = on_all_cores(scope, places, |place| files.piece(place))
            .inspect(|piece| progress.inc(u64::from(piece.place.width)));
        verify(evidence, &latest, heads, pieces, |tile| {
            files.read(Asset::Hashes(tile))
        })
    });
    progress.finish_and_clear();
    match files.fault.into_inner() {
        Ok(None) => Ok(report),
        Ok(Some(fault)) => Err(fault.into()),
        Err(_) => Err("a reader of the export ended early".into()),
    }
}

/// The files of an export.
struct Files<'a> {
    target: &'a Path,
    /// The first that could not be read although it is there.
    fault: Mutex<Option<String>>,
}

impl Files<'_> {
    /// The bytes of a file; none where it is missing, or longer than any that is right.
    fn read(&self, asset: Asset) -> Option<Vec<u8>> {
        let path = self.target.join(asset.to_string());
        let mut bytes = Vec::new();
        let most = MAX_BUNDLE_BYTES.saturating_add(1);
        let read = File::open(&path).and_then(|file| file.take(most).read_to_end(&mut bytes));
        match read {
            Ok(_) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.fail(format!("{} cannot be read: {error}", path.display()));
                None
            }
        }
    }

    fn piece(&self, place: Tile) -> Piece {
        let bundle = self.read(Asset::Entries(place));
        Piece {
            place,
            bundle: bundle.map(|bytes| Bundle::read(&bytes)),
            tile: self.read(Asset::Hashes(place)),
        }
    }

    fn fail(&self, fault: String) {
        if let Ok(mut first) = self.fault.lock() {
            first.get_or_insert(fault);
        }
    }
}

/// The notes of all kept checkpoints; none in place of a line that is something else. A line too long to be one is
/// the last that is read.
fn lines<'f>(kept: File, files: &'f Files<'_>) -> impl Iterator<Item = Option<String>> + Send + 'f {
    let mut reader = BufReader::new(kept);
    let mut line = Vec::new();
    let mut ended = false;
    std::iter::from_fn(move || {
        line.clear();
        let most = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
        match reader.by_ref().take(most).read_until(b'\n', &mut line) {
            _ if ended => None,
            Ok(0) => None,
            Ok(_) => {
                ended = line.len() >= MAX_LINE_BYTES;
                let kept = serde_json::from_slice::<KeptCheckpoint>(&line);
                Some(kept.ok().map(|kept| kept.checkpoint))
            }
            Err(error) => {
                files.fail(format!("{KEPT} cannot be read: {error}"));
                None
            }
        }
    })
}

/// What `work` makes of each item, in their order. Items are worked on by as many threads as there are cores, and
/// only so far ahead as the results are taken.
fn on_all_cores<'scope, T, R>(
    scope: &'scope Scope<'scope, '_>,
    items: impl Iterator<Item = T> + Send + 'scope,
    work: impl Fn(T) -> R + Send + Copy + 'scope,
) -> impl Iterator<Item = R>
where
    T: Send + 'scope,
    R: Send + 'scope,
{
    let cores = std::thread::available_parallelism().map_or(1, |count| count.get());
    let mut inputs = Vec::new();
    let mut outputs = Vec::new();
    for _ in 0..cores {
        let (input, waiting) = sync_channel(WAITING);
        let (done, output) = sync_channel(WAITING);
        inputs.push(input);
        outputs.push(output);
        scope.spawn(move || {
            for item in waiting {
                // Nobody takes results any more where the verifier has ended early.
                if done.send(work(item)).is_err() {
                    return;
                }
            }
        });
    }
    scope.spawn(move || {
        for (item, input) in items.zip(inputs.iter().cycle()) {
            if input.send(item).is_err() {
                return;
            }
        }
    });
    // Each worker has every so-manieth item, so taking from one after the other keeps their order.
    let mut turn = (0..outputs.len()).cycle();
    std::iter::from_fn(move || outputs.get(turn.next()?)?.recv().ok())
}

fn print(report: &Report, json: bool) -> Result<(), Fatal> {
    if json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    let Report {
        origin, size, root, ..
    } = report;
    let verdict = match report.verdict {
        Verdict::Sound => "Sound",
        Verdict::Broken => "BROKEN",
    };
    println!("{verdict}: {origin}, {size} entries, root {root}");
    let signed = report
        .signed_at
        .map_or_else(String::new, |at| format!(", the last of {at}"));
    println!("{} checkpoints hold{signed}", report.checkpoints);
    if let Some(witnessed) = report.witnessed {
        println!("witnessed up to entry {witnessed}");
    }
    println!("{} participants with their numbers", report.participants);
    if report.receipts_kept + report.receipts_pending > 0 {
        let (kept, pending) = (report.receipts_kept, report.receipts_pending);
        println!("{kept} receipts kept, {pending} with time left");
    }
    for finding in &report.findings {
        println!("  {} {finding}", Finding::code(finding));
    }
    let listed = u64::try_from(report.findings.len()).unwrap_or(u64::MAX);
    let more = report.findings_total.saturating_sub(listed);
    if more > 0 {
        println!("  and {more} more");
    }
    Ok(())
}
