//! The hub's answers in the Emirates' layouts: Remittance.Advice for decided claims, Prior.Authorization and
//! eRx.Authorization for requests. What is wrong, and what is not decided yet, is told in a Submission.Report, which
//! holds the answer to the others of the same body.

use std::collections::HashMap;
use takmil_domain::answer::Answer;
use takmil_domain::code::Coded;
use takmil_domain::date::{Calendar, Date, Instant};
use takmil_domain::decision::{Decision, LineShare};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Kind, Message, Supporting};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::reason::Reason;
use takmil_domain::settlement::remittance::{Occasion, Remittance};

use super::{denial, xml::Element};
use crate::{Answered, Outcome, Reply, Written};

/// The media type of every answer.
const MEDIA_TYPE: &str = "application/xml";

/// Writes a reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let request = super::parse(reply.body).ok();
    let taken: Vec<&Answered<'_>> = reply
        .outcomes
        .iter()
        .filter_map(|own| own.result.as_ref().ok())
        .collect();
    let (decided, pending): (Vec<&Answered<'_>>, Vec<&Answered<'_>>) =
        taken.into_iter().partition(|own| is_told(own));
    let at = decided.iter().map(|own| own.answer.answered_at).max();
    let mut out = Writer::default();
    let is_whole = decided.len() == reply.outcomes.len();
    if !is_whole {
        out.open("Submission.Report");
        header(&mut out, request.as_ref(), at, reply.outcomes.len());
        let mut known = HashMap::new();
        if let Some(root) = &request {
            lines(root, &mut known);
        }
        for outcome in reply.outcomes {
            errors(&mut out, outcome, &known);
        }
        for own in &pending {
            out.open("Pending");
            out.element("ID", &number(own.message));
            out.element("IDPayer", &own.answer.id.to_string());
            out.element("State", own.answer.state.as_str());
            out.element("Comments", own.answer.state.meaning());
            out.close("Pending");
        }
    }
    if !decided.is_empty() {
        let root = root(&decided, request.as_ref());
        out.open(root);
        header(&mut out, request.as_ref(), at, decided.len());
        for own in &decided {
            match root {
                "Remittance.Advice" => remitted(&mut out, own),
                _ => authorised(&mut out, own),
            }
        }
        out.close(root);
    }
    if !is_whole {
        out.close("Submission.Report");
    }
    crate::answer::written(reply, MEDIA_TYPE, out.document())
}

/// Writes what a payment paid, or what a day brought, as a Remittance.Advice.
pub fn remittance(advice: &Remittance) -> Written {
    let currency = advice.pair.currency;
    let day = advice.made_at.day();
    let money = |amount: i64| decimal(amount, currency, day);
    let (reference, paid_on) = match &advice.occasion {
        Occasion::Payment {
            reference, paid_on, ..
        } => (reference.clone(), *paid_on),
        Occasion::Statement { number, day, .. } => (format!("statement {number}"), *day),
    };
    let mut out = Writer::default();
    out.open("Remittance.Advice");
    out.open("Header");
    out.element("SenderID", advice.pair.insurer.as_str());
    out.element("ReceiverID", advice.pair.provider.as_str());
    out.element("TransactionDate", &stamp(advice.made_at));
    out.element("RecordCount", &advice.claims.len().to_string());
    out.element("DispositionFlag", "PRODUCTION");
    out.close("Header");
    for claim in &advice.claims {
        out.open("Claim");
        let number = claim
            .own
            .clone()
            .unwrap_or_else(|| claim.message.to_string());
        out.element("ID", &number);
        out.element("IDPayer", &claim.message.to_string());
        out.element("PaymentReference", &reference);
        out.element("DateSettlement", &date(paid_on));
        for line in &claim.lines {
            out.open("Activity");
            out.element("ID", &line.seq.to_string());
            out.element("Net", &money(line.billed));
            out.element("PaymentAmount", &money(line.paid));
            out.close("Activity");
        }
        out.close("Claim");
    }
    out.close("Remittance.Advice");
    Written {
        media_type: MEDIA_TYPE,
        bytes: out.document().into_bytes(),
    }
}

