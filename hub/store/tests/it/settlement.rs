//! The book: what lanes write of what is owed, payments, disputes and statements over it, and who sees what.

use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{DisputeId, MessageId, PaymentId, TransferId};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::settlement::age::Age;
use takmil_domain::settlement::dispute::{Objection, Side};
use takmil_domain::settlement::payment::{Reach, Row};
use takmil_domain::settlement::state::{DisputeEvent, PaymentEvent, PaymentState};
use takmil_domain::settlement::{
    Due, DueLine, Notice, Pair, PayeeKind, Receipt, Refused, Transfer, TransferKind,
};
use takmil_store::{
    Batch, BookDifference, BookFilter, NewDispute, Scope, StatementFilter, StoreError,
};

use crate::bench::{Backend, both};
use crate::samples::{House, NOW, day, house, id, insurer, provider};

mod circle;

both! {
    a_payment_reaches_what_is_open_and_its_repeat_nothing
    a_named_row_that_the_book_does_not_take_leaves_the_others_alone
    what_bounces_is_owed_again_and_what_is_left_over_reaches_later_claims
    a_day_is_stated_once_and_what_comes_late_the_next_day
    a_dispute_is_decided_by_the_other_side
    rows_of_the_book_are_seen_by_their_two_sides
    what_was_touched_by_other_hands_is_found
    payments_and_lanes_meet_at_the_same_claim
}

fn amount(value: i64) -> Amount {
    Amount::new(value).unwrap()
}

fn pair(insurer: &str, provider: &str, currency: &str) -> Pair {
    Pair {
        insurer: id(insurer),
        provider: id(provider),
        payee: PayeeKind::Provider,
        currency: Currency::parse(currency).unwrap(),
    }
}

/// A moment of the n-th day after the first.
fn at(days: u64) -> Instant {
    NOW.plus_ms(days * 86_400_000)
}

impl House {
    /// A claim whose lines `insurer` owes, booked as a lane does.
    async fn owes(&self, pair: Pair, days: u64, lines: &[i64]) -> MessageId {
        let mut claim = self.claim(pair.provider.as_str());
        claim.insurers = vec![pair.insurer.clone()];
        let message = claim.id;
        let (due, transfer) = self.owed(message, pair, days, lines);
        let batch = Batch {
            messages: vec![claim],
            dues: vec![due],
            transfers: vec![transfer],
            ..Batch::default()
        };
        self.write(&batch).await.unwrap();
        message
    }

    fn owed(
        &self,
        message: MessageId,
        pair: Pair,
        days: u64,
        lines: &[i64],
    ) -> (Due, (TransferId, Transfer)) {
        let line = |(seq, value): (u32, &i64)| DueLine {
            seq,
            billed: amount(1_000),
            base: amount(10),
            amount: amount(*value),
            held: Amount::ZERO,
        };
        let incurred = amount(lines.iter().sum());
        let transfer = Transfer {
            pair: pair.clone(),
            kind: TransferKind::Incurred,
            amount: incurred,
            message: Some(message),
            line: None,
            source: None,
            turn: Some(1),
            at: at(days),
        };
        let due = Due {
            pair,
            message,
            turn: 1,
            on_day: at(days).day(),
            due_on: at(days).day().add_days(30),
            incurred,
            noticed: Amount::ZERO,
            confirmed: Amount::ZERO,
            disputed: Amount::ZERO,
            written_off: Amount::ZERO,
            lines: (1..).zip(lines).map(line).collect(),
        };
        (due, (TransferId(self.fresh().0), transfer))
    }

    async fn pay(
        &self,
        reference: &str,
        value: i64,
        reach: Reach,
        days: u64,
    ) -> Result<Receipt, Refused> {
        let notice = notice(reference, value, reach);
        let hub = &self.store;
        hub.notice(&Scope::Hub, &notice, at(days)).await.unwrap()
    }

