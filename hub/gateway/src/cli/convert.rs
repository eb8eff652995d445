//! `takmil convert`: files of wire messages become lines of canonical JSON. It keeps nothing and asks nobody.

use clap::Args;
use flate2::read::MultiGzDecoder;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{DirEntry, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use takmil_domain::message::{Kind, Message};
use takmil_domain::money::Currency;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_formats::facts::{Measured, UNNAMED, measure};
use takmil_formats::{
    Context, FORMATS, Format, HISTORIES, MAX_BODY_BYTES, Reading, Written, is_stream, native,
    recognise, stream,
};

use self::report::{Named, Report, folder};
use super::{Exit, Fatal};

mod report;

/// What to convert.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files, folders (with all they hold), `.gz` files, or `-` for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The wire format; recognised by content where it is not named. What insurers decided earlier is history and no
    /// message: in a form that messages have too, it is read where its format is named alone.
    #[arg(long, value_name = "FORMAT", value_parser = named)]
    from: Option<&'static Format>,
    /// The format to write. What that format cannot say is told beside the message, by its place in the native one.
    #[arg(long, value_name = "FORMAT", default_value = "native", value_parser = written)]
    to: &'static Format,
    /// The currency of messages that name none, as it is agreed with their sender: USD.
    #[arg(long, value_name = "CODE", value_parser = currency)]
    currency: Option<Currency>,
    /// Print a table instead: for each folder and kind how many messages were read, and how much of the amounts,
    /// codes, dates, identifiers and lines in the files their messages say.
    #[arg(long)]
    report: bool,
}

fn named(name: &str) -> Result<&'static Format, String> {
    let known = || FORMATS.iter().chain(HISTORIES);
    let names = || {
        known()
            .map(|format| format.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let found = known().find(|format| format.name == name);
    found.ok_or_else(|| format!("expected one of: {}", names()))
}

fn currency(code: &str) -> Result<Currency, &'static str> {
    Currency::parse(code).ok_or("the hub does not count in this currency")
}

fn written(name: &str) -> Result<&'static Format, String> {
    let writable = || FORMATS.iter().filter(|format| format.write.is_some());
    let found = writable().find(|format| format.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = writable().map(|format| format.name).collect();
        format!("the hub writes: {}", names.join(", "))
    })
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
    /// In another format than the hub's own.
    Translated {
        path: &'a str,
        format: Option<&'static str>,
        kind: Kind,
        to: &'static str,
        message: Value,
        unsaid: &'a [String],
        added: &'a [String],
    },
    Problem {
        path: &'a str,
        format: Option<&'static str>,
        problem: &'a Problem,
    },
}

/// What one file came to.
#[derive(Default)]
struct Converted {
    index: usize,
    lines: Vec<u8>,
    refused: usize,
    /// What its messages came to, where that is asked for.
    measured: Vec<Measured>,
    /// A file that is converted when its turn to be printed comes.
    large: Option<Large>,
    /// Why the file could not be read at all.
    unreadable: Option<io::Error>,
}

impl Converted {
    fn tell(&mut self, line: &Line<'_>) {
        self.refused += usize::from(matches!(line, Line::Problem { .. }));
        // Writing to a Vec cannot fail, and every part of a line is JSON.
        if serde_json::to_writer(&mut self.lines, line).is_ok() {
            self.lines.push(b'\n');
        }
    }
}

/// A file that is larger than a body may be, and is read as it comes.
struct Large {
    format: &'static Format,
    /// All of it, where it cannot be opened again.
    begun: Option<Source>,
}

/// Converts everything the arguments name, and prints it in that order.
pub(super) fn run(arguments: &Arguments) -> Result<Exit, Fatal> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        gather(path, path, &mut files)?;
    }
    let context = Context {
        default_currency: arguments.currency,
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
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(source) = files.get(index) else {
                        return;
                    };
                    if done
                        .send(convert(index, &source.path, arguments, &context))
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(done);
        print(&finished, &files, arguments, &context)
    })
}

