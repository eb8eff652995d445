//! A delivery of the core as the wire's types: the part that an insurer computes with typed, the whole of it as the
//! document.

use serde::Deserialize;
use takmil_domain::answer::{Answer, Appeal, AppealOutcome, Letter, Note, Reply};
use takmil_domain::bill::{Bill, BillClass, EncounterClass, Line};
use takmil_domain::clinical::{Finding, Level, Severity};
use takmil_domain::code::{Code, Coded};
use takmil_domain::code_map::OwnCodes;
use takmil_domain::date::Instant;
use takmil_domain::decision::{DecidedBy, Decision, InsurerShare, LineShare, Remainder, Totals};
use takmil_domain::exchange::ExchangeRate;
use takmil_domain::ids::Identifier;
use takmil_domain::life::State;
use takmil_domain::message::{Attachment, Body, Correlate, Kind, Message, Relation};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::participant::{Delivery, Purpose};
use takmil_domain::party::{Member, Party, Sex};
use takmil_domain::plan::{LimitKind, LimitUnit};
use takmil_domain::reason::Reason;
use takmil_proto::{Bytes, Timestamp, v1};

use crate::error::TransportError;

/// Lines are typed as deep as this, which is one deeper than any known bill goes; the document has all.
const MAX_DEPTH: u8 = 4;

/// A delivery for the wire, message and answer taken from its document.
///
/// # Errors
/// [`TransportError::Document`] where the document is not `{"message": …, "answer": …}` in canonical form.
pub fn to_wire(delivery: &Delivery) -> Result<v1::Delivery, TransportError> {
    let Parts {
        message,
        answer,
        codes,
    } = parts(&delivery.document)?;
    Ok(v1::Delivery {
        delivery_id: delivery.id.to_string(),
        insurer_id: delivery.insurer.to_string(),
        purpose: purpose(delivery.purpose).into(),
        message_id: delivery.message.to_string(),
        kind: kind(delivery.kind).into(),
        sequence: delivery.sequence,
        created_at: Some(moment(delivery.created_at)),
        message: Some(message),
        answer: Some(answer),
        document_json: Bytes::copy_from_slice(delivery.document.as_bytes()),
        codes,
    })
}

/// The insurer's question that was replied to last.
pub(crate) fn clarification(delivery: &v1::Delivery) -> Option<&v1::Note> {
    let notes = delivery.answer.iter().flat_map(|answer| &answer.notes);
    let replied = |note: &&v1::Note| {
        let at = note.reply.as_ref()?.at.as_ref()?;
        Some((at.seconds, at.nanos))
    };
    let notes = notes.filter(|note| note.reply.is_some());
    notes.max_by_key(replied)
}

/// A document as insurers are handed it, in the wire's types.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// What the provider sent.
    pub message: v1::ProviderMessage,
    /// What the hub answered.
    pub answer: v1::Answer,
    /// Both in the insurer's own codes, where it has told them.
    pub codes: Option<v1::OwnCodes>,
}

/// The parts of a document.
///
/// # Errors
/// As [`to_wire`].
pub fn parts(document: &str) -> Result<Parts, TransportError> {
    let Document {
        message,
        answer,
        codes,
    } = serde_json::from_str(document)?;
    let currency = currency(&message, &answer);
    Ok(Parts {
        message: provider_message(&message, currency),
        answer: answer_of(&answer),
        codes: codes.as_ref().map(own_codes),
    })
}

/// What a delivery's document holds.
#[derive(Deserialize)]
struct Document {
    message: Message,
    answer: Answer,
    #[serde(default)]
    codes: Option<OwnCodes>,
}

fn own_codes(codes: &OwnCodes) -> v1::OwnCodes {
    let told = |code: &Option<String>| code.clone().unwrap_or_default();
    let lines = codes.lines.iter().map(|line| v1::OwnLine {
        seq: line.seq,
        commitment: told(&line.commitment),
        coverage: told(&line.coverage),
        item: told(&line.item),
    });
    v1::OwnCodes {
        version: codes.version,
        plan: told(&codes.plan),
        lines: lines.collect(),
    }
}

/// The currency of what a message says.
fn currency(message: &Message, answer: &Answer) -> Currency {
    let shares = answer.decision.as_ref().map(|shares| shares.currency);
    message.head.currency.or(shares).unwrap_or(Currency::NONE)
}