    /// How far claims are.
    async fn states(&self, claims: &[MessageId]) -> Vec<&'static str> {
        let mut states = Vec::new();
        for claim in claims {
            let envelope = self.store.envelope(&Scope::Hub, *claim).await.unwrap();
            states.push(envelope.state.as_str());
        }
        states
    }

    /// Incurred, on its way, arrived, argued about, written off.
    async fn sums(&self, message: MessageId) -> [i64; 5] {
        let filter = BookFilter::default();
        let of_one = Some(message);
        let dues = self
            .store
            .dues(&Scope::Hub, &filter, of_one, false, None, 10);
        let dues = dues.await.unwrap();
        let [due] = dues.as_slice() else {
            panic!("{dues:?}")
        };
        [
            due.incurred,
            due.noticed,
            due.confirmed,
            due.disputed,
            due.written_off,
        ]
        .map(Amount::get)
    }

    async fn settle_to(&self, days: u64) -> u64 {
        let day = at(days).day();
        let until = Instant(Instant::start_of(day.add_days(1)).0 - 1);
        let made = self.store.settle_day(day, until, at(days + 1)).await;
        made.unwrap()
    }
}

fn notice(reference: &str, value: i64, reach: Reach) -> Notice {
    Notice {
        reference: reference.to_owned(),
        pair: pair("alpha", "clinic", "IRR"),
        amount: amount(value),
        paid_on: day("2025-11-01"),
        instrument: Some("transfer 7".to_owned()),
        reach,
    }
}

fn row(message: MessageId, line: Option<u32>, value: Option<i64>) -> Row {
    Row {
        message,
        line,
        amount: value.map(amount),
    }
}

async fn a_payment_reaches_what_is_open_and_its_repeat_nothing(on: Backend) {
    let house = house(on).await;
    let clinic = pair("alpha", "clinic", "IRR");
    let first = house.owes(clinic.clone(), 0, &[60, 40]).await;
    let second = house.owes(clinic.clone(), 1, &[50]).await;
    let other = house.owes(pair("alpha", "pharmacy", "IRR"), 0, &[70]).await;
    let receipt = house.pay("r-1", 120, Reach::Bulk, 2).await.unwrap();
    assert_eq!(
        (receipt.allocated, receipt.prepaid),
        (amount(120), Amount::ZERO)
    );
    assert_eq!(house.sums(first).await, [100, 100, 0, 0, 0]);
    assert_eq!(house.sums(second).await, [50, 20, 0, 0, 0]);
    assert_eq!(house.sums(other).await, [70, 0, 0, 0, 0]);
    house.in_order().await;

    assert_eq!(house.pay("r-1", 120, Reach::Bulk, 3).await, Ok(receipt));
    assert_eq!(
        house.pay("r-1", 121, Reach::Bulk, 3).await,
        Err(Refused::Reference)
    );
    assert_eq!(house.sums(second).await, [50, 20, 0, 0, 0]);
    let (beta, second_notice) = (insurer("beta"), notice("r-2", 1, Reach::Bulk));
    let foreign = house.store.notice(&beta, &second_notice, at(3)).await;
    assert!(matches!(foreign, Err(StoreError::NotFound)));

    let page = async |after: Option<PaymentId>| {
        let filter = BookFilter::default();
        let page = house
            .store
            .payments(&Scope::Regulator, &filter, None, after, 10);
        page.await.unwrap()
    };
    let payments = page(None).await;
    assert_eq!(payments.len(), 1);
    let listed = &payments[0];
    assert_eq!(listed.allocated, amount(120));
    assert_eq!(
        listed.payment.digest,
        notice("r-1", 120, Reach::Bulk).digest()
    );
    assert!(page(Some(listed.payment.id)).await.is_empty());
    let whole = house
        .store
        .payment(&provider("clinic"), listed.payment.id)
        .await;
    assert_eq!(whole.unwrap().reached(first), amount(100));
    let foreign = house
        .store
        .payment(&insurer("beta"), listed.payment.id)
        .await;
    assert!(matches!(foreign, Err(StoreError::NotFound)));
    house.in_order().await;
}