fn decimal(amount: i64, currency: Currency, day: Date) -> String {
    // A sum of amounts may be larger than any one of them, and is never larger than 64 bits.
    Amount::new(amount)
        .unwrap_or(Amount::MAX)
        .to_decimal(currency.exponent(day))
}

/// Whether the answer says all that its document has to say.
fn is_told(own: &Answered<'_>) -> bool {
    match own.message.kind() {
        Kind::Claim | Kind::Preauthorization => {
            own.answer.decision.is_some() && !own.answer.state.is_waiting()
        }
        _ => !own.answer.state.is_waiting(),
    }
}

/// The document that answers; that of the messages' own kind where the body is not there to tell.
fn root(decided: &[&Answered<'_>], request: Option<&Element>) -> &'static str {
    match request.map(|own| own.name.as_str()) {
        Some("Claim.Submission") => "Remittance.Advice",
        Some("Prior.Request") => "Prior.Authorization",
        Some("eRx.Request") => "eRx.Authorization",
        _ => match decided.first().map(|own| own.message.kind()) {
            Some(Kind::Claim) => "Remittance.Advice",
            Some(Kind::Prescription) => "eRx.Authorization",
            _ => "Prior.Authorization",
        },
    }
}

/// XML that is being written.
#[derive(Default)]
struct Writer {
    out: String,
}

impl Writer {
    fn open(&mut self, name: &str) {
        self.out.extend(["<", name, ">"]);
    }

    fn close(&mut self, name: &str) {
        self.out.extend(["</", name, ">"]);
    }

    /// An element with text; none where there is nothing to say.
    fn element(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        self.open(name);
        for letter in text.chars() {
            match letter {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                // XML cannot hold them.
                '\u{fffe}' | '\u{ffff}' => {}
                _ if letter.is_control() && !matches!(letter, '\t' | '\n') => {}
                _ => self.out.push(letter),
            }
        }
        self.close(name);
    }

    fn document(self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{}", self.out)
    }
}

/// The sender's header, turned round.
fn header(out: &mut Writer, request: Option<&Element>, at: Option<Instant>, count: usize) {
    let own = request.and_then(|request| request.child("Header"));
    let said = |name: &str| own.and_then(|own| own.text(name)).unwrap_or_default();
    out.open("Header");
    out.element("SenderID", said("ReceiverID"));
    out.element("ReceiverID", said("SenderID"));
    // Without an answer there is no time to tell but the request's own.
    out.element(
        "TransactionDate",
        &at.map_or_else(|| said("TransactionDate").to_owned(), stamp),
    );
    out.element("RecordCount", &count.to_string());
    out.element("DispositionFlag", said("DispositionFlag"));
    out.close("Header");
}

fn errors(out: &mut Writer, outcome: &Outcome<'_>, lines: &HashMap<&str, usize>) {
    let Err(faults) = outcome.result else { return };
    for fault in faults {
        out.open("Error");
        out.element(
            "Path",
            if fault.pointer.is_empty() {
                outcome.place
            } else {
                fault.pointer
            },
        );
        let line = line_of(lines, fault.pointer);
        out.element(
            "Line",
            &line.map(|line| line.to_string()).unwrap_or_default(),
        );
        out.element("Code", fault.code);
        out.element("Text", fault.meaning);
        out.element("AdditionalReference", fault.detail);
        out.close("Error");
    }
}

/// The lines in which elements start, by their places.
fn lines<'e>(element: &'e Element, found: &mut HashMap<&'e str, usize>) {
    found.insert(&element.place, element.line);
    for child in element.children() {
        lines(child, found);
    }
}

/// The line in which the element at a place starts, or the nearest around it.
fn line_of(lines: &HashMap<&str, usize>, place: &str) -> Option<usize> {
    let mut place = place;
    loop {
        if let Some(line) = lines.get(place) {
            return Some(*line);
        }
        (place, _) = place.rsplit_once('/')?;
    }
}

/// A claim that is decided. It bears no payment's reference yet: what pays it comes in an advice of its own.
fn remitted(out: &mut Writer, own: &Answered<'_>) {
    let (message, answer) = (own.message, own.answer);
    out.open("Claim");
    out.element("ID", &number(message));
    out.element("IDPayer", &answer.id.to_string());
    out.element("ProviderID", provider(message));
    let Some(decision) = &answer.decision else {
        out.close("Claim");
        return;
    };
    out.element(
        "DenialCode",
        of_message(answer, decision).unwrap_or_default(),
    );
    out.element("Comments", &comments(answer, Some(decision)));
    for line in &decision.lines {
        activity(out, message, decision, line, answer);
    }
    out.close("Claim");
}

fn authorised(out: &mut Writer, own: &Answered<'_>) {
    let (message, answer) = (own.message, own.answer);
    let decision = answer.decision.as_ref();
    out.open("Authorization");
    out.element(
        "Result",
        if is_granted(message, answer) {
            "Yes"
        } else {
            "No"
        },
    );
    out.element("ID", &number(message));
    out.element("IDPayer", &answer.id.to_string());
    let denied = match decision {
        Some(decision) => of_message(answer, decision),
        None => denial::of(&answer.reasons),
    };
    // A member without any cover is told as such, where no reason tells more.
    let covers = answer
        .covers
        .iter()
        .filter_map(|own| denial::code(own.reason?));
    let denied = denied.or_else(|| match is_granted(message, answer) {
        false => covers.into_iter().next().or(Some("ELIG-001")),
        true => None,
    });
    out.element("DenialCode", denied.unwrap_or_default());
    let start = message
        .head
        .occurred_on
        .unwrap_or_else(|| answer.received_at.day());
    out.element("Start", &date(start));
    if let Some(until) = decision.and_then(|own| own.valid_until) {
        out.element("End", &date(until));
    }
    if let Some(decision) = decision {
        let limit = decision.totals.supplementary_total();
        out.element(
            "Limit",
            &decimal(limit.get(), decision.currency, answer.received_at.day()),
        );
    }
    out.element("Comments", &comments(answer, decision));
    for line in decision.iter().flat_map(|own| &own.lines) {
        if let Some(decision) = decision {
            activity(out, message, decision, line, answer);
        }
    }
    out.close("Authorization");
}

/// Whether what was asked is granted, in part at least.
fn is_granted(message: &Message, answer: &Answer) -> bool {
    if answer.state == takmil_domain::life::State::Refused
        || answer.reasons.iter().any(|own| own.refuses())
    {
        return false;
    }
    match (&message.body, &answer.decision) {
        (Body::Eligibility(_), _) => answer.covers.iter().any(|cover| cover.active),
        (Body::Preauthorization(_), Some(decision)) => {
            decision.totals.supplementary_total() > Amount::ZERO
                || decision.totals.base > Amount::ZERO
        }
        _ => true,
    }
}

/// A denial code of the whole message: where nothing at all is paid.
fn of_message(answer: &Answer, decision: &Decision) -> Option<&'static str> {
    let is_nothing = decision.totals.supplementary_total() == Amount::ZERO;
    let reasons: Vec<Reason> = answer
        .reasons
        .iter()
        .chain(&decision.reasons)
        .copied()
        .collect();
    denial::of(&reasons).filter(|_| is_nothing)
}

