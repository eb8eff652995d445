//! The hub's answers as HL7 v2: an acknowledgement (MSH, MSA, ERR), for orders and dispenses the response of their own
//! kind with each order's ORC, and what was decided in notes for people and two segments of our own for programs.
//!
//! `ZCT|state|currency|billed|allowed|base|supplementary|written off|member|the hub's id|reasons|valid until|letter`
//! tells of the whole message, `ZCL|seq|item|billed|allowed|base|supplementary|written off|member|reasons|insurers` of
//! each line. Reasons repeat as `code^meaning`, insurers as `insurer^amount`. Amounts are decimals of ZCT-2.

use std::fmt::Write as _;
use takmil_domain::answer::Answer;
use takmil_domain::code::Coded;
use takmil_domain::date::{Calendar, Date, Instant};
use takmil_domain::decision::Decision;
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::message::{Body, Message};
use takmil_domain::money::Amount;
use takmil_domain::problem::ProblemCode;
use takmil_domain::reason::Reason;

use super::er7::{self, Segment, Separators, escape};
use crate::{Answered, Cause, Fault, Outcome, Reply, Written};

/// The media type of every answer.
const MEDIA_TYPE: &str = "application/hl7-v2";

/// The longest control id that every version takes.
const CONTROL_ID: usize = 20;

/// Which message answers an order or a dispense: type, event (any, where none is named), the response's.
const RESPONSES: &[(&str, &str, &str, &str)] = &[
    ("RDE", "O01", "RRE", "O02"),
    ("RDE", "O25", "RRE", "O26"),
    ("RDE", "", "RRE", "O12"),
    ("RDS", "O01", "RRD", "O02"),
    ("RDS", "", "RRD", "O14"),
    ("RAS", "O01", "RRA", "O02"),
    ("RAS", "", "RRA", "O18"),
    ("OMP", "", "ORP", "O10"),
    ("ORM", "", "ORR", "O02"),
    ("OMG", "", "ORG", "O20"),
    ("OML", "O33", "ORL", "O34"),
    ("OML", "O35", "ORL", "O36"),
    ("OML", "O39", "ORL", "O40"),
    ("OML", "", "ORL", "O22"),
    ("OMI", "", "ORI", "O24"),
    ("OMD", "", "ORD", "O04"),
];

/// Writes a reply: one acknowledgement for each message, in a batch where the body was one.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let text = super::text(reply.body).unwrap_or_default();
    let messages = super::split(&text)
        .map(|(messages, _)| messages)
        .unwrap_or_default();
    let mut out = String::new();
    let framed = reply.body.first() == Some(&0x0b);
    let is_batch = er7::lines(&text)
        .next()
        .is_some_and(|line| matches!(line.get(..3), Some("BHS" | "FHS")));
    if is_batch {
        out.push_str("BHS|^~\\&\r");
    }
    for outcome in reply.outcomes {
        let at = position(outcome.place);
        let request = messages.get(at).map(String::as_str).unwrap_or_default();
        let message = acknowledge(request, at, outcome, reply);
        match framed {
            true => {
                let _ = write!(out, "\u{b}{message}\u{1c}\r");
            }
            false => out.push_str(&message),
        }
    }
    if is_batch {
        let _ = write!(out, "BTS|{}\r", reply.outcomes.len());
    }
    crate::answer::written(reply, MEDIA_TYPE, out)
}

/// Which message of the body a place names, from 0.
fn position(place: &str) -> usize {
    let number = place
        .strip_prefix("/MSH[")
        .and_then(|rest| rest.split(']').next());
    let number: Option<usize> = number.and_then(|number| number.parse().ok());
    number.unwrap_or(1).saturating_sub(1)
}

/// A message that is being written.
struct Writer {
    separators: Separators,
    out: String,
}

impl Writer {
    fn segment(&mut self, name: &str, fields: &[String]) {
        self.out.push_str(name);
        for field in fields {
            self.out.push(self.separators.field);
            self.out.push_str(field);
        }
        // Empty fields at the end say nothing.
        let kept = self.out.trim_end_matches(self.separators.field).len();
        self.out.truncate(kept);
        self.out.push('\r');
    }

    fn escaped(&self, text: &str) -> String {
        escape(text, self.separators)
    }

    fn components(&self, parts: &[&str]) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.escaped(part)).collect();
        let joined = parts.join(&self.separators.component.to_string());
        joined
            .trim_end_matches(self.separators.component)
            .to_owned()
    }

    fn repeated(&self, parts: &[String]) -> String {
        parts.join(&self.separators.repetition.to_string())
    }

    fn reasons(&self, reasons: &[Reason]) -> String {
        let told = reasons
            .iter()
            .map(|own| self.components(&[own.code(), own.meaning()]));
        self.repeated(&told.collect::<Vec<_>>())
    }
}