async fn a_named_row_that_the_book_does_not_take_leaves_the_others_alone(on: Backend) {
    let house = house(on).await;
    let clinic = pair("alpha", "clinic", "IRR");
    let own = house.owes(clinic.clone(), 0, &[60, 40]).await;
    let foreign = house.owes(pair("alpha", "pharmacy", "IRR"), 0, &[50]).await;
    let dollars = house.owes(pair("alpha", "clinic", "USD"), 0, &[50]).await;
    let rows = vec![
        row(own, Some(2), Some(30)),
        row(own, Some(2), Some(20)),
        row(own, Some(9), None),
        row(foreign, None, None),
        row(dollars, None, None),
        row(house.fresh(), None, Some(1)),
        row(own, None, Some(0)),
    ];
    let receipt = house.pay("r-1", 100, Reach::Named(rows.clone()), 1).await;
    let receipt = receipt.unwrap();
    let fates: Vec<_> = receipt.rows.iter().map(|fate| fate.refused).collect();
    assert_eq!(
        fates,
        [
            None,
            Some(Refused::Over),
            Some(Refused::Unknown),
            Some(Refused::Unknown),
            Some(Refused::Currency),
            Some(Refused::Unknown),
            Some(Refused::Amount),
        ]
    );
    assert_eq!(
        (receipt.allocated, receipt.prepaid),
        (amount(30), amount(70))
    );
    assert_eq!(house.sums(own).await, [100, 30, 0, 0, 0]);
    assert_eq!(house.sums(dollars).await, [50, 0, 0, 0, 0]);
    let again = house.pay("r-1", 100, Reach::Named(rows), 2).await;
    assert_eq!(again, Ok(receipt), "refused rows are told again, too");
    let nowhere = house.pay("r-2", 100, Reach::Statement(7), 2).await;
    assert_eq!(nowhere, Err(Refused::Unknown));
    house.in_order().await;
}