/// What the layouts have no element for, in words.
fn comments(answer: &Answer, decision: Option<&Decision>) -> String {
    let reasons = answer
        .reasons
        .iter()
        .chain(decision.iter().flat_map(|own| &own.reasons));
    let mut words: Vec<String> = reasons
        .map(|own| format!("{}: {}", own.code(), own.meaning()))
        .collect();
    words.extend(
        answer
            .findings
            .iter()
            .map(|own| format!("{}: {}", own.rule.code(), own.rule.meaning())),
    );
    words.extend(answer.notes.iter().map(|own| own.text.clone()));
    words.dedup();
    words.join("\n")
}

fn activity(
    out: &mut Writer,
    message: &Message,
    decision: &Decision,
    line: &LineShare,
    answer: &Answer,
) {
    let day = answer.received_at.day();
    let money = |amount: Amount| amount.to_decimal(decision.currency.exponent(day));
    let asked = Asked::of(message, line.seq);
    out.open("Activity");
    out.element("ID", &asked.id.unwrap_or_else(|| line.seq.to_string()));
    out.element("Start", &asked.start.unwrap_or_default());
    out.element("Type", &asked.kind);
    out.element("Code", &asked.code);
    out.element("Quantity", &asked.quantity);
    out.element("Net", &money(line.billed));
    out.element("PatientShare", &money(line.member));
    out.element("PaymentAmount", &money(line.supplementary_total()));
    let denied = denial::of(&line.reasons).filter(|_| line.supplementary_total() < line.billed);
    out.element("DenialCode", denied.unwrap_or_default());
    let mut words: Vec<String> = line
        .reasons
        .iter()
        .map(|own| own.code().to_owned())
        .collect();
    if line.base > Amount::ZERO {
        words.push(format!("base insurer {}", money(line.base)));
    }
    if line.written_off > Amount::ZERO {
        words.push(format!("written off {}", money(line.written_off)));
    }
    out.element("Comments", &words.join(", "));
    out.close("Activity");
}