fn provider_message(message: &Message, currency: Currency) -> v1::ProviderMessage {
    let head = &message.head;
    v1::ProviderMessage {
        identifiers: identifiers(&head.identifiers),
        correlates: head.correlates.iter().map(correlate).collect(),
        member: Some(member(&head.member)),
        provider: head.provider.as_ref().map(party),
        occurred_on: shown(head.occurred_on),
        bill: billed(&message.body, currency),
    }
}

/// What a message bills, plans or orders.
fn billed(body: &Body, currency: Currency) -> Option<v1::Bill> {
    match body {
        Body::Eligibility(asked) => asked.bill.as_ref().map(|asked| bill(asked, currency)),
        Body::Estimate(asked) => Some(bill(asked, currency)),
        Body::Admission(admission) => Some(bill(&admission.bill, currency)),
        Body::Preauthorization(asked) => Some(bill(&asked.bill, currency)),
        Body::Claim(claim) => Some(bill(&claim.bill, currency)),
        Body::Prescription(order) => {
            let diagnoses = order.diagnoses.iter();
            Some(v1::Bill {
                diagnoses: diagnoses.map(|found| coded(&found.coded)).collect(),
                ..bill(&order.bill(), currency)
            })
        }
        Body::Dispense(given) => {
            let lines = given.lines.iter();
            Some(v1::Bill {
                bill_class: v1::BillClass::Pharmacy.into(),
                lines: lines
                    .map(|given| line(&given.line, currency, MAX_DEPTH))
                    .collect(),
                stated_total: given.total.map(|total| money(total, currency)),
                ..v1::Bill::default()
            })
        }
        Body::Cancel(_) => None,
    }
}

fn bill(bill: &Bill, currency: Currency) -> v1::Bill {
    let stay = bill.encounter.as_ref();
    let class = stay.and_then(|stay| stay.class);
    let diagnoses = bill.diagnoses.iter();
    let lines = bill.lines.iter();
    v1::Bill {
        bill_class: bill.class.map_or(0, |class| bill_class(class).into()),
        encounter_class: class.map_or(0, |class| encounter_class(class).into()),
        encounter_identifiers: stay.map_or(Vec::new(), |stay| identifiers(&stay.identifiers)),
        diagnoses: diagnoses.map(|found| coded(&found.coded)).collect(),
        lines: lines.map(|part| line(part, currency, MAX_DEPTH)).collect(),
        stated_total: bill.total.map(|total| money(total, currency)),
    }
}

fn line(line: &Line, currency: Currency, depth: u8) -> v1::Line {
    let amount = |amount: Option<Amount>| amount.map(|amount| money(amount, currency));
    let serviced = line.serviced.as_ref();
    let start = serviced.and_then(|period| period.start.as_ref());
    let end = serviced.and_then(|period| period.end.as_ref());
    let details = match depth.checked_sub(1) {
        Some(deeper) => line
            .details
            .iter()
            .map(|part| self::line(part, currency, deeper))
            .collect(),
        None => Vec::new(),
    };
    v1::Line {
        seq: line.seq,
        item: Some(coded(&line.item)),
        serviced_start: start.map_or("", |when| when.as_str()).to_owned(),
        serviced_end: end.map_or("", |when| when.as_str()).to_owned(),
        quantity: shown(line.quantity),
        unit: line.unit.clone().unwrap_or_default(),
        unit_price: amount(line.unit_price),
        billed: amount(line.asked()),
        base_paid: amount(line.base.as_ref().map(|base| base.paid)),
        authorisation: line.authorisation.clone().unwrap_or_default(),
        details,
    }
}

fn answer_of(answer: &Answer) -> v1::Answer {
    v1::Answer {
        state: state(answer.state).into(),
        received_at: Some(moment(answer.received_at)),
        answered_at: Some(moment(answer.answered_at)),
        reasons: reasons(&answer.reasons),
        decision: answer.decision.as_ref().map(decision),
        letter: answer.letter.as_ref().map(letter),
        findings: answer.findings.iter().map(finding).collect(),
        notes: answer.notes.iter().map(note).collect(),
        appeals: answer.appeals.iter().map(appeal).collect(),
    }
}

