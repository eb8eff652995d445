//! What the hub decided, in the transaction that answers each kind: 271 to 270, 278 to 278, 277 to 837 and 276.
//!
//! 271 and 278 repeat the loops of their request and put the answer where its guide has it; a 277 has a chain of loops
//! for each claim. A message that was refused is told with its reject reason in its place.

use takmil_domain::date::Instant;
use takmil_domain::decision::LineShare;
use takmil_domain::life::State;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::plan::{LimitKind, LimitUnit};
use takmil_domain::reason::Reason;

use super::acknowledge::is_in;
use super::writer::{Writer, components};
use crate::x12::codes::{rejection, status};
use crate::x12::envelope::{Group, Interchange, Transaction};
use crate::x12::token::Segment;
use crate::x12::{group_place, transaction_place};
use crate::{Answered, Cause, Fault, Outcome, Reply};

/// Writes the answers to every group of an interchange.
pub(super) fn write(reply: &Reply<'_>, from: &Interchange<'_>, place: &str, writer: &mut Writer) {
    for (at, group) in from.groups.iter().enumerate() {
        let place = group_place(place, at + 1);
        let mut open = "";
        for (at, transaction) in group.transactions.iter().enumerate() {
            let place = transaction_place(&place, at + 1);
            let outcomes = reply.outcomes.iter();
            let own: Vec<&Outcome<'_>> = outcomes
                .filter(|outcome| outcome.place != place && is_in(outcome.place, &place))
                .collect();
            // A question about claims is answered where none was found, and not where it was refused as a whole.
            let refused = reply.outcomes.iter().any(|own| own.place == place);
            let is_told = |kind: &Kind| match kind {
                Kind::Status => !refused && transaction.is_sound(),
                _ => !own.is_empty(),
            };
            let Some(kind) = Kind::of(transaction).filter(is_told) else {
                continue;
            };
            if open != kind.group() {
                open = kind.group();
                header(group, kind, writer);
            }
            let version = if group.is_4010() {
                ""
            } else {
                kind.version(false)
            };
            writer.open(kind.number(), version);
            let told = Told {
                transaction,
                place: &place,
                outcomes: own,
            };
            match kind {
                Kind::Benefits => told.echo(writer, "0022", benefits),
                Kind::Review => told.echo(writer, "0007", review),
                Kind::Claims => told.claims(writer),
                Kind::Status => super::status::write(transaction, &place, &told.outcomes, writer),
            }
        }
    }
}

fn header(group: &Group<'_>, kind: Kind, writer: &mut Writer) {
    let gs = |number| group.gs.element(number);
    let version = kind.version(group.is_4010());
    let control = gs(6);
    writer.open_group(&[
        kind.group(),
        gs(3),
        gs(2),
        gs(4),
        gs(5),
        control,
        "X",
        version,
    ]);
}

/// A transaction that answers one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Benefits,
    Review,
    Claims,
    Status,
}

impl Kind {
    fn of(transaction: &Transaction<'_>) -> Option<Kind> {
        match transaction.st(1) {
            "270" => Some(Kind::Benefits),
            "278" => Some(Kind::Review),
            "837" => Some(Kind::Claims),
            "276" => Some(Kind::Status),
            _ => None,
        }
    }

    fn number(self) -> &'static str {
        match self {
            Kind::Benefits => "271",
            Kind::Review => "278",
            Kind::Claims | Kind::Status => "277",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Kind::Benefits => "HB",
            Kind::Review => "HI",
            Kind::Claims | Kind::Status => "HN",
        }
    }

    fn version(self, is_4010: bool) -> &'static str {
        match (self, is_4010) {
            (Kind::Benefits, false) => "005010X279A1",
            (Kind::Review, false) => "005010X217",
            (Kind::Claims | Kind::Status, false) => "005010X212",
            (Kind::Benefits, true) => "004010X092A1",
            (Kind::Review, true) => "004010X094A1",
            (Kind::Claims | Kind::Status, true) => "004010X093A1",
        }
    }
}