async fn what_bounces_is_owed_again_and_what_is_left_over_reaches_later_claims(on: Backend) {
    let house = house(on).await;
    let clinic = pair("alpha", "clinic", "IRR");
    let first = house.owes(clinic.clone(), 0, &[100]).await;
    let (store, hub) = (&house.store, Scope::Hub);
    let paid = house.pay("r-1", 130, Reach::Bulk, 1).await.unwrap();
    assert_eq!(paid.prepaid, amount(30));
    let later = house.owes(clinic.clone(), 2, &[20]).await;
    assert_eq!(store.apply_prepaid(at(3)).await.unwrap(), 1);
    assert_eq!(store.apply_prepaid(at(3)).await.unwrap(), 0);
    assert_eq!(house.sums(later).await, [20, 20, 0, 0, 0]);
    house.in_order().await;

    let settle = async |scope: &Scope, event| store.settle(scope, paid.payment, event, at(4)).await;
    for stranger in [provider("pharmacy"), insurer("alpha"), Scope::Regulator] {
        let refused = settle(&stranger, PaymentEvent::Confirmed).await;
        assert!(matches!(refused, Err(StoreError::NotFound)), "{stranger:?}");
    }
    let clinics = provider("clinic");
    let arrived = settle(&clinics, PaymentEvent::Confirmed).await.unwrap();
    assert_eq!(arrived.unwrap().state, PaymentState::Confirmed);
    assert_eq!(house.sums(first).await, [100, 0, 100, 0, 0]);
    assert_eq!(house.states(&[first, later]).await, ["paid", "paid"]);
    settle(&clinics, PaymentEvent::Confirmed)
        .await
        .unwrap()
        .unwrap();
    house.in_order().await;

    let back = settle(&hub, PaymentEvent::Bounced).await.unwrap().unwrap();
    assert_eq!(back.state, PaymentState::Bounced);
    assert_eq!(back.settled_at, Some(at(4)));
    assert_eq!(house.sums(first).await, [100, 0, 0, 0, 0]);
    assert_eq!(house.sums(later).await, [20, 0, 0, 0, 0]);
    assert_eq!(house.states(&[first, later]).await, ["decided", "decided"]);
    let way = store.way(&hub, first).await.unwrap();
    let turns: Vec<&str> = way.turns.iter().map(|turn| turn.state.as_str()).collect();
    assert_eq!(
        turns,
        ["decided", "paid", "decided"],
        "once each, said twice or not"
    );
    let never = settle(&clinics, PaymentEvent::Confirmed).await.unwrap();
    assert_eq!(never.unwrap_err(), Refused::State);
    house.in_order().await;
    // What was overpaid is netted: the next payment in bulk serves what is open by it.
    let paid = house.pay("r-2", 120, Reach::Bulk, 5).await.unwrap();
    assert_eq!(paid.allocated, amount(120));
    let mut turn = store.begin().await.unwrap();
    let [mut due]: [Due; 1] = turn.dues(&[first]).await.unwrap().try_into().unwrap();
    due.lines[0].amount = amount(70);
    due.turn = 2;
    let less = due.missing(at(6)).unwrap().unwrap();
    assert_eq!(less.kind, TransferKind::Reversed);
    let batch = Batch {
        dues: vec![due.apply(&less).unwrap()],
        transfers: vec![(TransferId(house.fresh().0), less)],
        ..Batch::default()
    };
    turn.write(&batch).await.unwrap();
    turn.commit().await.unwrap();
    let last = house.owes(clinic, 6, &[35]).await;
    let receipt = house.pay("r-3", 5, Reach::Bulk, 7).await.unwrap();
    assert_eq!(receipt.allocated, amount(5));
    assert_eq!(house.sums(first).await, [70, 70, 0, 0, 0]);
    assert_eq!(house.sums(last).await, [35, 35, 0, 0, 0]);
    house.in_order().await;
}