fn attachment(own: &Attachment) -> v1::Attachment {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    v1::Attachment {
        media_type: text(&own.media_type),
        title: text(&own.title),
        bytes: own.bytes,
        sha256: text(&own.sha256),
        place: text(&own.place),
    }
}

fn appeal(appeal: &Appeal) -> v1::Appeal {
    let outcome = |own: &AppealOutcome| v1::AppealOutcome {
        at: Some(moment(own.at)),
        changed: own.changed,
    };
    v1::Appeal {
        reference: appeal.reference.clone(),
        at: Some(moment(appeal.at)),
        text: appeal.text.clone(),
        lines: appeal.lines.clone(),
        attachments: appeal.attachments.iter().map(attachment).collect(),
        outcome: appeal.outcome.as_ref().map(outcome),
    }
}

fn note(note: &Note) -> v1::Note {
    let reply = |reply: &Reply| v1::Reply {
        at: Some(moment(reply.at)),
        text: reply.text.clone(),
        attachments: reply.attachments.iter().map(attachment).collect(),
    };
    v1::Note {
        reference: note.reference.clone(),
        at: Some(moment(note.at)),
        text: note.text.clone(),
        asks: note.asks,
        reply: note.reply.as_ref().map(reply),
    }
}

fn finding(finding: &Finding) -> v1::Finding {
    let level = match finding.level {
        Level::Information => v1::FindingLevel::Information,
        Level::Warning => v1::FindingLevel::Warning,
        Level::Refusal => v1::FindingLevel::Refusal,
    };
    v1::Finding {
        rule: finding.rule.code().to_owned(),
        level: level.into(),
        lines: finding.lines.clone(),
        evidence: finding.evidence.iter().map(code).collect(),
        severity: finding.severity.map_or("", Severity::as_str).to_owned(),
        past: finding.past,
    }
}

fn letter(letter: &Letter) -> v1::Letter {
    v1::Letter {
        number: letter.number.clone(),
        valid_until: letter.valid_until.to_string(),
    }
}

fn decision(decision: &Decision) -> v1::Decision {
    let currency = decision.currency;
    let basis = decision.basis.iter().map(|basis| v1::Basis {
        insurer_id: basis.insurer.to_string(),
        plan_id: basis.plan.to_string(),
        version: basis.version,
    });
    let lines = decision.lines.iter();
    v1::Decision {
        lines: lines.map(|share| line_share(share, currency)).collect(),
        totals: Some(totals(&decision.totals, currency)),
        remainders: decision.remainders.iter().map(remainder).collect(),
        basis: basis.collect(),
        decided_by: decided_by(decision.decided_by).into(),
        reasons: reasons(&decision.reasons),
        valid_until: shown(decision.valid_until),
        exchange: decision.exchange.as_ref().map(exchange),
    }
}

fn exchange(rate: &ExchangeRate) -> v1::ExchangeRate {
    v1::ExchangeRate {
        from: rate.from.to_string(),
        to: rate.to.to_string(),
        on: rate.on.to_string(),
        rate: rate.rate.to_string(),
        source: rate.source.clone(),
    }
}

fn line_share(share: &LineShare, currency: Currency) -> v1::LineShare {
    let money = |amount| Some(money(amount, currency));
    let trace = share.trace.iter().map(|entry| v1::TraceEntry {
        step: entry.step.into(),
        insurer_id: shown(entry.insurer.as_ref()),
        reason: entry.reason.code().to_owned(),
        rule: shown(entry.rule.as_ref()),
        before: money(entry.before),
        after: money(entry.after),
        inputs: entry
            .inputs
            .iter()
            .map(|input| v1::TraceInput {
                name: input.name.to_string(),
                value: input.figure.to_string(),
            })
            .collect(),
    });
    let supplementary = share.supplementary.iter();
    v1::LineShare {
        seq: share.seq,
        billed: money(share.billed),
        allowed: money(share.allowed),
        base: money(share.base),
        subsidy: money(share.subsidy),
        supplementary: supplementary
            .map(|share| insurer_share(share, currency))
            .collect(),
        written_off: money(share.written_off),
        member: money(share.member),
        reasons: reasons(&share.reasons),
        trace: trace.collect(),
    }
}

