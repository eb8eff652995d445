//! HL7 v2 in its vertical-bar syntax, versions 2.1 to 2.9: orders, dispenses, charges, accounts and admissions. Bodies
//! of several messages, batches and the framing bytes of MLLP are read alike.
//!
//! A place is `/PID[1]-3[2].4`: segment, field, repetition, component; before it `/MSH[2]` for the second message of a
//! body. What the hub has no part in is refused by name; no message is guessed at.

mod answer;
mod beside;
mod charges;
mod er7;
mod orders;
mod parts;
mod timing;
mod values;

use takmil_domain::message::Message;
use takmil_domain::money::Currency;
use takmil_domain::problem::{Problem, ProblemCode};

use crate::{Context, Format, Read, Reading, encoding};
use er7::Segment;
use values::Reader;

/// HL7 v2.
pub const FORMAT: Format = Format {
    name: "hl7v2",
    media_types: &[
        "application/hl7-v2",
        "x-application/hl7-v2+er7",
        "application/hl7-v2+er7",
        "application/edi-hl7",
        "application/edi-hl7v2",
        "text/hl7v2",
        "text/hl7",
    ],
    recognise,
    read,
    answer: answer::write,
    write: None,
};

/// How many messages one body may hold.
const MAX_MESSAGES: usize = 10_000;

/// How many unread places are told of one message.
const MAX_UNREAD: usize = 10_000;

/// How much of a body is looked at for its first segment.
const WINDOW: usize = 256;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Prescription,
    Dispense,
    Transactions,
    Account,
    Admission,
    CancelledAdmission,
}

/// The messages that the hub takes: type, events (all, where none is named), purpose.
const TAKEN: &[(&str, &[&str], Purpose)] = &[
    ("RDE", &["O01", "O11", "O25"], Purpose::Prescription),
    ("OMP", &["O09"], Purpose::Prescription),
    ("ORM", &["O01"], Purpose::Prescription),
    ("OMG", &["O19"], Purpose::Prescription),
    ("OML", &["O21", "O33", "O35", "O39"], Purpose::Prescription),
    ("OMI", &["O23"], Purpose::Prescription),
    ("OMD", &["O03"], Purpose::Prescription),
    ("RDS", &["O01", "O13"], Purpose::Dispense),
    ("RAS", &["O01", "O17"], Purpose::Dispense),
    ("DFT", &["P03", "P11"], Purpose::Transactions),
    ("BAR", &["P01", "P05"], Purpose::Account),
    ("ADT", &["A01", "A04", "A05"], Purpose::Admission),
    ("ADT", &["A11", "A38"], Purpose::CancelledAdmission),
];

/// Messages that are known and that the hub has no part in, with what to say.
const REFUSED: &[(&str, &str, &str)] = &[
    ("ADT", "A03", "the end of a stay is told by its last claim"),
    (
        "ADT",
        "A13",
        "the end of a stay is told by its last claim, and so is its cancellation",
    ),
    ("ADT", "", "of ADT the hub takes A01, A04, A05, A11 and A38"),
    ("BAR", "", "of BAR the hub takes P01 and P05"),
    ("RAS", "", "of RAS the hub takes what is a dispense"),
    ("RDE", "", "of RDE the hub takes O01, O11 and O25"),
    ("DFT", "", "of DFT the hub takes P03 and P11"),
];

/// The versions that are read.
const VERSIONS: &[&str] = &[
    "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9",
];

fn recognise(body: &[u8]) -> bool {
    let mut window: Vec<u8> = body.get(..WINDOW).unwrap_or(body).to_vec();
    // In UTF-16 every other byte is zero for the letters that matter here.
    window.retain(|byte| *byte != 0);
    let skipped = |byte: &u8| {
        matches!(
            byte,
            0x0b | b'\r' | b'\n' | b' ' | 0xef | 0xbb | 0xbf | 0xff | 0xfe
        )
    };
    let start = window
        .iter()
        .position(|byte| !skipped(byte))
        .unwrap_or(window.len());
    let rest = window.get(start..).unwrap_or_default();
    let named = matches!(rest.get(..3), Some(b"MSH" | b"FHS" | b"BHS"));
    named && rest.get(3).is_some_and(|mark| mark.is_ascii_punctuation())
}

/// The text of a body: in the encoding that the first header's eighteenth field names.
fn text(body: &[u8]) -> Result<std::borrow::Cow<'_, str>, Problem> {
    let at = body.windows(3).position(|three| three == b"MSH");
    let header = at.and_then(|at| body.get(at..)).unwrap_or_default();
    let end = header.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let header = header
        .get(..end.unwrap_or(header.len()))
        .unwrap_or_default();
    let mark = header.get(3).copied().unwrap_or(b'|');
    let declared = header
        .split(|byte| *byte == mark)
        .nth(17)
        .unwrap_or_default();
    // The first repetition is the default; more may be switched to by escapes, which no sender met does.
    let declared = declared
        .split(|byte| *byte == b'~')
        .next()
        .unwrap_or_default();
    encoding::decode(body, std::str::from_utf8(declared).ok())
}

/// The messages of a body, each from its header on, and the places of what is part of none.
fn split(text: &str) -> Result<(Vec<String>, Vec<String>), Problem> {
    let mut messages: Vec<String> = Vec::new();
    let mut unread = Vec::new();
    for (number, line) in er7::lines(text).enumerate() {
        match line.get(..3) {
            Some("MSH") => messages.push(line.to_owned()),
            // Envelopes of files and batches hold nothing of a message.
            Some("FHS" | "BHS" | "BTS" | "FTS") => {}
            _ => match messages.last_mut() {
                Some(message) => {
                    message.push('\r');
                    message.push_str(line);
                }
                None => unread.push(format!("/segment[{}]", number.saturating_add(1))),
            },
        }
        if messages.len() > MAX_MESSAGES {
            let detail = format!("a body holds at most {MAX_MESSAGES} messages");
            return Err(Problem::new(ProblemCode::TooLarge, "", detail));
        }
    }
    Ok((messages, unread))
}

