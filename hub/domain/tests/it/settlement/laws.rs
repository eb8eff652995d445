//! What must hold of every book.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use takmil_domain::date::Instant;
use takmil_domain::ids::DifferenceId;
use takmil_domain::money::Amount;
use takmil_domain::settlement::age::Aging;
use takmil_domain::settlement::period::{Hindrance, TrialBalance};
use takmil_domain::settlement::remittance::Remittance;
use takmil_domain::settlement::state::PaymentState;
use takmil_domain::settlement::statement::Netting;
use takmil_domain::settlement::{Account, Balances, Folio, Pair, Refused, Transfer, TransferKind};
use uuid::Uuid;

use super::book::{Book, Page};
use super::month::{Event, Month, What, calendar_month};

type Law = fn(&Month) -> Result<(), String>;

pub(crate) const LAWS: &[(&str, Law)] = &[
    (
        "after every step each account holds what dues and payments say, and all of them nothing",
        always_balanced,
    ),
    ("what happens twice happens once", repeats_change_nothing),
    (
        "a refusal leaves the book as it was",
        refusals_change_nothing,
    ),
    (
        "the transfers, the dues and the statements come to the same",
        statements_add_up,
    ),
    (
        "events that have nothing to do with each other may come in any order",
        order_means_nothing,
    ),
    (
        "a month closes exactly when nothing stands in the way, and all that does is named",
        closes_when_nothing_is_open,
    ),
    (
        "an advice of each payment adds up to the payment",
        advices_add_up,
    ),
];

fn ensure(holds: bool, detail: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(detail()) }
}

fn always_balanced(month: &Month) -> Result<(), String> {
    let mut book = Book::new(month);
    for (number, event) in month.events.iter().enumerate() {
        book.act(event);
        balanced(&book).map_err(|detail| format!("event {number}: {detail}"))?;
    }
    Ok(())
}

/// Whether accounts, dues and payments say the same.
pub(crate) fn balanced(book: &Book) -> Result<(), String> {
    for (pair, page) in &book.pages {
        let transfers = Balances::of(&page.transfers);
        let stands = page.folio.balances();
        ensure(transfers == stands, || {
            format!("{pair}: {transfers:?} by transfers, {stands:?} by dues")
        })?;
        ensure(transfers.sum() == 0, || format!("{pair}: {transfers:?}"))?;
        sound(&page.folio).map_err(|detail| format!("{pair}: {detail}"))?;
    }
    Ok(())
}

/// Whether no sum lies below zero, and each due holds what payments have reached it with.
fn sound(folio: &Folio) -> Result<(), String> {
    for due in folio.dues() {
        let sums = [
            due.incurred,
            due.noticed,
            due.confirmed,
            due.disputed,
            due.written_off,
        ];
        let real = Amount::ZERO..=Amount::MAX;
        ensure(sums.iter().all(|sum| real.contains(sum)), || {
            format!("{due:?}")
        })?;
        ensure(due.incurred >= due.disputed + due.written_off, || {
            format!("argued about more than was incurred: {due:?}")
        })?;
        let reached = |state| -> Amount {
            let payments = folio.payments().filter(|one| one.state == state);
            payments.map(|one| one.reached(due.message)).sum()
        };
        let (on_its_way, arrived) = (
            reached(PaymentState::Noticed),
            reached(PaymentState::Confirmed),
        );
        ensure(
            (on_its_way, arrived) == (due.noticed, due.confirmed),
            || format!("payments say {on_its_way} and {arrived}: {due:?}"),
        )?;
        let held = due.lines.iter().all(|line| real.contains(&line.held));
        ensure(held, || format!("{due:?}"))?;
    }
    for payment in folio.payments() {
        let sound = payment.allocated() <= payment.amount && payment.rest() >= Amount::ZERO;
        ensure(sound, || format!("{payment:?}"))?;
    }
    Ok(())
}

fn folios(book: &Book) -> BTreeMap<Pair, Folio> {
    let folio = |(pair, page): (&Pair, &Page)| (pair.clone(), page.folio.clone());
    book.pages.iter().map(folio).collect()
}

fn repeats_change_nothing(month: &Month) -> Result<(), String> {
    let mut book = Book::new(month);
    for (number, event) in month.events.iter().enumerate() {
        book.act(event);
        if !event.twice {
            continue;
        }
        let before = folios(&book);
        // What earlier payments left over may reach what has come to be owed since: that is no repeat.
        let mut later = event.clone();
        later.at = Instant(event.at.0 + 1);
        let again = book.act(&later);
        ensure(again.is_empty() && folios(&book) == before, || {
            format!("event {number}: {again:?}")
        })?;
    }
    Ok(())
}

