//! Canonical messages as history, where there is no extract: each is judged by one set of documents, as
//! [`Documents`] judges it.

use uuid::Uuid;

use super::writer::{Entry, TooMuch, Writer};
use crate::coverage::{Cover, Person};
use crate::date::{Instant, When};
use crate::digest::sha256;
use crate::exchange::ExchangeRate;
use crate::ids::{AccountId, MemberId, MessageId};
use crate::message::{Kind, Message};
use crate::money::Currency;
use crate::problem::{Problem, ProblemCode};
use crate::share::{Case, Documents, bill_diagnoses, bill_lines, first_day};

/// Why a message is no part of a history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It uses no limits up: it is neither a claim nor a dispense, and is left out.
    #[error("the message uses nothing up")]
    UsesNothing,
    /// Something is wrong with it, or with the documents beside it.
    #[error("the message cannot be judged")]
    Problems(Vec<Problem>),
    /// The history is full.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

const DAY_US: i64 = 86_400_000_000;

/// Adds a message to an extract. Members are told apart by their first identifier, and accounts by the certificates of the
/// documents' covers; without one, each member has an account alone. Messages follow each other by the day that they are
/// about, then by `number`, which is also their id.
///
/// # Errors
/// [`Unusable`]
pub fn push_message(
    writer: &mut Writer,
    documents: &Documents,
    message: &Message,
    number: u32,
) -> Result<(), Unusable> {
    if !matches!(message.kind(), Kind::Claim | Kind::Dispense) {
        return Err(Unusable::UsesNothing);
    }
    let missing = |pointer: &str, detail: &str| {
        Unusable::Problems(vec![Problem::new(ProblemCode::Missing, pointer, detail)])
    };
    let head = &message.head;
    let bill = message.bill();
    let bill = bill
        .as_deref()
        .ok_or_else(|| missing("", "the message has no bill"))?;
    let day = first_day(bill, head)
        .ok_or_else(|| missing("/occurred_on", "nothing in the message names a day"))?;
    let named = head.member.identifiers.first();
    let named = named.map_or("", |identifier| identifier.value.as_str());
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = sha256(named.as_bytes());
    let own = Uuid::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]);
    let covers = documents.plans.iter().map(|plan| {
        let mut cover = documents.cover(plan, MemberId(own));
        if cover.account.0.is_nil() {
            cover.account = AccountId(own);
        }
        cover
    });
    let covers: Vec<Cover> = covers.collect();
    let encounter = bill.encounter.as_ref();
    let visit = encounter.and_then(|encounter| encounter.identifiers.first());
    let facility = [&head.facility, &head.provider].into_iter().flatten();
    let problems = |problems| Unusable::Problems(problems);
    let case = Case {
        currency: head.currency.unwrap_or(Currency::NONE),
        person: Person {
            birth_date: head.member.birth_date.as_ref().and_then(When::first_day),
            sex: head.member.sex,
        },
        visit: visit.map_or("", |identifier| identifier.value.as_str()),
        class: encounter.and_then(|encounter| encounter.class),
        sector: facility.filter_map(|party| party.sector).next(),
        base: documents.base(day).map_err(problems)?,
        accident: bill.accident.is_some(),
        diagnoses: bill_diagnoses(bill),
        asks_leave: false,
        covers: documents.terms(&covers, day).map_err(problems)?,
        lines: bill_lines(bill, head, day, |line| documents.line_terms(line)),
    };
    let wanted = documents
        .plans
        .first()
        .map_or(case.currency, |plan| plan.currency);
    let exchange = ExchangeRate::of_day(&documents.exchange, (case.currency, wanted), day);
    let of_day = day.days_since(Instant(0).day()).saturating_mul(DAY_US);
    writer.push(&Entry {
        id: MessageId(Uuid::from_u128(number.into())),
        kind: message.kind(),
        at: Instant(of_day.saturating_add(i64::from(number))),
        day,
        member: MemberId(own),
        case: &case,
        exchange,
        recorded: None,
    })?;
    Ok(())
}
