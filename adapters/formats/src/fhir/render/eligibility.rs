//! The answer to a question about cover: a CoverageEligibilityResponse.
//!
//! Each cover of the member is told with whether it is in force; services that were named, line by line with
//! what the cover would pay; remainders that they touch, with what is used of each. Where no cover is in
//! force the outcome is an error, with the reason.

use takmil_domain::answer::{Answer, CoverAnswer};
use takmil_domain::date::Period;
use takmil_domain::decision::{Decision, InsurerShare, LineShare, Remainder};
use takmil_domain::life::State;
use takmil_domain::message::{Eligibility, Message};
use takmil_domain::money::Amount;
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};
use takmil_domain::reason::Reason;

use super::adjudication::Category;
use super::claim::error;
use super::head;
use crate::Answered;
use crate::fhir::datatypes::{
    Money, Object, coded, concept, date, date_time, days, insurer, reason, reference, words,
};
use crate::fhir::tree::Node;

/// What may be asked; R4 knows no other purpose.
const PURPOSES: &[&str] = &["auth-requirements", "benefits", "discovery", "validation"];

/// HL7's lists of kinds of benefit, of whom one is for, and of how long.
const BENEFIT_TYPE: &str = "http://terminology.hl7.org/CodeSystem/benefit-type";
const BENEFIT_UNIT: &str = "http://terminology.hl7.org/CodeSystem/benefit-unit";
const BENEFIT_TERM: &str = "http://terminology.hl7.org/CodeSystem/benefit-term";

/// The hub's own kinds of benefit and lengths of time beside them.
const OWN_TYPE: &str = "urn:takmil:benefit-type";
const OWN_TERM: &str = "urn:takmil:benefit-term";

/// The system of plans.
const PLANS: &str = "urn:takmil:plan";

/// The extension that says why a cover is not in force.
const NOT_IN_FORCE: &str = "urn:takmil:fhir:not-in-force";

/// Reasons by which a service needs leave first.
const NEEDS_LEAVE: &[Reason] = &[
    Reason::AuthorisationMissing,
    Reason::AuthorisationPended,
    Reason::AuthorisationPenalty,
];

/// The response.
pub(super) fn response(answered: &Answered<'_>, asked: &Eligibility) -> Node<'static> {
    let Answered {
        message, answer, ..
    } = *answered;
    let money = head::money(answered);
    let errors = errors(answer);
    let outcome = match (answer.state, errors.is_empty()) {
        (state, _) if state.is_waiting() => "queued",
        (_, false) => "error",
        (_, true) => "complete",
    };
    let known = asked
        .purposes
        .iter()
        .filter(|code| PURPOSES.contains(&code.as_str()));
    let mut purposes: Vec<Node<'static>> = known.map(|code| code.clone().into()).collect();
    if purposes.is_empty() {
        purposes.push("validation".into());
    }
    let covers = answer.covers.iter();
    let insurance = covers.map(|cover| insurance(cover, message, answer.decision.as_ref(), money));
    let opened = head::opened("CoverageEligibilityResponse", answer)
        .list("purpose", purposes)
        .put("patient", head::patient(&message.head));
    serviced(opened, asked.serviced.as_ref())
        .put("created", answer.answered_at.to_string())
        .maybe("requestor", head::requestor(&message.head))
        .put(
            "request",
            head::request(message, answer, "CoverageEligibilityRequest"),
        )
        .put("outcome", outcome)
        .put("disposition", head::disposition(answered, opening(answer)))
        .put("insurer", head::insurer(&message.head, answer))
        .list("insurance", insurance)
        .list("error", errors.into_iter().map(error))
        .into()
}

/// Why there is no cover in force; nothing where there is one, or where that is not settled.
fn errors(answer: &Answer) -> Vec<Reason> {
    let is_settled = answer.state == State::Recorded || answer.state.is_decided();
    if !is_settled || answer.covers.iter().any(|cover| cover.active) {
        return Vec::new();
    }
    let whole = head::reasons(answer)
        .into_iter()
        .filter(|reason| reason.refuses());
    let of_covers = answer.covers.iter().filter_map(|cover| cover.reason);
    let mut errors: Vec<Reason> = Vec::new();
    for reason in whole.chain(of_covers) {
        if !errors.contains(&reason) {
            errors.push(reason);
        }
    }
    errors
}

/// Whether there is cover, where that was found out.
fn opening(answer: &Answer) -> &'static str {
    let mut covers = answer.covers.iter();
    match answer.state {
        State::Decided if covers.any(|cover| cover.active) => "Cover is in force.",
        State::Decided => "No cover is in force.",
        state => head::standing(state),
    }
}