fn acknowledge(request: &str, at: usize, outcome: &Outcome<'_>, reply: &Reply<'_>) -> String {
    let parsed = er7::segments(request, "").ok();
    let (segments, separators) = match &parsed {
        Some((segments, separators)) => (&segments[..], *separators),
        None => (&[][..], Separators::USUAL),
    };
    let msh = segments.first().filter(|own| own.name == "MSH");
    let mut out = Writer {
        separators,
        out: String::new(),
    };
    let faults = outcome.result.as_ref().err().copied().unwrap_or_default();
    let answered = outcome.result.as_ref().ok();
    let control = msh.and_then(|msh| msh.text(10));
    header(&mut out, msh, control.as_deref(), at, answered, reply);
    let refused = faults
        .iter()
        .any(|fault| rejects(fault.cause) || is_version(fault));
    let code = match (answered, refused) {
        (Some(_), _) => "AA",
        (None, true) => "AR",
        (None, false) => "AE",
    };
    let words = match answered {
        Some(answered) => answered.answer.state.meaning().to_owned(),
        None => faults
            .first()
            .map(|fault| fault.meaning.to_owned())
            .unwrap_or_default(),
    };
    let fields = [
        code.to_owned(),
        out.escaped(&control.unwrap_or_default()),
        out.escaped(&words),
    ];
    out.segment("MSA", &fields);
    let is_old = msh
        .and_then(|msh| msh.text(12))
        .is_some_and(|version| is_before_2_5(&version));
    for fault in faults {
        error(&mut out, fault, is_old);
    }
    if let Some(answered) = answered {
        decided(&mut out, segments, answered);
    }
    out.out
}

fn is_before_2_5(version: &str) -> bool {
    ["2.1", "2.2", "2.3", "2.4"]
        .iter()
        .any(|old| version.starts_with(old))
}

/// What concerns not the content of a message but whether it is taken at all.
fn rejects(cause: Cause) -> bool {
    match cause {
        Cause::Body(code) => matches!(
            code,
            ProblemCode::NotText
                | ProblemCode::Malformed
                | ProblemCode::TooLarge
                | ProblemCode::TooDeep
                | ProblemCode::UnknownFormat
                | ProblemCode::NoMessage
                | ProblemCode::WrongKind
        ),
        _ => true,
    }
}

fn header(
    out: &mut Writer,
    msh: Option<&Segment<'_>>,
    control: Option<&str>,
    at: usize,
    answered: Option<&Answered<'_>>,
    reply: &Reply<'_>,
) {
    let copied = |number: usize| {
        msh.map(|msh| msh.raw(number).to_owned())
            .unwrap_or_default()
    };
    let text = |field: usize, component: usize| {
        let own = msh.map(|msh| msh.field(field).first().component(component).text());
        own.flatten().unwrap_or_default()
    };
    let (kind, event, structure) = (text(9, 1), text(9, 2), text(9, 3));
    // One that is not taken is acknowledged: there is no order to respond to.
    let response = RESPONSES
        .iter()
        .filter(|_| answered.is_some())
        .find(|(own, of, ..)| *own == kind && (of.is_empty() || *of == event));
    let (kind, event) = response.map_or(("ACK", event.as_str()), |(_, _, kind, event)| {
        (*kind, *event)
    });
    let structure = match (structure.is_empty(), kind) {
        (true, _) => String::new(),
        (false, "ACK") => "ACK".to_owned(),
        (false, kind) => format!("{kind}_{event}"),
    };
    let at_time = answered
        .map(|own| own.answer.answered_at)
        .or_else(|| arrived(reply.request));
    let separators = out.separators;
    let mut marks: String = [separators.component, separators.repetition]
        .into_iter()
        .collect();
    marks.extend(separators.escape);
    marks.extend(separators.subcomponent);
    let version = copied(12);
    let fields = [
        marks,
        copied(5),
        copied(6),
        copied(3),
        copied(4),
        at_time.map(stamp).unwrap_or_default(),
        String::new(),
        out.components(&[kind, event, &structure]),
        control_id(control, at, reply.request),
        if copied(11).is_empty() {
            "P".to_owned()
        } else {
            copied(11)
        },
        if version.is_empty() {
            "2.5".to_owned()
        } else {
            version
        },
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        "UNICODE UTF-8".to_owned(),
    ];
    out.segment("MSH", &fields);
}

/// The answer's own number: made of the request's, so that an answer that is sent again has the same.
fn control_id(control: Option<&str>, at: usize, request: &str) -> String {
    let own = match control {
        Some(control) => format!("R{control}"),
        None => format!("R{request}{at}"),
    };
    let plain: Vec<char> = own
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric())
        .collect();
    let more = plain.len().saturating_sub(CONTROL_ID);
    // The end of a number is what tells it from others.
    plain.into_iter().skip(more).collect()
}