async fn a_day_is_stated_once_and_what_comes_late_the_next_day(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let clinic = pair("alpha", "clinic", "IRR");
    assert_eq!(store.last_settled_day().await.unwrap(), None);
    assert_eq!(store.first_unstated().await.unwrap(), None);
    let first = house.owes(clinic.clone(), 0, &[60, 40]).await;
    house.owes(pair("beta", "clinic", "IRR"), 0, &[70]).await;
    assert_eq!(store.first_unstated().await.unwrap(), Some(at(0)));
    // Two hubs at once.
    let (neighbour, end) = (house.neighbour().await, at(1));
    let (own, other) = tokio::join!(
        store.settle_day(at(0).day(), end, end),
        neighbour.settle_day(at(0).day(), end, end)
    );
    assert_eq!(own.unwrap() + other.unwrap(), 2);
    assert_eq!(
        house.settle_to(0).await,
        0,
        "done again, it makes none twice"
    );
    // Committed after its day was settled.
    house.owes(clinic.clone(), 0, &[5]).await;
    assert_eq!(house.settle_to(0).await, 0);
    house.pay("r-1", 30, Reach::Bulk, 1).await.unwrap();
    assert_eq!(house.settle_to(1).await, 1);
    assert_eq!(house.settle_to(2).await, 0, "nothing moved");
    assert_eq!(store.last_settled_day().await.unwrap(), Some(at(2).day()));

    let list = async |scope: Scope, filter: &StatementFilter| {
        let found = store.statements(&scope, filter, 0, 10).await.unwrap();
        let shown = found.iter().map(|own| {
            let one = &own.statement;
            (
                one.pair.insurer.to_string(),
                one.day,
                one.opening,
                one.closing,
            )
        });
        shown.collect::<Vec<_>>()
    };
    let all = StatementFilter::default();
    let alphas = [
        ("alpha".to_owned(), at(0).day(), 0, 100),
        ("alpha".to_owned(), at(1).day(), 100, 75),
    ];
    assert_eq!(list(insurer("alpha"), &all).await, alphas);
    assert_eq!(list(provider("clinic"), &all).await.len(), 3);
    assert_eq!(list(provider("pharmacy"), &all).await, []);
    let later = StatementFilter {
        from: Some(at(1).day()),
        ..all.clone()
    };
    assert_eq!(list(Scope::Hub, &later).await, alphas[1..]);
    let whose = BookFilter {
        insurer: Some(id("beta")),
        provider: None,
    };
    let of_beta = StatementFilter { whose, ..all };
    assert_eq!(list(provider("clinic"), &of_beta).await.len(), 1);

    let found = store.statements(&Scope::Hub, &later, 0, 10).await.unwrap();
    let number = found[0].number;
    let book = store.statement(&provider("clinic"), number).await.unwrap();
    assert_eq!(book.transfers.len(), 2);
    assert_eq!(
        book.record.statement.digest_over(&book.transfers),
        book.record.statement.digest
    );
    assert_eq!(book.folio.due(first).unwrap().noticed, amount(30));
    assert_eq!(book.folio.payments().count(), 1);
    let foreign = store.statement(&insurer("beta"), number).await;
    assert!(matches!(foreign, Err(StoreError::NotFound)));

    // The rest of the claims of a statement, by its number.
    let receipt = house.pay("r-2", 100, Reach::Statement(number), 3).await;
    assert_eq!(receipt.unwrap().allocated, amount(75));
    house.in_order().await;

    let aged = async |today: Date| {
        let filter = BookFilter::default();
        let aged = store.aging(&insurer("beta"), &filter, today).await.unwrap();
        assert_eq!(aged.len(), 1);
        let [own] = aged.try_into().unwrap();
        let ages = own.aging.ages.iter().filter(|(_, aged)| aged.open > 0);
        ages.map(|(age, aged)| (*age, aged.open))
            .collect::<Vec<_>>()
    };
    assert_eq!(aged(at(30).day()).await, [(Age::NotDue, 70)]);
    assert_eq!(aged(at(31).day()).await, [(Age::To30, 70)]);
    assert_eq!(aged(at(200).day()).await, [(Age::Over90, 70)]);
}