fn refusals_change_nothing(month: &Month) -> Result<(), String> {
    let mut book = Book::new(month);
    for (number, event) in month.events.iter().enumerate() {
        let before = folios(&book);
        book.refusals.clear();
        book.act(event);
        let is_refused = !book.refusals.is_empty();
        let is_known = |pair: &Pair| before.contains_key(pair);
        let after = folios(&book);
        let mut same = after
            .iter()
            .filter(|(pair, _)| is_known(pair))
            .map(|(pair, folio)| before.get(pair) == Some(folio));
        ensure(!is_refused || same.all(|same| same), || {
            format!("event {number}: {:?}", book.refusals)
        })?;
    }
    Ok(())
}

fn statements_add_up(month: &Month) -> Result<(), String> {
    let mut book = Book::new(month);
    book.run(month);
    adds_up(&book)?;
    // A day that is run again has nothing to state but what was booked since.
    let late = book.unstated();
    let made = book.state(calendar_month().last().add_days(1));
    ensure((late > 0) == (made > 0), || {
        format!("{late} transfers made {made} statements")
    })?;
    adds_up(&book)?;
    let again = book.state(calendar_month().last().add_days(2));
    ensure(again == 0 && book.unstated() == 0, || {
        format!("{again} statements of nothing")
    })?;
    let closing = book
        .pages
        .values()
        .filter_map(|page| page.statements.last());
    let closing: i128 = closing.map(|last| i128::from(last.closing)).sum();
    ensure(closing == book.payable(), || {
        format!("closed with {closing}, payable {}", book.payable())
    })
}

/// Whether statements follow each other, add up, and say what their transfers come to.
pub(crate) fn adds_up(book: &Book) -> Result<(), String> {
    for (pair, page) in &book.pages {
        let mut before = None;
        for statement in &page.statements {
            ensure(
                statement.check().is_ok() && statement.follows(before).is_ok(),
                || format!("{pair}: {statement:?}"),
            )?;
            before = Some(statement);
        }
        let stated = Balances::of(&page.transfers[..page.stated]);
        let trial = TrialBalance::of(&page.statements).map_err(|refused| refused.to_string())?;
        for (account, debits, credits) in &trial.rows {
            let balance = i128::from(*credits) - i128::from(*debits);
            ensure(balance == stated.get(*account), || {
                format!("{pair}: {account:?} is {balance} by statements, {stated:?}")
            })?;
        }
        let netting = Netting::of(page.folio.dues()).map_err(|refused| refused.to_string())?;
        let payable = page.folio.balances().get(Account::Payable);
        ensure(i128::from(netting.net) == payable, || {
            format!("{pair}: {netting:?}, payable {payable}")
        })?;
        let aging = Aging::of(page.folio.dues(), calendar_month().last());
        let aging = aging.map_err(|refused| refused.to_string())?;
        let open: i64 = aging.ages.values().map(|aged| aged.open).sum();
        ensure(
            (open, aging.taken_back) == (netting.owed, netting.taken_back),
            || format!("{pair}: {aging:?}, {netting:?}"),
        )?;
    }
    Ok(())
}

fn order_means_nothing(month: &Month) -> Result<(), String> {
    let book_of = |events: &[&Event]| {
        let mut book = Book::new(month);
        for event in events {
            book.act(event);
        }
        book
    };
    let as_it_went: Vec<&Event> = month.events.iter().collect();
    let one = book_of(&as_it_went);
    let other = book_of(&shuffled(month));
    let sorted = |page: &Page| -> Vec<Transfer> {
        let mut transfers = page.transfers.clone();
        transfers.sort();
        transfers
    };
    for (pair, page) in &one.pages {
        let its = other.pages.get(pair).ok_or_else(|| pair.to_string())?;
        ensure(page.folio == its.folio, || {
            format!("{pair}: {:#?}\n{:#?}", page.folio, its.folio)
        })?;
        ensure(sorted(page) == sorted(its), || format!("{pair}: transfers"))?;
    }
    ensure(one.disputes == other.disputes, || "disputes".to_owned())
}

/// The events with those of each strand in their order, and the strands between each other in another.
fn shuffled(month: &Month) -> Vec<&Event> {
    let mut strands: BTreeMap<usize, VecDeque<&Event>> = BTreeMap::new();
    for event in &month.events {
        strands.entry(event.strand).or_default().push_back(event);
    }
    let mut strands: Vec<VecDeque<&Event>> = strands.into_values().collect();
    let mut order = month.order.iter().cycle();
    let mut events = Vec::new();
    while !strands.is_empty() {
        let at = order.next().map_or(0, |at| *at as usize) % strands.len();
        events.extend(strands[at].pop_front());
        strands.retain(|strand| !strand.is_empty());
    }
    events
}

