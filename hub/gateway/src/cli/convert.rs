//! `takmil convert`: files of wire messages become lines of canonical JSON. It keeps nothing and asks nobody.

use clap::Args;
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{DirEntry, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use takmil_domain::message::{Kind, Message};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_formats::{Context, FORMATS, Format, MAX_BODY_BYTES, recognise};

use super::{Exit, Fatal};

/// What to convert.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files, folders (with all they hold), `.gz` files, or `-` for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The wire format; recognised by content where it is not named.
    #[arg(long, value_name = "FORMAT", value_parser = named)]
    from: Option<&'static Format>,
    /// The format to write.
    #[arg(long, value_name = "FORMAT", default_value = "native", value_parser = written)]
    to: &'static Format,
}

fn named(name: &str) -> Result<&'static Format, String> {
    let names = || {
        FORMATS
            .iter()
            .map(|format| format.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let found = FORMATS.iter().find(|format| format.name == name);
    found.ok_or_else(|| format!("expected one of: {}", names()))
}

fn written(name: &str) -> Result<&'static Format, String> {
    let format = named(name)?;
    match format.name == takmil_formats::native::FORMAT.name {
        true => Ok(format),
        false => Err("the hub writes messages in its own form, native".to_owned()),
    }
}

/// One line of output.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Message {
        path: &'a str,
        format: Option<&'static str>,
        kind: Kind,
        message: &'a Message,
    },
    Problem {
        path: &'a str,
        format: Option<&'static str>,
        problem: &'a Problem,
    },
}

/// What one file came to.
struct Converted {
    index: usize,
    lines: Vec<u8>,
    refused: usize,
    /// Why the file could not be read at all.
    unreadable: Option<io::Error>,
}

/// Converts everything the arguments name, and prints it in that order.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Fatal> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        gather(path, &mut files)?;
    }
    let context = Context {
        default_currency: None,
        today: crate::clock::now().day(),
    };
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get());
    let (done, finished) = channel();
    std::thread::scope(|scope| {
        for _ in 0..workers.min(files.len()) {
            let done = done.clone();
            let (next, files) = (&next, &files);
            scope.spawn(move || {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (index, path) = path;
                    if done
                        .send(convert(*index, path, arguments.from, &context))
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(done);
        print(&finished, &files)
    })
}

/// Every file at or under `path`, in the order of their names.
fn gather(path: &Path, files: &mut Vec<(usize, PathBuf)>) -> Result<(), Fatal> {
    let cannot = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    if path.as_os_str() == "-" || !path.metadata().map_err(cannot)?.is_dir() {
        files.push((files.len(), path.to_owned()));
        return Ok(());
    }
    let entries = path
        .read_dir()
        .and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut inner: Vec<PathBuf> = entries
        .map_err(cannot)?
        .iter()
        .map(DirEntry::path)
        .collect();
    inner.sort();
    inner.iter().try_for_each(|path| gather(path, files))
}

fn convert(
    index: usize,
    path: &Path,
    from: Option<&'static Format>,
    context: &Context,
) -> Converted {
    let mut converted = Converted {
        index,
        lines: Vec::new(),
        refused: 0,
        unreadable: None,
    };
    match bytes(path) {
        Ok(body) => read(
            &path.to_string_lossy(),
            &body,
            from,
            context,
            &mut converted,
        ),
        Err(error) => converted.unreadable = Some(error),
    }
    converted
}

fn read(
    path: &str,
    body: &Body,
    from: Option<&'static Format>,
    context: &Context,
    converted: &mut Converted,
) {
    let whole = |problem| (None, Err(problem));
    let format = match body {
        Body::Plain(bytes) => from.or_else(|| recognise(None, bytes)),
        Body::BrokenGzip => None,
    };
    let reading = match (body, format) {
        (Body::BrokenGzip, _) => whole(Problem::new(
            ProblemCode::Malformed,
            "",
            "the gzip stream is broken",
        )),
        (Body::Plain(_), None) => whole(Problem::new(
            ProblemCode::UnknownFormat,
            "",
            ProblemCode::UnknownFormat.meaning(),
        )),
        (Body::Plain(bytes), Some(format)) => (
            Some(format.name),
            takmil_formats::read(format, bytes, context),
        ),
    };
    let mut tell = |line: Line<'_>| {
        converted.refused += usize::from(matches!(line, Line::Problem { .. }));
        // Writing to a Vec cannot fail, and every part of a line is JSON.
        if serde_json::to_writer(&mut converted.lines, &line).is_ok() {
            converted.lines.push(b'\n');
        }
    };
    let (format, messages) = match reading {
        (format, Ok(reading)) => (format, reading.messages),
        (format, Err(problem)) => {
            return tell(Line::Problem {
                path,
                format,
                problem: &problem,
            });
        }
    };
    for message in &messages {
        match &message.outcome {
            Ok(message) => tell(Line::Message {
                path,
                format,
                kind: message.kind(),
                message,
            }),
            // One line a message: its first problem.
            Err(problems) => problems.iter().take(1).for_each(|problem| {
                tell(Line::Problem {
                    path,
                    format,
                    problem,
                })
            }),
        }
    }
}

/// What a file holds, unpacked.
enum Body {
    Plain(Vec<u8>),
    BrokenGzip,
}

/// Reads a file, unpacked where it is gzip by its first bytes. No more than a body may have, and one byte:
/// whoever reads it then says that it is too large.
fn bytes(path: &Path) -> io::Result<Body> {
    let most = u64::try_from(MAX_BODY_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut source: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path)?),
    };
    let mut start = Vec::new();
    source.by_ref().take(2).read_to_end(&mut start)?;
    let packed = start == GZIP;
    let whole = io::Cursor::new(start).chain(source);
    let mut body = Vec::new();
    if !packed {
        whole.take(most).read_to_end(&mut body)?;
        return Ok(Body::Plain(body));
    }
    match MultiGzDecoder::new(whole).take(most).read_to_end(&mut body) {
        Ok(_) => Ok(Body::Plain(body)),
        Err(_) => Ok(Body::BrokenGzip),
    }
}

/// The first bytes of every gzip stream.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Prints what comes, in the order of the files, and says how it ended.
fn print(finished: &Receiver<Converted>, files: &[(usize, PathBuf)]) -> Result<Exit, Fatal> {
    let progress = ProgressBar::new(u64::try_from(files.len()).unwrap_or(u64::MAX));
    let mut out = BufWriter::new(io::stdout().lock());
    let mut early = BTreeMap::new();
    let (mut refused, mut unreadable, mut turn) = (0_usize, 0_usize, 0_usize);
    for converted in finished {
        early.insert(converted.index, converted);
        while let Some(converted) = early.remove(&turn) {
            out.write_all(&converted.lines)?;
            refused += converted.refused;
            if let (Some(error), Some((_, path))) = (converted.unreadable, files.get(turn)) {
                progress
                    .suspend(|| eprintln!("takmil: {} cannot be read: {error}", path.display()));
                unreadable += 1;
            }
            turn += 1;
            progress.inc(1);
        }
    }
    out.flush()?;
    progress.finish_and_clear();
    match (unreadable, refused) {
        (0, 0) => Ok(Exit::Well),
        (0, _) => Ok(Exit::Refused),
        (count, _) => Err(format!("{count} of {} files could not be read", files.len()).into()),
    }
}