async fn a_dispute_is_decided_by_the_other_side(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let claim = house
        .owes(pair("alpha", "clinic", "IRR"), 0, &[60, 40])
        .await;
    let open = async |scope: Scope, by, line, value: Option<i64>| {
        let new = NewDispute {
            insurer: id("alpha"),
            objection: Objection {
                message: claim,
                line,
                amount: value.map(amount),
                by,
            },
            reason: "billed twice".to_owned(),
        };
        store.open_dispute(&scope, &new, at(1)).await.unwrap()
    };
    let strangers = [
        (insurer("beta"), Side::Insurer),
        (provider("pharmacy"), Side::Provider),
        (provider("clinic"), Side::Insurer),
        (Scope::Hub, Side::Insurer),
    ];
    for (scope, by) in strangers {
        let refused = open(scope.clone(), by, None, None).await;
        assert_eq!(refused.unwrap_err(), Refused::Unknown, "{scope:?}");
    }
    let over = open(insurer("alpha"), Side::Insurer, Some(2), Some(41)).await;
    assert_eq!(over.unwrap_err(), Refused::Over);
    let opened = open(insurer("alpha"), Side::Insurer, Some(2), None).await;
    let opened = opened.unwrap();
    assert_eq!(opened.dispute.amount, amount(40));
    assert_eq!(house.sums(claim).await, [100, 0, 0, 40, 0]);
    let rule = async |scope: Scope, id: DisputeId, event| {
        let said = Some("both were done");
        store.decide_dispute(&scope, id, event, said, at(2)).await
    };
    let own = opened.dispute.id;
    let alone = rule(insurer("alpha"), own, DisputeEvent::Dismissed).await;
    assert_eq!(alone.unwrap().unwrap_err(), Refused::State);
    let stranger = rule(provider("pharmacy"), own, DisputeEvent::Upheld).await;
    assert!(matches!(stranger, Err(StoreError::NotFound)));
    let upheld = rule(provider("clinic"), own, DisputeEvent::Upheld).await;
    let upheld = upheld.unwrap().unwrap();
    assert_eq!(upheld.said.as_deref(), Some("both were done"));
    assert_eq!(house.sums(claim).await, [100, 0, 0, 0, 0]);

    let second = open(provider("clinic"), Side::Provider, None, Some(30)).await;
    let second = second.unwrap().dispute.id;
    let dismissed = rule(insurer("alpha"), second, DisputeEvent::Dismissed).await;
    dismissed.unwrap().unwrap();
    assert_eq!(house.sums(claim).await, [100, 0, 0, 0, 30]);
    let filter = BookFilter::default();
    let list = async |scope: Scope, after| store.disputes(&scope, &filter, None, after, 10).await;
    let seen = list(insurer("alpha"), Some(own)).await.unwrap();
    assert_eq!((seen.len(), seen[0].dispute.id), (1, second));
    assert_eq!(list(insurer("beta"), None).await.unwrap(), []);
    house.in_order().await;
}

async fn rows_of_the_book_are_seen_by_their_two_sides(on: Backend) {
    let house = house(on).await;
    house.owes(pair("alpha", "clinic", "IRR"), 0, &[60]).await;
    house.pay("r-1", 20, Reach::Bulk, 1).await.unwrap();
    house.settle_to(1).await;
    let table = [
        (Scope::Hub, true),
        (Scope::Regulator, true),
        (insurer("alpha"), true),
        (provider("clinic"), true),
        (insurer("beta"), false),
        (provider("pharmacy"), false),
        (provider("alpha"), false),
        (insurer("clinic"), false),
    ];
    let filter = BookFilter::default();
    let store = &house.store;
    for (scope, expected) in table {
        let seen = [
            store
                .dues(&scope, &filter, None, true, None, 10)
                .await
                .unwrap()
                .len(),
            store
                .aging(&scope, &filter, at(2).day())
                .await
                .unwrap()
                .len(),
            store
                .payments(&scope, &filter, None, None, 10)
                .await
                .unwrap()
                .len(),
            store
                .statements(&scope, &StatementFilter::default(), 0, 10)
                .await
                .unwrap()
                .len(),
        ];
        assert_eq!(seen, [usize::from(expected); 4], "{scope:?}");
    }
    if on == Backend::Sqlite {
        return;
    }
    // A question that forgot its scope sees nothing foreign.
    for (scope, sender, owner, expected) in [
        ("all", "", "", "1|2|1|1|1"),
        ("own", "clinic", "", "1|2|1|1|1"),
        ("own", "", "alpha", "1|2|1|1|1"),
        ("own", "pharmacy", "beta", "0|0|0|0|0"),
    ] {
        let seen = house.bench.sql(&format!(
            "set role takmil_scoped; set takmil.scope = '{scope}';
             set takmil.sender = '{sender}'; set takmil.insurer = '{owner}';
             select (select count(*) from due), (select count(*) from transfer),
                 (select count(*) from statement), (select count(*) from payment),
                 (select count(*) from allocation)"
        ));
        assert_eq!(seen, expected, "{scope} {sender} {owner}");
    }
    let tables = "due, statement, payment, dispute";
    house
        .bench
        .sql(&format!("revoke select on {tables} from takmil_scoped"));
    let alpha = insurer("alpha");
    let all = StatementFilter::default();
    let refused = [
        store
            .dues(&alpha, &filter, None, true, None, 10)
            .await
            .err(),
        store.aging(&alpha, &filter, at(2).day()).await.err(),
        store.payments(&alpha, &filter, None, None, 10).await.err(),
        store.statements(&alpha, &all, 0, 10).await.err(),
        store.statement(&alpha, 1).await.err(),
        store.disputes(&alpha, &filter, None, None, 10).await.err(),
    ];
    for (at, refused) in refused.into_iter().enumerate() {
        assert!(
            matches!(refused, Some(StoreError::Database(_))),
            "question {at} is asked in the scoped role: {refused:?}"
        );
    }
}