fn read(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    let text = text(body)?;
    let (messages, unread) = split(&text)?;
    if messages.is_empty() {
        let detail = "the body holds no message header (MSH)";
        return Err(Problem::new(ProblemCode::NoMessage, "", detail));
    }
    let alone = messages.len() == 1;
    let place = |at: usize| match alone {
        true => String::new(),
        false => format!("/MSH[{}]", at.saturating_add(1)),
    };
    let messages = messages.iter().enumerate();
    let messages = messages
        .map(|(at, text)| one(text, place(at), context))
        .collect();
    Ok(Reading { messages, unread })
}

/// Reads one message.
fn one(text: &str, place: String, context: &Context) -> Read {
    let (outcome, origins) = match er7::segments(text, &place) {
        Err(problem) => (Err(vec![problem]), Vec::new()),
        Ok((segments, _)) => {
            let reader = Reader::new(&segments, context);
            let message = message(&reader);
            let (mut problems, origins) = reader.into_found();
            problems.truncate(crate::MAX_PROBLEMS);
            match message {
                Some(message) if problems.is_empty() => (Ok(message), origins),
                _ => (Err(problems), origins),
            }
        }
    };
    Read {
        place,
        outcome,
        origins,
    }
}

/// The message, or what is wrong among the reader's problems.
fn message(reader: &Reader<'_>) -> Option<Message> {
    let msh = reader.first("MSH")?;
    let purpose = purpose(reader, msh)?;
    reader.currency.set(currency(reader));
    let orders = matches!(purpose, Purpose::Prescription);
    let mut head = reader.head(
        msh,
        orders && msh.text(9).is_some_and(|kind| kind.starts_with("OM")),
    );
    let event = msh.field(9).first().component(2).text().unwrap_or_default();
    let body = match purpose {
        Purpose::Prescription => {
            reader.beside_orders(&mut head);
            reader.prescription(&mut head)
        }
        Purpose::Dispense => {
            reader.beside_orders(&mut head);
            reader.visit_of_dispense(&mut head);
            reader.dispense(&mut head)
        }
        Purpose::Transactions => {
            reader.orders_of_charges(&mut head);
            reader.transactions(&mut head)
        }
        Purpose::Account => reader.account(&event, &mut head),
        Purpose::Admission => reader.admission(&event, &mut head),
        Purpose::CancelledAdmission => reader.cancelled_admission(&event, &mut head),
    }?;
    if !matches!(purpose, Purpose::Admission) {
        reader.reason_of_visit(&mut head);
    }
    reader.earlier_visits(&mut head);
    for segment in reader.segments {
        if head.unread.len() < MAX_UNREAD {
            segment.unread(&mut head.unread);
        }
    }
    head.unread.truncate(MAX_UNREAD);
    Some(Message { head, body })
}

/// What the message is for, where the hub takes it.
fn purpose(reader: &Reader<'_>, msh: &Segment<'_>) -> Option<Purpose> {
    let named = msh.field(9).first();
    let (kind, event) = (named.component(1), named.component(2));
    let version = msh.text(12);
    match version.as_deref() {
        None => {
            let detail = "the version (MSH-12) is required";
            reader.problem(ProblemCode::Missing, msh.place_of(12), detail);
            return None;
        }
        Some(version) if !is_known(version) => {
            let detail = "the version is not one of 2.1 to 2.9";
            reader.problem(ProblemCode::BadValue, msh.place_of(12), detail);
            return None;
        }
        Some(_) => {}
    }
    let Some(kind) = kind.text() else {
        let detail = "the message type (MSH-9) is required";
        reader.problem(ProblemCode::Missing, msh.place_of(9), detail);
        return None;
    };
    let event = event.text();
    // Old senders name an order's type alone: it has one event.
    let fits = |events: &[&str]| match event.as_deref() {
        Some(event) => events.contains(&event),
        None => !matches!(kind.as_str(), "ADT" | "BAR"),
    };
    let taken = TAKEN
        .iter()
        .find(|(own, events, _)| *own == kind && fits(events));
    if let Some((_, _, purpose)) = taken {
        return Some(*purpose);
    }
    let says = |(own, of, _): &&(&str, &str, &str)| {
        *own == kind && (of.is_empty() || Some(*of) == event.as_deref())
    };
    let why = REFUSED.iter().find(says).map_or(
        "the hub takes orders, dispenses, charges, accounts and admissions; this message is none of them",
        |(_, _, why)| why,
    );
    reader.problem(ProblemCode::NoMessage, msh.place_of(9), why);
    None
}

fn is_known(version: &str) -> bool {
    VERSIONS.iter().any(|own| {
        let rest = version.strip_prefix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// The currency of the message: the first that an amount names, else the one that was agreed.
fn currency(reader: &Reader<'_>) -> Option<Currency> {
    let amounts = reader
        .all("FT1")
        .flat_map(|own| [own.field(11), own.field(12)]);
    let named = amounts.filter_map(|field| {
        let amount = field.first().component(1);
        Currency::parse(&amount.sub(2)?)
    });
    named.into_iter().next().or(reader.context.default_currency)
}