/// Every file at or under `path`, in the order of their names.
fn gather(root: &Path, path: &Path, files: &mut Vec<Named>) -> Result<(), Fatal> {
    let cannot = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    if path.as_os_str() == "-" || !path.metadata().map_err(cannot)?.is_dir() {
        files.push(Named {
            root: root.to_owned(),
            path: path.to_owned(),
        });
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
    inner.iter().try_for_each(|path| gather(root, path, files))
}

fn convert(index: usize, path: &Path, arguments: &Arguments, context: &Context) -> Converted {
    let mut converted = Converted {
        index,
        ..Converted::default()
    };
    match bytes(path, arguments) {
        Ok(Found::Body(body)) if arguments.report => {
            let measured = measured(&body, arguments.from, context);
            let refused = measured.iter().filter(|one| one.outcome.is_err());
            converted.refused = refused.count();
            converted.measured = measured;
        }
        Ok(Found::Large(large)) => converted.large = Some(large),
        Ok(Found::Body(body)) => read(
            &path.to_string_lossy(),
            &body,
            arguments,
            context,
            &mut converted,
        ),
        Err(error) => converted.unreadable = Some(error),
    }
    converted
}

/// What the messages of a body came to, and the history that stands in it beside them or alone.
fn both(format: &Format, bytes: &[u8], context: &Context) -> Vec<Measured> {
    let mut measured = measure(format, bytes, context);
    let histories = HISTORIES.iter().filter(|history| {
        let is_other = history.name != format.name;
        is_other && (history.recognise)(bytes)
    });
    let histories = histories.flat_map(|history| measure(history, bytes, context));
    let histories: Vec<Measured> = histories.filter(|one| one.name != UNNAMED).collect();
    if !histories.is_empty() {
        measured.retain(|one| one.name != UNNAMED);
    }
    measured.extend(histories);
    measured
}

/// The format of a body: as it is named, else of the messages in it, else of the history that it is.
fn known(named: Option<&'static Format>, bytes: &[u8]) -> Option<&'static Format> {
    let history = || HISTORIES.iter().find(|own| (own.recognise)(bytes));
    named.or_else(|| recognise(None, bytes)).or_else(history)
}

/// What the messages of a body came to.
fn measured(body: &Body, from: Option<&'static Format>, context: &Context) -> Vec<Measured> {
    let code = match body {
        Body::BrokenGzip => ProblemCode::Malformed,
        Body::Plain(bytes) => match known(from, bytes) {
            Some(format) => return both(format, bytes, context),
            None => ProblemCode::UnknownFormat,
        },
    };
    vec![Measured::refused(UNNAMED, code)]
}

fn read(
    path: &str,
    body: &Body,
    arguments: &Arguments,
    context: &Context,
    converted: &mut Converted,
) {
    let whole = |problem| (None, Err(problem));
    let format = match body {
        Body::Plain(bytes) => known(arguments.from, bytes),
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
    let (format, reading) = reading;
    match reading {
        Ok(reading) => told(path, format, reading, arguments, context, converted),
        Err(problem) => converted.tell(&Line::Problem {
            path,
            format,
            problem: &problem,
        }),
    }
}

/// Puts the messages of a body, or of a part of one, into lines.
fn told(
    path: &str,
    format: Option<&'static str>,
    reading: Reading,
    arguments: &Arguments,
    context: &Context,
    converted: &mut Converted,
) {
    for message in &reading.messages {
        match &message.outcome {
            Ok(message) if arguments.to.name == native::FORMAT.name => {
                converted.tell(&Line::Message {
                    path,
                    format,
                    kind: message.kind(),
                    message,
                })
            }
            Ok(message) => match takmil_formats::write(arguments.to, message, context) {
                Ok(translated) => converted.tell(&Line::Translated {
                    path,
                    format,
                    kind: message.kind(),
                    to: arguments.to.name,
                    message: body_of(&translated.written),
                    unsaid: &translated.unsaid,
                    added: &translated.added,
                }),
                Err(problem) => converted.tell(&Line::Problem {
                    path,
                    format,
                    problem: &problem,
                }),
            },
            // One line a message: its first problem.
            Err(problems) => problems.iter().take(1).for_each(|problem| {
                converted.tell(&Line::Problem {
                    path,
                    format,
                    problem,
                })
            }),
        }
    }
}

/// Converts a file that is too large to be held, as it comes. Says how much of it was refused.
fn pour(
    path: &Path,
    large: Large,
    arguments: &Arguments,
    context: &Context,
    out: &mut dyn Write,
) -> io::Result<usize> {
    let name = path.to_string_lossy();
    let mut refused = 0;
    let mut sink = |reading: Reading| {
        let mut converted = Converted::default();
        let format = Some(large.format.name);
        told(&name, format, reading, arguments, context, &mut converted);
        refused += converted.refused;
        out.write_all(&converted.lines)
    };
    let source = match large.begun {
        Some(source) => source,
        None => opened(path)?.0,
    };
    stream(
        large.format,
        &mut BufReader::new(source),
        context,
        &mut sink,
    )?;
    Ok(refused)
}

/// What was written, for a line of JSON: JSON as it is, any other format as one string.
fn body_of(written: &Written) -> Value {
    let text = || Value::String(String::from_utf8_lossy(&written.bytes).into_owned());
    serde_json::from_slice(&written.bytes).unwrap_or_else(|_| text())
}

/// What a file holds, unpacked.
enum Body {
    Plain(Vec<u8>),
    BrokenGzip,
}

/// A file, held or not.
enum Found {
    Body(Body),
    Large(Large),
}

/// Where a file's bytes come from, unpacked.
type Source = Box<dyn Read + Send>;

/// Reads a file, as far as a body may reach and one byte more: whoever reads it then says that it is too large, unless its
/// format is one that can be read as it comes.
fn bytes(path: &Path, arguments: &Arguments) -> io::Result<Found> {
    let most = u64::try_from(MAX_BODY_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let (mut source, packed) = opened(path)?;
    let mut body = Vec::new();
    match source.by_ref().take(most).read_to_end(&mut body) {
        Ok(_) => {}
        Err(_) if packed => return Ok(Found::Body(Body::BrokenGzip)),
        Err(error) => return Err(error),
    }
    let is_large = body.len() > MAX_BODY_BYTES && !arguments.report;
    let format = arguments.from.or_else(|| recognise(None, &body));
    let format = format.filter(|format| is_large && is_stream(format, &body));
    let Some(format) = format else {
        return Ok(Found::Body(Body::Plain(body)));
    };
    let is_read_once = path.as_os_str() == "-";
    let begun = || -> Source { Box::new(io::Cursor::new(body).chain(source)) };
    Ok(Found::Large(Large {
        format,
        begun: is_read_once.then(begun),
    }))
}

/// A file's bytes, unpacked where they are gzip by their first ones; the second says so.
fn opened(path: &Path) -> io::Result<(Source, bool)> {
    let mut source: Source = match path.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path)?),
    };
    let mut start = Vec::new();
    source.by_ref().take(2).read_to_end(&mut start)?;
    let packed = start == GZIP;
    let whole = io::Cursor::new(start).chain(source);
    Ok(match packed {
        true => (Box::new(MultiGzDecoder::new(whole)), true),
        false => (Box::new(whole), false),
    })
}

/// The first bytes of every gzip stream.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Prints what comes, in the order of the files, and says how it ended.
fn print(
    finished: &Receiver<Converted>,
    files: &[Named],
    arguments: &Arguments,
    context: &Context,
) -> Result<Exit, Fatal> {
    let progress = ProgressBar::new(u64::try_from(files.len()).unwrap_or(u64::MAX));
    let mut out = BufWriter::new(io::stdout().lock());
    let mut early = BTreeMap::new();
    let mut report = Report::default();
    let (mut refused, mut unreadable, mut turn) = (0_usize, 0_usize, 0_usize);
    for converted in finished {
        early.insert(converted.index, converted);
        while let Some(converted) = early.remove(&turn) {
            out.write_all(&converted.lines)?;
            refused += converted.refused;
            let source = files.get(turn);
            if let Some(Named { root, path }) = source.filter(|_| arguments.report) {
                report.add(&folder(root, path), &converted.measured);
            }
            let mut unread = converted.unreadable;
            if let (Some(large), Some(Named { path, .. })) = (converted.large, source) {
                match pour(path, large, arguments, context, &mut out) {
                    Ok(count) => refused += count,
                    Err(error) => unread = Some(error),
                }
            }
            if let (Some(error), Some(Named { path, .. })) = (unread, source) {
                progress
                    .suspend(|| eprintln!("takmil: {} cannot be read: {error}", path.display()));
                unreadable += 1;
            }
            turn += 1;
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    if arguments.report {
        write!(out, "{report}")?;
    }
    out.flush()?;
    match (unreadable, refused) {
        (0, 0) => Ok(Exit::Well),
        (0, _) => Ok(Exit::Refused),
        (count, _) => Err(format!("{count} of {} files could not be read", files.len()).into()),
    }
}