/// For when it was asked: a day, or from when to when.
fn serviced(response: Object, period: Option<&Period>) -> Object {
    let Some(period) = period else {
        return response;
    };
    let day = period
        .start
        .as_ref()
        .filter(|_| period.start == period.end)
        .and_then(date);
    if let Some(day) = day {
        return response.put("servicedDate", day);
    }
    let (start, end) = (
        period.start.as_ref().and_then(date_time),
        period.end.as_ref().and_then(date_time),
    );
    if start.is_none() && end.is_none() {
        return response;
    }
    response.put(
        "servicedPeriod",
        Object::new().maybe("start", start).maybe("end", end),
    )
}

fn insurance(
    cover: &CoverAnswer,
    message: &Message,
    decision: Option<&Decision>,
    money: Money,
) -> Node<'static> {
    let why = cover.reason.map(|why| {
        Object::new()
            .put("url", NOT_IN_FORCE)
            .put("valueCodeableConcept", reason(why))
    });
    let named = [insurer(cover.insurer.as_str())];
    let lines = decision.iter().flat_map(|decision| &decision.lines);
    let services = lines.filter_map(|line| {
        let mut shares = line.supplementary.iter();
        let share = shares.find(|share| share.insurer == cover.insurer)?;
        Some(service(line, share, message, money))
    });
    let limits = decision
        .iter()
        .flat_map(|decision| remainders(decision, cover));
    let items = services.chain(limits.map(|left| limit(left, money)));
    Object::new()
        .list("extension", named.into_iter().chain(why.map(Node::from)))
        .put("coverage", coverage(cover, message))
        .put("inforce", cover.active)
        .put("benefitPeriod", days(cover.start, cover.end))
        .list("item", items)
        .into()
}

/// The cover as the sender named it, where no other can be meant; else by its plan.
fn coverage(cover: &CoverAnswer, message: &Message) -> Node<'static> {
    let sent = match message.head.coverages.as_slice() {
        [only] => reference(&only.identifiers, &["Coverage"]),
        _ => None,
    };
    let by_plan = || {
        let number = Object::new()
            .put("system", PLANS)
            .put("value", cover.plan.to_string());
        let shown = format!("{} of {}", cover.plan, cover.insurer);
        Object::new()
            .put("identifier", number)
            .put("display", shown)
            .into()
    };
    sent.unwrap_or_else(by_plan)
}

/// A service that was asked about, under one cover.
fn service(
    line: &LineShare,
    share: &InsurerShare,
    message: &Message,
    money: Money,
) -> Node<'static> {
    let bill = message.bill();
    let asked = bill
        .iter()
        .flat_map(|bill| &bill.lines)
        .find(|asked| asked.seq == line.seq);
    let is_excluded = matches!(share.refused, Some(Reason::Excluded | Reason::NoBenefit));
    let noted = line
        .trace
        .iter()
        .filter(|entry| entry.insurer.as_ref() == Some(&share.insurer));
    let reasons: Vec<Reason> = share
        .refused
        .into_iter()
        .chain(noted.map(|entry| entry.reason))
        .collect();
    let needs_leave = share.pended || reasons.iter().any(|reason| NEEDS_LEAVE.contains(reason));
    let amounts: [(Category, Amount); 5] = [
        (Category::Submitted, line.billed),
        (Category::Eligible, share.allowed),
        (Category::BaseShare, line.base),
        (Category::SupplementaryShare, share.amount),
        (Category::MemberShare, line.member),
    ];
    let benefits = amounts.map(|(category, amount)| {
        Object::new()
            .put("type", category.concept())
            .put("allowedMoney", money.of(amount))
            .into()
    });
    let why: Vec<&str> = line.reasons.iter().map(|reason| reason.meaning()).collect();
    Object::new()
        .maybe(
            "category",
            asked.and_then(|asked| coded(asked.category.as_ref()?)),
        )
        .maybe(
            "productOrService",
            asked.and_then(|asked| coded(&asked.item)),
        )
        .list(
            "modifier",
            asked
                .iter()
                .flat_map(|asked| &asked.modifiers)
                .filter_map(coded),
        )
        .put("excluded", is_excluded)
        .maybe("name", asked.and_then(|asked| words(asked.item.label()?)))
        .maybe("description", words(&why.join(" ")))
        .list("benefit", benefits)
        .put("authorizationRequired", needs_leave)
        .into()
}