fn insurer_share(share: &InsurerShare, currency: Currency) -> v1::InsurerShare {
    v1::InsurerShare {
        insurer_id: share.insurer.to_string(),
        amount: Some(money(share.amount, currency)),
        allowed: Some(money(share.allowed, currency)),
        benefit_id: shown(share.benefit.as_ref()),
        refused: share.refused.map_or("", Reason::code).to_owned(),
        pended: share.pended,
    }
}

fn totals(totals: &Totals, currency: Currency) -> v1::Totals {
    let money = |amount| Some(money(amount, currency));
    let supplementary = totals.supplementary.iter();
    v1::Totals {
        billed: money(totals.billed),
        allowed: money(totals.allowed),
        base: money(totals.base),
        supplementary: supplementary
            .map(|(insurer, amount)| v1::InsurerTotal {
                insurer_id: insurer.to_string(),
                amount: money(*amount),
            })
            .collect(),
        written_off: money(totals.written_off),
        member: money(totals.member),
    }
}

fn remainder(remainder: &Remainder) -> v1::Remainder {
    let key = &remainder.key;
    v1::Remainder {
        limit_code: key.code.to_string(),
        insurer_id: key.insurer.to_string(),
        account_id: key.account.to_string(),
        member_id: shown(key.member),
        stretch: key.stretch.to_string(),
        kind: limit_kind(remainder.kind).into(),
        unit: limit_unit(remainder.unit).into(),
        ceiling: remainder.ceiling,
        before: remainder.before,
        after: remainder.after,
    }
}

fn member(member: &Member) -> v1::Member {
    let birth_date = member.birth_date.as_ref();
    v1::Member {
        identifiers: identifiers(&member.identifiers),
        name: member.name.clone().unwrap_or_default(),
        birth_date: birth_date.map_or("", |when| when.as_str()).to_owned(),
        sex: member.sex.map_or(0, |known| sex(known).into()),
    }
}

fn party(party: &Party) -> v1::Party {
    v1::Party {
        identifiers: identifiers(&party.identifiers),
        name: party.name.clone().unwrap_or_default(),
    }
}

fn correlate(correlate: &Correlate) -> v1::Correlate {
    v1::Correlate {
        relation: relation(correlate.relation).into(),
        identifier: Some(identifier(&correlate.identifier)),
    }
}

fn coded(coded: &Coded) -> v1::Coded {
    v1::Coded {
        source: coded.source.as_ref().map(|source| v1::Code {
            system: source.system.clone(),
            code: source.code.clone(),
        }),
        common: coded.common.as_ref().map(code),
        text: coded.label().unwrap_or_default().to_owned(),
    }
}

fn code(code: &Code) -> v1::Code {
    v1::Code {
        system: code.system.clone(),
        code: code.code.clone(),
    }
}

pub(super) fn identifiers(identifiers: &[Identifier]) -> Vec<v1::Identifier> {
    identifiers.iter().map(identifier).collect()
}

fn identifier(identifier: &Identifier) -> v1::Identifier {
    v1::Identifier {
        system: identifier.system.clone(),
        value: identifier.value.clone(),
    }
}

fn reasons(reasons: &[Reason]) -> Vec<String> {
    let codes = reasons.iter().map(|reason| reason.code());
    codes.map(str::to_owned).collect()
}

fn money(amount: Amount, currency: Currency) -> v1::Money {
    v1::Money {
        units: amount.get(),
        currency_code: currency.to_string(),
    }
}

/// A moment as the wire has it.
pub fn moment(at: Instant) -> Timestamp {
    let micros = i32::try_from(at.0.rem_euclid(1_000_000)).unwrap_or(0);
    Timestamp {
        seconds: at.0.div_euclid(1_000_000),
        nanos: micros.saturating_mul(1_000),
    }
}