/// When a request arrived: its id is made of the time.
fn arrived(request: &str) -> Option<Instant> {
    let milliseconds = MessageId::parse(request)?.0.as_u128() >> 80;
    let microseconds = i64::try_from(milliseconds).ok()?.checked_mul(1_000)?;
    Some(Instant(microseconds))
}

/// A moment as HL7 writes it, in universal time.
fn stamp(at: Instant) -> String {
    let (year, month, day) = at.day().ymd_in(Calendar::Gregorian);
    let seconds = at.0.div_euclid(1_000_000).rem_euclid(86_400);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}{hours:02}{minutes:02}{seconds:02}+0000")
}

/// Whether it is the version that is not taken.
fn is_version(fault: &Fault<'_>) -> bool {
    fault.pointer.ends_with("MSH[1]-12")
}

/// Table 0357's code and words for what is wrong.
fn condition(fault: &Fault<'_>) -> (&'static str, &'static str) {
    match fault.cause {
        Cause::Body(ProblemCode::BadValue) if is_version(fault) => {
            ("203", "Unsupported version id")
        }
        Cause::Body(code) => match code {
            ProblemCode::Missing => ("101", "Required field missing"),
            ProblemCode::NoMessage | ProblemCode::WrongKind | ProblemCode::UnknownFormat => {
                ("200", "Unsupported message type")
            }
            ProblemCode::Malformed | ProblemCode::TooMany | ProblemCode::DuplicateLine => {
                ("100", "Segment sequence error")
            }
            ProblemCode::Unknown | ProblemCode::UnknownCurrency => ("103", "Table value not found"),
            ProblemCode::DanglingReference => ("204", "Unknown key identifier"),
            _ => ("102", "Data type error"),
        },
        Cause::NotFound => ("204", "Unknown key identifier"),
        Cause::Duplicate | Cause::Conflict => ("205", "Duplicate key identifier"),
        Cause::Unsupported => ("200", "Unsupported message type"),
        _ => ("207", "Application internal error"),
    }
}

/// Segment, its number, field, repetition, component: the parts of a place.
fn location(pointer: &str) -> [String; 5] {
    let own = pointer.rsplit('/').next().unwrap_or_default();
    let (segment, rest) = own.split_once('-').unwrap_or((own, ""));
    let numbered = |text: &str| -> (String, String) {
        match text.split_once('[') {
            Some((name, number)) => {
                let number = number.split(']').next().unwrap_or_default();
                (name.to_owned(), number.to_owned())
            }
            None => (text.to_owned(), String::new()),
        }
    };
    let (field, component) = rest.split_once('.').unwrap_or((rest, ""));
    let (name, number) = numbered(segment);
    let (field, repetition) = numbered(field);
    [name, number, field, repetition, component.to_owned()]
}

fn error(out: &mut Writer, fault: &Fault<'_>, is_old: bool) {
    let (code, words) = condition(fault);
    let place = location(fault.pointer);
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    if is_old {
        // ELD: segment, its number, field, and the code as subcomponents.
        let mark = out.separators.subcomponent.unwrap_or('&');
        let coded = format!("{code}{mark}{}{mark}HL70357", out.escaped(words));
        let first: Vec<&str> = place.iter().take(3).copied().collect();
        let mut own: Vec<String> = first.iter().map(|part| out.escaped(part)).collect();
        own.push(coded);
        let own = own.join(&out.separators.component.to_string());
        out.segment("ERR", &[own]);
        let note = [
            String::new(),
            String::new(),
            out.escaped(&format!("{}: {}", fault.code, fault.detail)),
        ];
        out.segment("NTE", &note);
        return;
    }
    let fields = [
        String::new(),
        out.components(&place),
        out.components(&[code, words, "HL70357"]),
        "E".to_owned(),
        out.components(&[fault.code, fault.meaning, "L"]),
        String::new(),
        out.escaped(fault.pointer),
        out.escaped(fault.detail),
    ];
    out.segment("ERR", &fields);
}