/// What was asked in a line, as its sender wrote it.
#[derive(Default)]
struct Asked {
    id: Option<String>,
    start: Option<String>,
    kind: String,
    code: String,
    quantity: String,
}

impl Asked {
    fn of(message: &Message, seq: u32) -> Asked {
        if let Body::Prescription(order) = &message.body {
            let line = order.lines.iter().find(|line| line.seq == seq);
            return line.map_or_else(Asked::default, |line| Asked {
                id: line.identifiers.first().map(|own| own.value.clone()),
                quantity: line
                    .quantity
                    .as_ref()
                    .and_then(|own| own.value)
                    .map(shown)
                    .unwrap_or_default(),
                ..Asked::coded(&line.item)
            });
        }
        let bill = message.bill();
        let line = bill
            .as_ref()
            .and_then(|bill| bill.lines.iter().find(|line| line.seq == seq));
        line.map_or_else(Asked::default, |line| {
            let is_id = |own: &&Supporting| {
                own.identifier
                    .as_ref()
                    .is_some_and(|id| id.system == "uae:activity")
            };
            let id = line
                .particulars
                .iter()
                .find(is_id)
                .and_then(|own| own.identifier.clone());
            let start = line.serviced.as_ref().and_then(|own| own.start.as_ref());
            Asked {
                id: id.map(|own: Identifier| own.value),
                start: start.and_then(|when| when.day()).map(date),
                quantity: line.quantity.map(shown).unwrap_or_default(),
                ..Asked::coded(&line.item)
            }
        })
    }

    fn coded(item: &Coded) -> Asked {
        let source = item.source.as_ref();
        let kind = source.and_then(|own| own.system.strip_prefix("uae:"));
        Asked {
            kind: kind.unwrap_or_default().to_owned(),
            code: source.map(|own| own.code.clone()).unwrap_or_default(),
            ..Asked::default()
        }
    }
}

fn shown(quantity: takmil_domain::money::Quantity) -> String {
    format!("{quantity:?}")
}

/// The sender's number of a message: what is taken back or sent again is told by the number of the first.
fn number(message: &Message) -> String {
    let again = message.head.correlates.iter().find(|own| {
        matches!(
            own.identifier.system.as_str(),
            "uae:claim" | "uae:authorization" | "uae:prescription"
        )
    });
    let own = again
        .map(|own| &own.identifier)
        .or(message.head.identifiers.first());
    own.map(|own| own.value.clone()).unwrap_or_default()
}

fn provider(message: &Message) -> &str {
    let own = message
        .head
        .provider
        .as_ref()
        .and_then(|own| own.identifiers.first());
    own.map_or("", |own| own.value.as_str())
}

fn date(day: Date) -> String {
    let (year, month, day) = day.ymd_in(Calendar::Gregorian);
    format!("{day:02}/{month:02}/{year:04}")
}

/// A moment as the layouts write it, in the Emirates' time: four hours ahead all year.
fn stamp(at: Instant) -> String {
    let at = at.plus_ms(4 * 3_600_000);
    let minutes = at.0.div_euclid(60_000_000).rem_euclid(1_440);
    format!("{} {:02}:{:02}", date(at.day()), minutes / 60, minutes % 60)
}