async fn what_was_touched_by_other_hands_is_found(on: Backend) {
    let house = house(on).await;
    let claim = house.owes(pair("alpha", "clinic", "IRR"), 0, &[60]).await;
    house.settle_to(0).await;
    let mut turn = house.store.begin().await.unwrap();
    let [due]: [Due; 1] = turn.dues(&[claim]).await.unwrap().try_into().unwrap();
    // A due that no transfer brought there, and one transfer too many.
    let batch = Batch {
        dues: vec![Due {
            noticed: amount(5),
            ..due
        }],
        ..Batch::default()
    };
    turn.write(&batch).await.unwrap();
    turn.commit().await.unwrap();
    let found = house.store.check_book().await.unwrap();
    let is_due = |one: &BookDifference| matches!(one, BookDifference::Due { message, kept: 5, derived: 0, .. } if *message == claim);
    assert_eq!(
        found.iter().filter(|one| is_due(one)).count(),
        1,
        "{found:?}"
    );
    let of_accounts = found
        .iter()
        .filter(|one| matches!(one, BookDifference::Account { .. }));
    assert_eq!(of_accounts.count(), 2, "{found:?}");
    let (_, extra) = house.owed(house.fresh(), pair("alpha", "clinic", "IRR"), 0, &[9]);
    let batch = Batch {
        transfers: vec![extra],
        ..Batch::default()
    };
    house.write(&batch).await.unwrap();
    let more = house.store.check_book().await.unwrap();
    assert!(more.len() > found.len(), "{more:?}");
}

async fn payments_and_lanes_meet_at_the_same_claim(on: Backend) {
    let house = house(on).await;
    let clinic = pair("alpha", "clinic", "IRR");
    let mut claims = Vec::new();
    for _ in 0..8 {
        claims.push(house.owes(clinic.clone(), 0, &[100]).await);
    }
    let payer = async {
        for number in 0..8 {
            let reference = format!("r-{number}");
            let paid = house.pay(&reference, 70, Reach::Bulk, 1).await.unwrap();
            let id = paid.payment;
            let event = match number % 2 {
                0 => PaymentEvent::Confirmed,
                _ => PaymentEvent::Bounced,
            };
            let settled = house.store.settle(&Scope::Hub, id, event, at(2)).await;
            settled.unwrap().unwrap();
        }
    };
    let lane = async {
        let neighbour = house.neighbour().await;
        for round in 1..=4_i64 {
            for claim in &claims {
                let mut turn = neighbour.begin().await.unwrap();
                let [mut due]: [Due; 1] = turn.dues(&[*claim]).await.unwrap().try_into().unwrap();
                due.lines[0].amount = amount(100 - 20 * round);
                due.turn += 1;
                let less = due.missing(at(1)).unwrap().unwrap();
                let batch = Batch {
                    dues: vec![due.apply(&less).unwrap()],
                    transfers: vec![(TransferId(house.fresh().0), less)],
                    ..Batch::default()
                };
                turn.write(&batch).await.unwrap();
                turn.commit().await.unwrap();
            }
        }
    };
    tokio::join!(payer, lane);
    house.in_order().await;
    for claim in claims {
        assert_eq!(house.sums(claim).await[0], 20);
    }
}
