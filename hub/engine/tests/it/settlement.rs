//! What is owed is born with its decision and follows it; days are settled by the clock, payments booked beside the lanes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use takmil_conformance::insurer::{Manner, Script, Verdict, Wire};
use takmil_domain::answer::Answer;
use takmil_domain::date::{Calendar, Instant};
use takmil_domain::digest::sha256;
use takmil_domain::ids::{LimitCode, MessageId};
use takmil_domain::life::State;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::settlement::age::Age;
use takmil_domain::settlement::payment::Reach;
use takmil_domain::settlement::period::{Hindrance, Month};
use takmil_domain::settlement::reconcile::{DifferenceKind, Figure};
use takmil_domain::settlement::remittance::Remittance;
use takmil_domain::settlement::stage::Stage;
use takmil_domain::settlement::state::{DifferenceState, PaymentEvent};
use takmil_domain::settlement::{Notice, Pair, PayeeKind, Receipt, TransferKind};
use takmil_engine::{Error, StagesAsked};
use takmil_store::{
    BookFilter, DifferenceRecord, OpenDifferences, Scope, StatedFigures, StatementFilter,
    StatementRecord, StoreError,
};

use crate::rig::{Insurer, Rig, bill, following, insurer, insurer_id, message};

fn claim(number: &str, billed: i64) -> Value {
    message("claim", number, json!({"bill": bill("S1", billed)}))
}

fn cancel(number: &str, of: &str) -> Value {
    following(message("cancel", number, json!({})), "cancels", of)
}

fn clinic_of(insurer: &str) -> Pair {
    Pair {
        insurer: insurer_id(insurer),
        provider: insurer_id("clinic"),
        payee: PayeeKind::Provider,
        currency: Currency::parse("IRR").unwrap(),
    }
}

impl Rig {
    /// What insurers owe for a claim: who, incurred, open.
    pub(crate) async fn owed(&self, message: MessageId) -> Vec<(String, i64, i64)> {
        let filter = BookFilter::default();
        let store = self.engine.store();
        let dues = store.dues(&Scope::Hub, &filter, Some(message), false, None, 10);
        let dues = dues.await.unwrap();
        let shown = dues.iter().map(|due| {
            let insurer = due.pair.insurer.to_string();
            (insurer, due.incurred.get(), due.open().get())
        });
        shown.collect()
    }

    async fn pay(&self, insurer: &str, reference: &str, amount: i64, reach: Reach) -> Receipt {
        let notice = Notice {
            reference: reference.to_owned(),
            pair: clinic_of(insurer),
            amount: Amount::new(amount).unwrap(),
            paid_on: self.engine.book_day(),
            instrument: None,
            reach,
        };
        let scope = Scope::Insurer(insurer_id(insurer));
        let now = self.engine.now();
        let booked = self.engine.store().notice(&scope, &notice, now).await;
        booked.unwrap().unwrap()
    }

    async fn settle(&self, receipt: &Receipt, event: PaymentEvent) {
        let scope = Scope::Provider(insurer_id("clinic"));
        let (store, now) = (self.engine.store(), self.engine.now());
        let settled = store.settle(&scope, receipt.payment, event, now).await;
        settled.unwrap().unwrap();
    }