/// What was decided, after the acknowledgement.
fn decided(out: &mut Writer, segments: &[Segment<'_>], answered: &Answered<'_>) {
    let answer = answered.answer;
    let day = answer.received_at.day();
    let mut notes: Vec<String> = Vec::new();
    if let Some(decision) = &answer.decision {
        notes.push(sentence(decision, day));
    }
    notes.extend(
        answer
            .reasons
            .iter()
            .map(|own| format!("{}: {}", own.code(), own.meaning())),
    );
    notes.extend(
        answer
            .findings
            .iter()
            .map(|own| format!("{}: {}", own.rule.code(), own.rule.meaning())),
    );
    notes.extend(answer.notes.iter().map(|own| own.text.clone()));
    notes.extend(answer.letter.iter().map(|own| {
        format!(
            "Introduction letter {}, valid until {}",
            own.number, own.valid_until
        )
    }));
    for (at, note) in notes.iter().enumerate() {
        let fields = [
            at.saturating_add(1).to_string(),
            String::new(),
            out.escaped(note),
        ];
        out.segment("NTE", &fields);
    }
    for order in segments.iter().filter(|own| own.name == "ORC") {
        let fields = [
            response_code(order.text(1).as_deref(), answer.state).to_owned(),
            order.raw(2).to_owned(),
            order.raw(3).to_owned(),
        ];
        out.segment("ORC", &fields);
    }
    total(out, answer, day);
    let Some(decision) = &answer.decision else {
        return;
    };
    for line in &decision.lines {
        let money = |amount: Amount| amount.to_decimal(decision.currency.exponent(day));
        let insurers = line
            .supplementary
            .iter()
            .map(|own| out.components(&[own.insurer.as_str(), &money(own.amount)]));
        let insurers = out.repeated(&insurers.collect::<Vec<_>>());
        let fields = [
            line.seq.to_string(),
            out.escaped(&item(answered.message, line.seq)),
            money(line.billed),
            money(line.allowed),
            money(line.base),
            money(line.supplementary_total()),
            money(line.written_off),
            money(line.member),
            out.reasons(&line.reasons),
            insurers,
        ];
        out.segment("ZCL", &fields);
    }
}

fn total(out: &mut Writer, answer: &Answer, day: Date) {
    let mut fields = vec![answer.state.as_str().to_owned()];
    match &answer.decision {
        Some(decision) => {
            let totals = &decision.totals;
            let money = |amount: Amount| amount.to_decimal(decision.currency.exponent(day));
            fields.push(decision.currency.to_string());
            fields.extend(
                [
                    totals.billed,
                    totals.allowed,
                    totals.base,
                    totals.supplementary_total(),
                    totals.written_off,
                    totals.member,
                ]
                .map(money),
            );
        }
        None => fields.extend([const { String::new() }; 7]),
    }
    let reasons = answer
        .decision
        .iter()
        .flat_map(|own| &own.reasons)
        .chain(&answer.reasons);
    let reasons: Vec<Reason> = reasons.copied().collect();
    let valid = answer.decision.as_ref().and_then(|own| own.valid_until);
    let valid = valid.map(|day| day.to_string().replace('-', ""));
    fields.push(answer.id.to_string());
    fields.push(out.reasons(&reasons));
    fields.push(valid.unwrap_or_default());
    fields.push(
        answer
            .letter
            .as_ref()
            .map(|own| out.escaped(&own.number))
            .unwrap_or_default(),
    );
    out.segment("ZCT", &fields);
}

/// How an order is answered (table 0119).
fn response_code(asked: Option<&str>, state: State) -> &'static str {
    let refused = state == State::Refused;
    match (asked, refused) {
        (Some("CA"), true) => "UC",
        (Some("CA"), false) => "CR",
        (Some("DC"), true) => "UD",
        (Some("DC"), false) => "DR",
        (Some("XO" | "XX"), true) => "UX",
        (Some("XO" | "XX"), false) => "XR",
        (Some("RP"), true) => "UM",
        (Some("RP"), false) => "RQ",
        (_, true) => "UA",
        (_, false) => "OK",
    }
}

fn sentence(decision: &Decision, day: Date) -> String {
    let totals = &decision.totals;
    let money = |amount: Amount| amount.to_decimal(decision.currency.exponent(day));
    format!(
        "{}: billed {}, base insurer {}, supplementary insurers {}, written off {}, member {}",
        decision.currency,
        money(totals.billed),
        money(totals.base),
        money(totals.supplementary_total()),
        money(totals.written_off),
        money(totals.member),
    )
}

/// A concept's code as its sender wrote it, or its words.
fn named(item: &Coded) -> Option<String> {
    let code = item.source.as_ref().map(|own| own.code.clone());
    let code = code.filter(|code| !code.is_empty());
    code.or_else(|| item.label().map(str::to_owned))
}

/// The code of what a line asked for.
fn item(message: &Message, seq: u32) -> String {
    let bill = message.bill();
    let of_bill = bill.as_ref().and_then(|bill| {
        let line = bill.lines.iter().find(|line| line.seq == seq)?;
        named(&line.item)
    });
    let of_order = || match &message.body {
        Body::Prescription(order) => {
            let line = order.lines.iter().find(|line| line.seq == seq)?;
            named(&line.item)
        }
        _ => None,
    };
    of_bill.or_else(of_order).unwrap_or_default()
}
