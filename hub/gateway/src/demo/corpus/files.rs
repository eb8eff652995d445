//! The bodies of a folder: every file in it, unpacked, as far as the hub reads its format.

use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use takmil_domain::date::Date;
use takmil_domain::message::Message;
use takmil_domain::money::Currency;
use takmil_domain::problem::ProblemCode;
use takmil_formats::{Context, Format, MAX_BODY_BYTES, native, recognise};

use super::super::screen::Screen;
use super::people::Person;
use crate::cli::Fatal;

/// A body to send.
pub(super) struct Letter {
    /// Its file, from the folder on.
    pub(super) path: String,
    /// The bytes.
    pub(super) body: Vec<u8>,
    /// How many messages the hub will find in it; one that it refuses as a whole counts as one.
    pub(super) messages: usize,
    /// The members of its messages.
    pub(super) people: Vec<Person>,
    format: &'static Format,
}

impl Letter {
    fn is_native(&self) -> bool {
        self.format.name == native::FORMAT.name
    }

    fn is_xml(&self) -> bool {
        let start = self.body.iter().find(|byte| !byte.is_ascii_whitespace());
        matches!(start, Some(b'<' | 0xef | 0xfe | 0xff)) && !self.is_native()
    }

    /// The address that it goes to.
    pub(super) fn address(&self) -> &'static str {
        if self.is_native() {
            "/v1/messages"
        } else {
            "/fhir/$process-message"
        }
    }

    /// Its media type.
    pub(super) fn media_type(&self) -> &'static str {
        match (self.is_native(), self.is_xml()) {
            (true, _) => "application/json",
            (false, true) => "application/fhir+xml",
            (false, false) => "application/fhir+json",
        }
    }

    /// Its shape on the wire.
    pub(super) fn shape(&self) -> &'static str {
        match (self.is_native(), self.is_xml()) {
            (true, _) => "native JSON",
            (false, true) => "FHIR XML",
            (false, false) => "FHIR JSON",
        }
    }
}

/// What a folder holds.
#[derive(Default)]
pub(super) struct Shelf {
    /// How many files.
    pub(super) files: usize,
    /// The bodies with messages, in the order of their paths.
    pub(super) letters: Vec<Letter>,
    /// How many bodies are left out, by the reason.
    pub(super) skipped: BTreeMap<String, usize>,
}

/// Reads every file of a folder, on as many threads as the machine has.
pub(super) async fn gather(
    folder: &Path,
    screen: Screen,
    today: Date,
    currency: Currency,
) -> Result<Shelf, Fatal> {
    let mut paths = Vec::new();
    walk(folder, &mut paths)?;
    let progress = screen.progress("files", paths.len());
    let (paths, next) = (Arc::new(paths), Arc::new(AtomicUsize::new(0)));
    let context = Context {
        default_currency: Some(currency),
        today,
    };
    let readers = std::thread::available_parallelism().map_or(1, |count| count.get());
    let reader = |_| {
        let (paths, next, folder) = (Arc::clone(&paths), Arc::clone(&next), folder.to_owned());
        tokio::task::spawn_blocking(move || {
            let mut read = Vec::new();
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                let name = path
                    .strip_prefix(&folder)
                    .unwrap_or(path)
                    .to_string_lossy()
                    .into_owned();
                read.extend(bodies(path, &name, &context));
            }
            read
        })
    };
    let readers: Vec<_> = (0..readers).map(reader).collect();
    let mut shelf = Shelf {
        files: paths.len(),
        ..Shelf::default()
    };
    for reader in readers {
        for found in reader.await? {
            match found {
                Ok(letter) => shelf.letters.push(letter),
                Err(reason) => {
                    let count = shelf.skipped.entry(reason).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
        progress.at(next.load(Ordering::Relaxed).min(paths.len()));
    }
    shelf
        .letters
        .sort_by(|one, other| one.path.cmp(&other.path));
    Ok(shelf)
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Fatal> {
    let cannot = |error: io::Error| format!("{} cannot be read: {error}", folder.display());
    for entry in folder.read_dir().map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        match path.is_dir() {
            true => walk(&path, paths)?,
            false => paths.push(path),
        }
    }
    Ok(())
}

/// The bodies of one file: itself, or each of its lines.
fn bodies(path: &Path, name: &str, context: &Context) -> Vec<Result<Letter, String>> {
    let bytes = match unpacked(path) {
        Ok(bytes) => bytes,
        Err(error) => return vec![Err(format!("it cannot be read ({})", error.kind()))],
    };
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    if !plain.ends_with(".ndjson") {
        return vec![letter(name.to_owned(), bytes, context)];
    }
    let lines = bytes.split(|byte| *byte == b'\n').zip(1_usize..);
    let lines = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
    let one =
        |(line, number): (&[u8], usize)| letter(format!("{name}:{number}"), line.to_vec(), context);
    lines.map(one).collect()
}

/// A file's bytes, unpacked where it is gzip: one byte more than a body may have, at most.
fn unpacked(path: &Path) -> io::Result<Vec<u8>> {
    let most = u64::try_from(MAX_BODY_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    match path.extension().is_some_and(|ending| ending == "gz") {
        true => MultiGzDecoder::new(file)
            .take(most)
            .read_to_end(&mut bytes)?,
        false => file.take(most).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

/// A body with what the hub will find in it; or why it is not sent.
fn letter(path: String, body: Vec<u8>, context: &Context) -> Result<Letter, String> {
    let format = recognise(None, &body).ok_or("no format of the hub recognises it")?;
    let messages = match takmil_formats::read(format, &body, context) {
        Ok(reading) => reading.messages,
        // Not sent: it is a table, a plan, a patient alone. Whatever else is wrong, the hub is to say itself.
        Err(problem) if problem.code == ProblemCode::NoMessage => {
            return Err(format!("{} holds no message", format.name));
        }
        Err(_) => Vec::new(),
    };
    let read = messages
        .iter()
        .filter_map(|read| read.outcome.as_ref().ok());
    Ok(Letter {
        people: read
            .filter_map(|message| person(message, context))
            .collect(),
        messages: messages.len().max(1),
        path,
        body,
        format,
    })
}

fn person(message: &Message, context: &Context) -> Option<Person> {
    let head = &message.head;
    Some(Person {
        identifiers: head.member.identifiers.clone(),
        birth_date: head
            .member
            .birth_date
            .as_ref()
            .and_then(|when| when.first_day()),
        sex: head.member.sex,
        currency: head.currency.or(context.default_currency)?,
    })
}