/// The text of something that may be missing, which the wire says with an empty text.
pub(super) fn shown(value: Option<impl ToString>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn purpose(purpose: Purpose) -> v1::Purpose {
    match purpose {
        Purpose::Decide => v1::Purpose::Decide,
        Purpose::Decided => v1::Purpose::Decided,
        Purpose::Review => v1::Purpose::Review,
        Purpose::Cancelled => v1::Purpose::Cancelled,
        // No insurer gets it.
        Purpose::Answered => v1::Purpose::Unspecified,
        Purpose::Clarified => v1::Purpose::Clarified,
        Purpose::Eligibility => v1::Purpose::Eligibility,
    }
}

/// The kind of a message as the wire has it.
pub fn kind(kind: Kind) -> v1::MessageKind {
    match kind {
        Kind::Eligibility => v1::MessageKind::Eligibility,
        Kind::Estimate => v1::MessageKind::Estimate,
        Kind::Prescription => v1::MessageKind::Prescription,
        Kind::Dispense => v1::MessageKind::Dispense,
        Kind::Admission => v1::MessageKind::Admission,
        Kind::Preauthorization => v1::MessageKind::Preauthorization,
        Kind::Claim => v1::MessageKind::Claim,
        Kind::Cancel => v1::MessageKind::Cancel,
    }
}

fn relation(relation: Relation) -> v1::Relation {
    match relation {
        Relation::Admission => v1::Relation::Admission,
        Relation::Prescription => v1::Relation::Prescription,
        Relation::Preauthorization => v1::Relation::Preauthorization,
        Relation::Replaces => v1::Relation::Replaces,
        Relation::Cancels => v1::Relation::Cancels,
        Relation::Referral => v1::Relation::Referral,
        Relation::Group => v1::Relation::Group,
        Relation::Related => v1::Relation::Related,
    }
}

/// A state as the wire names it.
pub fn state(state: State) -> v1::AnswerState {
    match state {
        State::Recorded => v1::AnswerState::Recorded,
        State::Consulting => v1::AnswerState::Consulting,
        State::Pended => v1::AnswerState::Pended,
        State::Decided => v1::AnswerState::Decided,
        State::Cancelled => v1::AnswerState::Cancelled,
        State::Refused => v1::AnswerState::Refused,
        State::Queried => v1::AnswerState::Queried,
        State::Adjusted => v1::AnswerState::Adjusted,
        State::Appealed => v1::AnswerState::Appealed,
        State::Paid => v1::AnswerState::Paid,
        State::Reconciled => v1::AnswerState::Reconciled,
        State::Reversed => v1::AnswerState::Reversed,
    }
}

fn decided_by(by: DecidedBy) -> v1::DecidedBy {
    match by {
        DecidedBy::Hub => v1::DecidedBy::Hub,
        DecidedBy::Insurer => v1::DecidedBy::Insurer,
        DecidedBy::StandIn => v1::DecidedBy::StandIn,
        DecidedBy::Person => v1::DecidedBy::Person,
    }
}

pub(super) fn sex(sex: Sex) -> v1::Sex {
    match sex {
        Sex::Female => v1::Sex::Female,
        Sex::Male => v1::Sex::Male,
        Sex::Other => v1::Sex::Other,
        Sex::Unknown => v1::Sex::Unknown,
    }
}

fn bill_class(class: BillClass) -> v1::BillClass {
    match class {
        BillClass::Professional => v1::BillClass::Professional,
        BillClass::Institutional => v1::BillClass::Institutional,
        BillClass::Pharmacy => v1::BillClass::Pharmacy,
        BillClass::Oral => v1::BillClass::Oral,
        BillClass::Vision => v1::BillClass::Vision,
    }
}

fn encounter_class(class: EncounterClass) -> v1::EncounterClass {
    match class {
        EncounterClass::Outpatient => v1::EncounterClass::Outpatient,
        EncounterClass::Inpatient => v1::EncounterClass::Inpatient,
        EncounterClass::Day => v1::EncounterClass::Day,
        EncounterClass::Emergency => v1::EncounterClass::Emergency,
    }
}

fn limit_kind(kind: LimitKind) -> v1::LimitKind {
    match kind {
        LimitKind::Ceiling => v1::LimitKind::Ceiling,
        LimitKind::Deductible => v1::LimitKind::Deductible,
        LimitKind::OutOfPocket => v1::LimitKind::OutOfPocket,
        LimitKind::Copay => v1::LimitKind::Copay,
        LimitKind::LeastShare => v1::LimitKind::LeastShare,
    }
}

fn limit_unit(unit: LimitUnit) -> v1::LimitUnit {
    match unit {
        LimitUnit::Money => v1::LimitUnit::Money,
        LimitUnit::Count => v1::LimitUnit::Count,
        LimitUnit::Days => v1::LimitUnit::Days,
        LimitUnit::Visits => v1::LimitUnit::Visits,
    }
}