fn closes_when_nothing_is_open(month: &Month) -> Result<(), String> {
    let mut book = Book::new(month);
    book.run(month);
    let differences: Vec<(DifferenceId, i64)> = month
        .difference
        .map(|amount| (DifferenceId(Uuid::from_u128(9)), amount))
        .into_iter()
        .collect();
    let closed = book.close(month, &differences);
    let hindrances = closed.as_ref().err().cloned().unwrap_or_default();
    let unstated = |page: &Page| (page.transfers.len() - page.stated) as u64;
    let of_pair = |(pair, page): (&Pair, &Page)| Hindrance::Unstated {
        pair: pair.clone(),
        transfers: unstated(page),
    };
    let late = book.pages.iter().filter(|(_, page)| unstated(page) > 0);
    let expected: Vec<Hindrance> = month
        .skipped
        .iter()
        .map(|day| Hindrance::DayNotRun(*day))
        .chain(late.map(of_pair))
        .chain(
            differences
                .iter()
                .map(|(id, amount)| Hindrance::Difference {
                    id: *id,
                    amount: *amount,
                }),
        )
        .collect();
    ensure(hindrances == expected, || {
        format!("{hindrances:?}, not {expected:?}")
    })?;
    ensure(closed.is_ok() == expected.is_empty(), || {
        "closed in spite of it".to_owned()
    })
}

fn advices_add_up(month: &Month) -> Result<(), String> {
    let mut book = Book::new(month);
    for (number, event) in month.events.iter().enumerate() {
        let transfers = book.act(event);
        let What::Noticed { notice, id, .. } = &event.what else {
            continue;
        };
        let Some(page) = book.pages.get(&notice.pair) else {
            continue;
        };
        // One that was refused, or a repeat, books nothing to advise of.
        if transfers.is_empty() {
            continue;
        }
        let advice = Remittance::of_payment(&page.folio, *id, &transfers, |_| None, event.at);
        let advice = advice.map_err(|refused| format!("event {number}: {refused}"))?;
        let reached: i64 = advice.claims.iter().map(|claim| claim.paid).sum();
        ensure(
            reached + advice.ahead == notice.amount.get() && advice.paid == notice.amount.get(),
            || format!("event {number}: {advice:?}"),
        )?;
        for claim in &advice.claims {
            let lines: i64 = claim.lines.iter().map(|line| line.paid).sum();
            ensure(lines + claim.beyond == claim.paid, || {
                format!("event {number}: {claim:?}")
            })?;
        }
    }
    Ok(())
}

/// What generated months have met.
#[derive(Default)]
pub(crate) struct Reached {
    kinds: BTreeSet<TransferKind>,
    refusals: BTreeSet<Refused>,
    overpaid: usize,
    closed: usize,
    hindered: usize,
}

impl Reached {
    pub(crate) fn note(&mut self, month: &Month) {
        let mut book = Book::new(month);
        book.run(month);
        for page in book.pages.values() {
            self.kinds.extend(page.transfers.iter().map(|one| one.kind));
            let payments = page.folio.payments();
            let fates = payments.flat_map(|payment| payment.receipt.rows.iter());
            self.refusals.extend(fates.filter_map(|fate| fate.refused));
            let overpaid = page.folio.dues().filter(|due| due.open() < Amount::ZERO);
            self.overpaid += overpaid.count();
        }
        self.refusals.extend(&book.refusals);
        match book.close(month, &[]) {
            Ok(_) => self.closed += 1,
            Err(_) => self.hindered += 1,
        }
    }

    /// What they have not.
    pub(crate) fn missing(&self) -> Vec<String> {
        // One currency, no statement out of order, no closed month, no book that was tampered with: tables tell of
        // those.
        let kinds = TransferKind::ALL
            .iter()
            .filter(|kind| !self.kinds.contains(kind))
            .map(|kind| format!("{kind:?}"));
        let elsewhere = [Refused::Currency, Refused::Closed, Refused::Unbalanced];
        let refusals = Refused::ALL
            .iter()
            .filter(|one| !elsewhere.contains(one) && !self.refusals.contains(one))
            .map(|refused| format!("{refused:?}"));
        let often = [
            ("overpaid", self.overpaid),
            ("closed", self.closed),
            ("hindered", self.hindered),
        ];
        let rare = often
            .into_iter()
            .filter(|(_, times)| *times < 20)
            .map(|(name, times)| format!("{name} {times} times"));
        kinds.chain(refusals).chain(rare).collect()
    }
}