/// The remainders under a cover. Those of a plan in another currency than the bill have no amount in it.
fn remainders<'d>(
    decision: &'d Decision,
    cover: &CoverAnswer,
) -> impl Iterator<Item = &'d Remainder> {
    let insurer = cover.insurer.clone();
    let shares = decision.lines.iter().flat_map(|line| &line.supplementary);
    let mut own = shares.filter(|share| share.insurer == insurer);
    let is_foreign = own.any(|share| share.refused == Some(Reason::CurrencyDiffers));
    let rows = decision.remainders.iter();
    rows.filter(move |left| left.key.insurer == insurer && !is_foreign)
}

/// A remainder: how much there is in all, and how much of it was used before the question.
fn limit(left: &Remainder, money: Money) -> Node<'static> {
    let used = left.ceiling.saturating_sub(left.before).max(0);
    let (system, code) = match (left.kind, left.unit) {
        (LimitKind::Deductible, _) => (BENEFIT_TYPE, "deductible"),
        (LimitKind::OutOfPocket, _) => (OWN_TYPE, "out-of-pocket"),
        (LimitKind::Ceiling, LimitUnit::Money) => (BENEFIT_TYPE, "benefit"),
        (LimitKind::Ceiling, LimitUnit::Count) => (OWN_TYPE, "units"),
        (LimitKind::Ceiling, LimitUnit::Days) => (OWN_TYPE, "days"),
        (LimitKind::Ceiling, LimitUnit::Visits) => (BENEFIT_TYPE, "visit"),
        (LimitKind::Copay, _) => (BENEFIT_TYPE, "copay"),
        (LimitKind::LeastShare, _) => (OWN_TYPE, "least-share"),
    };
    let benefit = Object::new().put("type", concept(system, code, None));
    let benefit = match left.unit {
        LimitUnit::Money => benefit
            .put("allowedMoney", money.units(left.ceiling))
            .put("usedMoney", money.units(used)),
        LimitUnit::Count | LimitUnit::Days | LimitUnit::Visits => {
            let benefit = counted(
                benefit,
                ["allowedUnsignedInt", "allowedString"],
                left.ceiling,
            );
            counted(benefit, ["usedUnsignedInt", "usedString"], used)
        }
    };
    let whose = if left.key.member.is_some() {
        "individual"
    } else {
        "family"
    };
    let (system, term) = match left.per {
        LimitPer::Year => (BENEFIT_TERM, "annual"),
        LimitPer::Day => (BENEFIT_TERM, "day"),
        LimitPer::Lifetime => (BENEFIT_TERM, "lifetime"),
        LimitPer::Item => (OWN_TERM, "item"),
        LimitPer::Visit => (OWN_TERM, "visit"),
        LimitPer::Month => (OWN_TERM, "month"),
    };
    Object::new()
        .put("name", left.key.code.to_string())
        .put("unit", concept(BENEFIT_UNIT, whose, None))
        .put("term", concept(system, term, None))
        .list("benefit", [benefit.into()])
        .into()
}

/// A number of units or days, under the first name; in words, under the second, where R4's numbers do not reach.
fn counted(benefit: Object, [number, words]: [&'static str; 2], count: i64) -> Object {
    match u32::try_from(count)
        .ok()
        .and_then(|count| i32::try_from(count).ok())
    {
        Some(count) => benefit.put(number, Node::number(count.to_string())),
        None => benefit.put(words, count.to_string()),
    }
}