    /// The statements of an insurer, once there are so many.
    async fn statements(&self, insurer: &str, many: usize) -> Vec<StatementRecord> {
        let scope = Scope::Insurer(insurer_id(insurer));
        let filter = StatementFilter::default();
        for _ in 0..1_000 {
            let store = self.engine.store();
            let found = store.statements(&scope, &filter, 0, 100).await.unwrap();
            if found.len() >= many {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{insurer} has no {many} statements")
    }
}

fn paid(answer: &Answer, insurer: &str) -> i64 {
    let totals = &answer.decision.as_ref().unwrap().totals;
    let own = totals.supplementary.iter();
    own.filter(|(own, _)| *own == insurer_id(insurer))
        .map(|(_, amount)| amount.get())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_is_born_with_its_decision_and_follows_it() {
    let rig = Rig::new(&[(Insurer::Delegated, 50), (Insurer::Delegated, 1_000)]).await;
    let answer = rig.take(claim("C-1", 100)).await;
    let (first, second) = (paid(&answer, "i-1"), paid(&answer, "i-2"));
    assert!(first == 50 && second > 0, "{first} {second}");
    let owed = |first, second| {
        vec![
            ("i-1".to_owned(), first, first),
            ("i-2".to_owned(), second, second),
        ]
    };
    assert_eq!(rig.owed(answer.id).await, owed(first, second));
    let again = rig.take(claim("C-1", 100)).await;
    assert_eq!(again.id, answer.id, "a repeat");
    assert_eq!(rig.owed(answer.id).await, owed(first, second));

    // A correction that both agreed to.
    rig.publish_terms("i-1", json!({})).await;
    let today = rig.engine.now().day();
    let own = insurer_id("i-1");
    let listed = rig.engine.corrections(&own, (today, today)).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        rig.owed(answer.id).await,
        owed(first, second),
        "listed alone"
    );
    rig.engine.correct(&own, &listed).await.unwrap();
    let after = rig.owed(answer.id).await;
    assert_eq!(after[0].1, listed[0].after.insurer.get());
    assert_ne!(after[0].1, first);
    rig.assert_ledger_is_sound().await;

    rig.take(cancel("X-1", "C-1")).await;
    let nothing: Vec<i64> = rig.owed(answer.id).await.iter().map(|own| own.1).collect();
    assert_eq!(nothing, [0, 0]);

    // What asks and reserves owes nothing; what replaces owes in the place of what it replaces.
    let admission = message("admission", "A-1", json!({"bill": bill("S1", 30)}));
    assert_eq!(rig.owed(rig.take(admission).await.id).await, []);
    let replaced = rig.take(claim("C-2", 100)).await;
    let replacing = rig
        .take(following(claim("C-3", 60), "replaces", "C-2"))
        .await;
    let sum = |owed: Vec<(String, i64, i64)>| owed.iter().map(|own| own.1).sum::<i64>();
    assert_eq!(sum(rig.owed(replaced.id).await), 0);
    let total = paid(&replacing, "i-1") + paid(&replacing, "i-2");
    assert_eq!(sum(rig.owed(replacing.id).await), total);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_insurer_is_owed_when_it_has_spoken() {
    let simulator = insurer("i-1", Wire::Grpc).await;
    let pends = Script {
        verdict: Verdict::Pend,
        manner: Manner::Prompt,
    };
    simulator.perform(pends).await;
    let rig = Rig::new(&[(Insurer::Consulted(&simulator), 1_000)]).await;
    let answer = rig.take(claim("C-1", 100)).await;
    assert_eq!(answer.state, State::Pended);
    assert_eq!(rig.owed(answer.id).await, []);
    let word = json!({
        "message": answer.id, "reference": "late-1", "verdict": "approve",
    });
    let word: takmil_domain::participant::InsurerDecision = serde_json::from_value(word).unwrap();
    let decided = rig.engine.decide(&insurer_id("i-1"), word).await.unwrap();
    assert_eq!(decided.answer.state, State::Decided);
    assert_eq!(rig.owed(answer.id).await, [("i-1".to_owned(), 90, 90)]);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_stated_paid_and_what_is_taken_back_is_netted() {
    let rig = Rig::new(&[(Insurer::Delegated, 10_000), (Insurer::Delegated, 10_000)]).await;
    let mut claims = Vec::new();
    for number in 1..=4 {
        let text = format!("C-{number}");
        claims.push(rig.take(claim(&text, 1_000)).await);
    }
    let own = paid(&claims[0], "i-1");
    assert_eq!(own, 900);
    let second = paid(&claims[0], "i-2");
    rig.pass_days(2);
    // The day is over: the clock makes its statements, by itself.
    let first = rig.statements("i-1", 1).await.remove(0);
    assert_eq!(
        (first.statement.opening, first.statement.closing),
        (0, 4 * own)
    );
    assert_eq!(
        rig.statements("i-2", 1).await[0].statement.closing,
        4 * second
    );
    rig.assert_ledger_is_sound().await;

    // One pays a part and then the rest, the other in bulk and too much.
    let statement = Reach::Statement(first.number);
    let part = rig.pay("i-1", "p-1", own + 100, statement.clone()).await;
    assert_eq!(part.allocated.get(), own + 100);
    rig.settle(&part, PaymentEvent::Confirmed).await;
    let bounced = rig
        .pay("i-1", "p-2", 3 * own - 100, statement.clone())
        .await;
    rig.settle(&bounced, PaymentEvent::Bounced).await;
    let rest = rig.pay("i-1", "p-3", 3 * own - 100, statement).await;
    assert_eq!(
        (rest.allocated.get(), rest.prepaid.get()),
        (3 * own - 100, 0)
    );
    rig.settle(&rest, PaymentEvent::Confirmed).await;
    let bulk = rig.pay("i-2", "p-1", 4 * second + 7, Reach::Bulk).await;
    assert_eq!(bulk.prepaid.get(), 7);
    rig.settle(&bulk, PaymentEvent::Confirmed).await;
    for claim in &claims {
        let open: Vec<i64> = rig.owed(claim.id).await.iter().map(|own| own.2).collect();
        assert_eq!(open, [0, 0]);
    }
    rig.assert_ledger_is_sound().await;

    // A paid claim is taken back, and another comes: the next statement nets the two.
    rig.take(cancel("X-1", "C-2")).await;
    assert_eq!(rig.owed(claims[1].id).await[0], ("i-1".to_owned(), 0, -own));
    let later = rig.take(claim("C-5", 500)).await;
    rig.pass_days(2);
    let next = rig.statements("i-1", 2).await.remove(1);
    let sum = |kind| next.statement.sum(kind);
    assert_eq!(next.statement.opening, 4 * own);
    assert_eq!(sum(TransferKind::Reversed), own);
    assert_eq!(sum(TransferKind::Incurred), 450);
    assert_eq!(sum(TransferKind::Bounced), 3 * own - 100);
    assert_eq!(next.statement.closing, 450 - own);
    let store = rig.engine.store();
    let book = store
        .statement(&Scope::Provider(insurer_id("clinic")), next.number)
        .await
        .unwrap();
    let advice = Remittance::of_statement(
        &book.folio,
        next.number,
        &book.record.statement,
        &book.transfers,
        |_| None,
        rig.engine.now(),
    );
    let advice = advice.unwrap();
    assert_eq!(advice.paid, 4 * own);
    let back = advice.claims.iter().find(|own| own.message == claims[1].id);
    let back = back.unwrap();
    assert_eq!(
        (back.amount, back.moved),
        (0, -2 * own),
        "paid, and taken back"
    );

    // The run has let what was overpaid reach the other claim: the next payment need not bring it.
    for (message, incurred) in [(claims[1].id, 0), (later.id, 450)] {
        let owed = rig.owed(message).await;
        assert_eq!(owed[0].1, incurred);
        assert!(owed.iter().all(|own| own.2 == 0), "{owed:?}");
    }
    let bulk = rig.pay("i-1", "p-4", 10, Reach::Bulk).await;
    assert_eq!(bulk.prepaid.get(), 10);
    let aged = store
        .aging(&Scope::Hub, &BookFilter::default(), rig.engine.book_day())
        .await
        .unwrap();
    let open = |insurer: &str| {
        let own = aged
            .iter()
            .filter(|own| own.pair.insurer == insurer_id(insurer));
        own.flat_map(|own| own.aging.ages.values())
            .map(|age| age.open)
            .sum::<i64>()
    };
    assert_eq!(open("i-1"), 0);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_closed_when_it_is_over_and_stays_as_it_was() {
    let rig = Rig::new(&[(Insurer::Delegated, 10_000)]).await;
    let claim = rig.take(claim("C-1", 1_000)).await;
    let month = Month::of(rig.engine.book_day(), Calendar::Gregorian).unwrap();
    let (insurer, currency) = (insurer_id("i-1"), Currency::parse("IRR").unwrap());
    let whose = (&insurer, currency);
    let period = async || {
        let scope = Scope::Insurer(insurer_id("i-1"));
        rig.engine.period(&scope, whose, month).await.unwrap()
    };
    assert!(period().await.hindrances.contains(&Hindrance::NotOver));
    let early = rig.engine.close_period(whose, month, None).await.unwrap();
    assert!(early.is_err());
    let stranger = Scope::Insurer(insurer_id("i-2"));
    let foreign = rig.engine.period(&stranger, whose, month).await;
    assert!(matches!(foreign, Err(Error::Store(StoreError::NotFound))));

    rig.pass_days(40);
    let mut tries = 0;
    while !period().await.hindrances.is_empty() {
        tries += 1;
        assert!(tries < 500, "{:?}", period().await.hindrances);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..2 {
        let closed = rig.engine.close_period(whose, month, None).await.unwrap();
        assert_eq!(closed, Ok(()));
    }
    let before = period().await;
    let closed = before.closed.clone().unwrap();
    assert_eq!(closed.debits, 900);
    assert_eq!(before.balance.totals(), (900, 900));

    // What comes later is booked in the open month.
    rig.take(cancel("X-1", "C-1")).await;
    rig.pass_days(2);
    let later = rig.statements("i-1", 2).await.remove(1).statement;
    assert!(later.day > month.last() && later.closing == 0, "{later:?}");
    let after = period().await;
    assert_eq!(
        (after.balance, after.closed),
        (before.balance, Some(closed))
    );
    let store = rig.engine.store();
    let (now, day) = (rig.engine.now(), month.last());
    rig.take(self::claim("C-9", 100)).await;
    assert_eq!(
        store.settle_day(day, rig.engine.now(), now).await.unwrap(),
        0
    );
    assert_eq!(rig.owed(claim.id).await, [("i-1".to_owned(), 0, 0)]);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_and_late_is_added_up_now_and_then() {
    let rig = Rig::new(&[(Insurer::Delegated, 10_000)]).await;
    rig.take(claim("C-1", 1_000)).await;
    rig.pass_days(200);
    let (insurer, currency) = (insurer_id("i-1"), Currency::parse("IRR").unwrap());
    let mut tries = 0;
    let standing = loop {
        let standing = rig.money.lock().unwrap().clone().unwrap_or_default();
        let oldest = (insurer.clone(), currency, Age::Over90);
        if standing.owed.get(&oldest) == Some(&900) {
            break standing;
        }
        tries += 1;
        assert!(tries < 500, "{standing:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let late = standing.late.get(&(insurer, Stage::Noticed));
    assert_eq!(late, Some(&1), "{standing:?}");
    let asked = StagesAsked {
        stage: Some(Stage::Noticed),
        is_late: true,
        ..StagesAsked::default()
    };
    let listed = rig.engine.stages(&Scope::Hub, &asked, None, 10);
    let listed = listed.await.unwrap();
    assert_eq!((listed.documents.len(), listed.next), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_whose_figures_differ_is_closed_only_with_what_somebody_accepts() {
    let rig = Rig::new(&[(Insurer::Delegated, 10_000)]).await;
    let claim = rig.take(claim("C-1", 1_000)).await;
    let month = Month::of(rig.engine.book_day(), Calendar::Gregorian).unwrap();
    let (insurer, currency) = (insurer_id("i-1"), Currency::parse("IRR").unwrap());
    let whose = (&insurer, currency);
    let figure = Figure {
        amount: Amount::new(850).unwrap(),
        state: None,
        limits: BTreeMap::new(),
    };
    let figures = StatedFigures {
        reference: "F-1".to_owned(),
        digest: [1; 32],
        from: month.first(),
        to: month.last(),
        claims: vec![(claim.id, insurer.clone(), figure)],
    };
    let (scope, now) = (Scope::Insurer(insurer.clone()), rig.engine.now());
    let taken = rig.engine.store().take_figures(&scope, &figures, now).await;
    assert_eq!(taken.unwrap().unwrap().taken, 1);
    rig.pass_days(40);
    let mut tries = 0;
    let period = loop {
        let period = rig.engine.period(&scope, whose, month).await.unwrap();
        if matches!(period.hindrances.as_slice(), [Hindrance::Difference { .. }]) {
            break period;
        }
        tries += 1;
        assert!(tries < 500, "{:?}", period.hindrances);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let [found] = period.differences.as_slice() else {
        panic!("{:?}", period.differences)
    };
    assert_eq!((found.message, found.amount()), (claim.id, 50));
    let earlier = Instant(found.found_at.0 - 1);
    for accepted in [None, Some(earlier)] {
        let refused = rig.engine.close_period(whose, month, accepted).await;
        assert_eq!(refused.unwrap(), Err(period.hindrances.clone()));
    }
    let accepted = Some(rig.engine.now());
    let closed = rig.engine.close_period(whose, month, accepted).await;
    assert_eq!(closed.unwrap(), Ok(()));
    let period = rig.engine.period(&scope, whose, month).await.unwrap();
    let with = OpenDifferences {
        count: 1,
        amount: 50,
    };
    assert_eq!(period.closed.unwrap().accepted, with);
    rig.assert_ledger_is_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_the_insurer_counts_otherwise_is_found_by_the_claim_that_used_it() {
    let rig = Rig::new(&[(Insurer::Delegated, 10_000)]).await;
    rig.take(claim("C-1", 1_000)).await;
    let second = rig.take(claim("C-2", 500)).await;
    let used = paid(&second, "i-1");
    let (today, store) = (rig.engine.book_day(), rig.engine.store());
    let insurer = insurer_id("i-1");
    let scope = Scope::Insurer(insurer.clone());
    let differences = async |reference: &str, counted: i64| {
        let figure = Figure {
            amount: Amount::new(used).unwrap(),
            state: None,
            limits: [(LimitCode::parse("year").unwrap(), counted)].into(),
        };
        let figures = StatedFigures {
            reference: reference.to_owned(),
            digest: sha256(reference.as_bytes()),
            from: today,
            to: today,
            claims: vec![(second.id, insurer.clone(), figure)],
        };
        let now = rig.engine.now();
        let taken = store.take_figures(&scope, &figures, now).await;
        assert_eq!(taken.unwrap().unwrap().taken, 1);
        store.reconcile(today, now).await.unwrap();
        let (all, open) = (BookFilter::default(), Some(DifferenceState::Open));
        let found = store.differences(&scope, &all, open, None, 10).await;
        let limit = |own: &DifferenceRecord| own.kind == DifferenceKind::Limit;
        found.unwrap().into_iter().filter(limit).collect::<Vec<_>>()
    };
    let found = differences("F-1", used - 7).await;
    let [found] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(found.message, second.id);
    assert_eq!(found.limit.as_ref().map(LimitCode::as_str), Some("year"));
    assert_eq!(found.hub.get(), used);
    assert_eq!(found.insurers.map(Amount::get), Some(used - 7));
    assert_eq!(differences("F-2", used).await, []);
    // What is taken back is used no longer.
    rig.take(cancel("X-2", "C-2")).await;
    let found = differences("F-3", used).await;
    assert_eq!(found.first().map(|own| own.hub.get()), Some(0));
    assert_eq!(differences("F-4", 0).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_claim_says_so_and_can_still_be_corrected_and_taken_back() {
    let rig = Rig::new(&[(Insurer::Delegated, 50)]).await;
    let answer = rig.take(claim("C-1", 100)).await;
    let owed = paid(&answer, "i-1");
    let arrives = async |reference: &str| {
        let receipt = rig.pay("i-1", reference, owed, Reach::Bulk).await;
        rig.settle(&receipt, PaymentEvent::Confirmed).await;
        receipt
    };
    let state = async || {
        let way = rig.engine.way(&Scope::Hub, answer.id).await.unwrap();
        way.envelope.state
    };
    let first = arrives("P-1").await;
    assert_eq!(state().await, State::Paid);
    assert_eq!(
        rig.take(claim("C-1", 100)).await.state,
        State::Paid,
        "a repeat"
    );
    rig.settle(&first, PaymentEvent::Bounced).await;
    assert_eq!(state().await, State::Decided);
    arrives("P-2").await;

    rig.publish_terms("i-1", json!({})).await;
    let (today, own) = (rig.engine.now().day(), insurer_id("i-1"));
    let listed = rig.engine.corrections(&own, (today, today)).await.unwrap();
    rig.engine.correct(&own, &listed).await.unwrap();
    assert_eq!(state().await, State::Adjusted);
    rig.assert_ledger_is_sound().await;
    rig.take(cancel("X-1", "C-1")).await;
    assert_eq!(state().await, State::Reversed);
    rig.assert_ledger_is_sound().await;
}