/// What is to be told about one transaction.
struct Told<'t, 'a> {
    transaction: &'t Transaction<'a>,
    place: &'t str,
    outcomes: Vec<&'t Outcome<'t>>,
}

type Teller = fn(&Outcome<'_>, &mut Writer);

impl Told<'_, '_> {
    /// The outcome of the message that starts with a segment.
    fn outcome(&self, segment: &Segment<'_>) -> Option<&Outcome<'_>> {
        let place = format!("{}/segment/{}", self.place, segment.number);
        self.outcomes
            .iter()
            .copied()
            .find(|outcome| outcome.place == place)
    }

    /// The day and time of the answer: of the first that was given, else the request's own.
    fn moment(&self) -> (String, String) {
        let mut given = self
            .outcomes
            .iter()
            .filter_map(|outcome| outcome.result.ok());
        match given.next() {
            Some(answered) => moment(answered.answer.answered_at),
            None => {
                let bht = self.transaction.segments.get(1);
                let of = |number| bht.map_or("", |bht| bht.element(number)).to_owned();
                (of(4), of(5))
            }
        }
    }

    fn begin(&self, writer: &mut Writer, structure: &str, purpose: &str, kind: &str) {
        let (date, time) = self.moment();
        let bht = self.transaction.segments.get(1);
        let reference = bht.map_or("", |bht| bht.element(3));
        writer.segment(&["BHT", structure, purpose, reference, &date, &time, kind]);
    }

    /// Repeats the loops of the request, with what `tell` says behind the segment that asked.
    fn echo(&self, writer: &mut Writer, structure: &str, tell: Teller) {
        let kind = if structure == "0007" { "18" } else { "" };
        self.begin(writer, structure, "11", kind);
        // An answer waits until the segments that its guide has before it are written.
        let mut waiting = None;
        for segment in self.transaction.segments.iter().skip(2) {
            let own = self.outcome(segment);
            match segment.id() {
                "SE" => break,
                "EQ" => {
                    if let Some(own) = own {
                        tell(own, writer);
                    }
                    continue;
                }
                "III" | "AMT" | "PER" | "PWK" | "NTE" => continue,
                "TRN" if segment.element(1) == "1" => {
                    writer.segment(&[
                        "TRN",
                        "2",
                        segment.element(2),
                        segment.element(3),
                        segment.element(4),
                    ]);
                }
                "UM" => {
                    writer.raw(segment.text);
                    if let Some(own) = own.or(waiting.take()) {
                        tell(own, writer);
                    }
                    continue;
                }
                "HL" if segment.element(3) == "EV" => {
                    waiting = own;
                    writer.raw(segment.text);
                    continue;
                }
                _ => writer.raw(segment.text),
            }
        }
    }

    /// One chain of loops for each claim.
    fn claims(&self, writer: &mut Writer) {
        self.begin(writer, "0010", "08", "TH");
        let mut levels = 0_usize;
        let mut context = Context::default();
        let segments = &self.transaction.segments;
        for (at, segment) in segments.iter().enumerate() {
            context.see(segment);
            let Some(outcome) = self.outcome(segment).filter(|_| segment.id() == "CLM") else {
                continue;
            };
            let rest = segments.get(at + 1..).unwrap_or_default();
            let end = rest
                .iter()
                .position(|one| matches!(one.id(), "CLM" | "HL" | "SE"));
            let own = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            context.write(&mut levels, writer);
            claim(outcome, segment, own, writer);
        }
    }
}

/// The segments that name the parties of a claim.
#[derive(Default)]
struct Context<'s, 'a> {
    payer: Option<&'s Segment<'a>>,
    submitter: Option<&'s Segment<'a>>,
    provider: Option<&'s Segment<'a>>,
    subscriber: Option<&'s Segment<'a>>,
    patient: Option<&'s Segment<'a>>,
    in_claim: bool,
}

impl<'s, 'a> Context<'s, 'a> {
    fn see(&mut self, segment: &'s Segment<'a>) {
        match (segment.id(), segment.element(1)) {
            ("CLM", _) => self.in_claim = true,
            ("HL", _) => {
                self.in_claim = false;
                if segment.element(3) == "22" {
                    self.patient = None;
                }
            }
            // Those of a claim are other covers'.
            ("NM1", _) if self.in_claim => {}
            ("NM1", "41") => self.submitter = Some(segment),
            ("NM1", "85") => self.provider = Some(segment),
            ("NM1", "IL") => self.subscriber = Some(segment),
            ("NM1", "PR") => self.payer = Some(segment),
            ("NM1", "QC") => self.patient = Some(segment),
            _ => {}
        }
    }

    fn write(&self, levels: &mut usize, writer: &mut Writer) {
        let first = *levels + 1;
        let has_patient = self.patient.is_some();
        let chain = [
            ("20", "PR", self.payer, true),
            ("21", "41", self.submitter, true),
            ("19", "1P", self.provider, true),
            ("22", "IL", self.subscriber, has_patient),
            ("23", "QC", self.patient, false),
        ];
        for (code, entity, party, has_child) in chain {
            if code == "23" && !has_patient {
                continue;
            }
            *levels += 1;
            let own = levels.to_string();
            let parent = match *levels == first {
                true => String::new(),
                false => (*levels - 1).to_string(),
            };
            writer.segment(&["HL", &own, &parent, code, if has_child { "1" } else { "0" }]);
            let of = |number| party.map_or("", |party| party.element(number));
            let named = [2, 3, 4, 5, 6, 7, 8, 9].map(of);
            let mut nm1 = vec!["NM1", entity];
            nm1.extend(named);
            writer.segment(&nm1);
        }
    }
}

/// Money as it is written.
pub(super) struct Money {
    currency: Currency,
    exponent: u32,
}

impl Money {
    pub(super) fn of(answered: &Answered<'_>) -> Option<Money> {
        let currency = answered.answer.decision.as_ref()?.currency;
        let exponent = currency.exponent(answered.answer.answered_at.day());
        Some(Money { currency, exponent })
    }

    pub(super) fn text(&self, amount: Amount) -> String {
        amount.to_decimal(self.exponent)
    }
}

/// Date and time as X12 writes them.
pub(super) fn moment(at: Instant) -> (String, String) {
    let text = at.to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    (part(0, 8), part(8, 12))
}

/// The status of a claim: where it was refused before it was taken, and else how far it has come.
fn claim(outcome: &Outcome<'_>, clm: &Segment<'_>, own: &[Segment<'_>], writer: &mut Writer) {
    writer.segment(&["TRN", "2", clm.element(1)]);
    let answered = match outcome.result {
        Ok(answered) => answered,
        Err(faults) => {
            let code = if is_duplicate(faults) { "54" } else { "21" };
            let status = components(&["A3", code]);
            writer.segment(&["STC", &status, "", "U", clm.element(2)]);
            return;
        }
    };
    let answer = answered.answer;
    let (date, _) = moment(answer.answered_at);
    let money = Money::of(&answered);
    let decision = answer.decision.as_ref();
    let reasons = answer
        .reasons
        .iter()
        .chain(decision.iter().flat_map(|one| &one.reasons));
    let reason = reasons.copied().find(|reason| status(*reason) != "0");
    let paid = decision.map(|one| one.totals.supplementary_total());
    let state = category(answer.state, paid);
    let paid_text = match (&money, paid) {
        (Some(money), Some(paid)) => money.text(paid),
        _ => String::new(),
    };
    let code = code(answer.state, reason);
    writer.segment(&[
        "STC",
        &components(&[state, code]),
        &date,
        "",
        clm.element(2),
        &paid_text,
    ]);
    writer.segment(&["REF", "1K", &answer.id.to_string()]);
    let (Some(decision), Some(money)) = (decision, money) else {
        return;
    };
    for share in &decision.lines {
        let seq = share.seq.to_string();
        let lx = own
            .iter()
            .position(|one| one.id() == "LX" && one.element(1) == seq);
        let rest = lx.and_then(|at| own.get(at..)).unwrap_or_default();
        let served = rest
            .iter()
            .find(|one| matches!(one.id(), "SV1" | "SV2" | "SV3"));
        let Some(served) = served else { continue };
        line(served, share, &money, answer.state, &date, writer);
        writer.segment(&["REF", "FJ", &seq]);
    }
}

fn line(
    served: &Segment<'_>,
    share: &LineShare,
    money: &Money,
    state: State,
    date: &str,
    writer: &mut Writer,
) {
    let composite = match served.id() {
        "SV2" if served.element(2).is_empty() => components(&["NU", served.element(1)]),
        "SV2" => writer.composite(served.element(2)),
        _ => writer.composite(served.element(1)),
    };
    let paid = share.supplementary_total();
    let (billed, paid_text) = (money.text(share.billed), money.text(paid));
    writer.segment(&["SVC", &composite, &billed, &paid_text]);
    let reason = share
        .reasons
        .iter()
        .copied()
        .find(|reason| status(*reason) != "0");
    let told = components(&[category(state, Some(paid)), code(state, reason)]);
    writer.segment(&["STC", &told, date, "", &billed, &paid_text]);
}

/// The category of a claim's status (list 507).
pub(super) fn category(state: State, paid: Option<Amount>) -> &'static str {
    match state {
        State::Recorded => "A2",
        State::Consulting | State::Pended => "P1",
        State::Queried => "R3",
        State::Refused => "F2",
        State::Cancelled | State::Reversed => "F3",
        State::Decided | State::Adjusted | State::Appealed | State::Paid | State::Reconciled => {
            match paid {
                Some(paid) if paid > Amount::ZERO => "F1",
                Some(_) => "F2",
                None => "F0",
            }
        }
    }
}

/// The status code (list 508): the reason's where one is known, else what the state comes to.
pub(super) fn code(state: State, reason: Option<Reason>) -> &'static str {
    reason.map_or_else(
        || match state {
            State::Recorded => "20",
            State::Consulting | State::Pended => "3",
            State::Queried => "123",
            State::Refused => "585",
            State::Cancelled | State::Reversed => "101",
            _ => "65",
        },
        status,
    )
}

fn is_duplicate(faults: &[Fault<'_>]) -> bool {
    faults.iter().any(|fault| fault.cause == Cause::Duplicate)
}

/// The answer to a question about cover.
fn benefits(outcome: &Outcome<'_>, writer: &mut Writer) {
    let answered = match outcome.result {
        Ok(answered) => answered,
        Err(faults) => return reject(faults, writer),
    };
    let answer = answered.answer;
    let unknown = [Reason::MemberUnknown, Reason::MemberAmbiguous];
    let reason = answer
        .reasons
        .iter()
        .find(|reason| unknown.contains(reason));
    if let (Some(reason), true) = (reason, answer.covers.is_empty()) {
        writer.segment(&["AAA", "Y", "", rejection(*reason), "C"]);
        return;
    }
    if answer.covers.is_empty() {
        writer.segment(&["EB", "6", "", "30"]);
    }
    for cover in &answer.covers {
        let state = if cover.active { "1" } else { "6" };
        writer.segment(&["EB", state, "", "30", "", cover.plan.as_str()]);
        let digits = |date: takmil_domain::date::Date| date.to_string().replace('-', "");
        let start = digits(cover.start);
        match cover.end {
            Some(end) => {
                let both = format!("{start}-{}", digits(end));
                writer.segment(&["DTP", "291", "RD8", &both]);
            }
            None => writer.segment(&["DTP", "346", "D8", &start]),
        }
        for benefit in &cover.benefits {
            writer.segment(&["MSG", benefit]);
        }
    }
    let (Some(decision), Some(money)) = (&answer.decision, Money::of(&answered)) else {
        return;
    };
    let asked = answered.message.bill();
    for share in &decision.lines {
        let line = asked
            .iter()
            .flat_map(|bill| &bill.lines)
            .find(|own| own.seq == share.seq);
        let item = line.and_then(|line| line.item.source.as_ref());
        let (kind, procedure) = match item {
            Some(item) if item.system == crate::x12::codes::SERVICE_TYPE => {
                (item.code.as_str(), String::new())
            }
            Some(item) => ("", components(&["HC", &item.code])),
            None => ("", String::new()),
        };
        let refused = share.reasons.iter().any(|reason| reason.refuses());
        let state = if refused { "I" } else { "1" };
        let needs = share.reasons.contains(&Reason::AuthorisationMissing);
        let leave = if needs { "Y" } else { "" };
        writer.segment(&[
            "EB", state, "", kind, "", "", "", "", "", "", "", leave, "", &procedure,
        ]);
    }
    for left in &decision.remainders {
        let kind = match left.kind {
            LimitKind::Deductible => "C",
            LimitKind::OutOfPocket => "G",
            _ => "F",
        };
        let count = left.after.to_string();
        match left.unit {
            LimitUnit::Money => {
                let amount = Amount::new(left.after).map(|amount| money.text(amount));
                let amount = amount.unwrap_or_default();
                writer.segment(&["EB", kind, "", "30", "", "", "29", &amount]);
            }
            LimitUnit::Days => {
                writer.segment(&["EB", kind, "", "30", "", "", "29", "", "", "DY", &count]);
            }
            LimitUnit::Count | LimitUnit::Visits => {
                writer.segment(&["EB", kind, "", "30", "", "", "29", "", "", "VS", &count]);
            }
        }
    }
}

/// What is told of a question or request that could not be read or taken.
fn reject(faults: &[Fault<'_>], writer: &mut Writer) {
    let passing = faults.iter().any(|fault| fault.cause.is_passing());
    let (reason, then) = match passing {
        true => ("42", "R"),
        false => ("33", "C"),
    };
    writer.segment(&["AAA", "Y", "", reason, then]);
}

/// The answer to a request for review.
fn review(outcome: &Outcome<'_>, writer: &mut Writer) {
    let answered = match outcome.result {
        Ok(answered) => answered,
        Err(faults) => return reject(faults, writer),
    };
    let answer = answered.answer;
    let decision = answer.decision.as_ref();
    let action = match answer.state {
        State::Recorded => "CT",
        State::Consulting | State::Pended | State::Queried => "A4",
        State::Refused => "A3",
        State::Cancelled | State::Reversed => "C",
        _ => match decision {
            Some(decision) if decision.totals.supplementary_total().is_zero() => "A3",
            Some(decision) if decision.totals.allowed < decision.totals.billed => "A6",
            _ => "A1",
        },
    };
    let id = answer.id.to_string();
    writer.segment(&["HCR", action, &id]);
    if let Some(until) = decision.and_then(|decision| decision.valid_until) {
        let until = until.to_string().replace('-', "");
        writer.segment(&["DTP", "036", "D8", &until]);
    }
    let (Some(decision), Some(money)) = (decision, Money::of(&answered)) else {
        return;
    };
    for share in &decision.lines {
        let text = format!(
            "LINE {}: ALLOWED {} OF {} {}, INSURERS {}, MEMBER {}",
            share.seq,
            money.text(share.allowed),
            money.text(share.billed),
            money.currency,
            money.text(share.supplementary_total() + share.base),
            money.text(share.member),
        );
        writer.segment(&["MSG", &text]);
    }
}
