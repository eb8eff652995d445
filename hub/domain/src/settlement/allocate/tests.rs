//! Which claims a payment reaches.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::super::account::{Account, Balances};
use super::super::payment::{Notice, Row};
use super::super::sample::{amount, at, currency, day, decided, folio, id, page, pair, party};
use super::*;
use TransferKind as K;

fn payment(number: u128) -> PaymentId {
    PaymentId(id(500 + number).0)
}

fn notice(value: i64, reach: Reach) -> Notice {
    Notice {
        reference: format!("pay {value}"),
        pair: pair(),
        amount: amount(value),
        paid_on: day("2026-02-01"),
        instrument: None,
        reach,
    }
}

fn row(claim: u128, line: Option<u32>, value: Option<i64>) -> Row {
    Row {
        message: id(claim),
        line,
        amount: value.map(amount),
    }
}

/// Books a notice as the n-th payment. Gives kinds, claims and amounts of its transfers.
fn pay(folio: &mut Folio, number: u128, notice: &Notice) -> (Receipt, Vec<(K, u128, i64)>) {
    let stated: Vec<MessageId> = (2..4).map(id).collect();
    let (receipt, book) = folio
        .notice(notice, &stated, payment(number), at(40))
        .unwrap();
    (receipt, told(&book))
}

fn told(book: &[Transfer]) -> Vec<(K, u128, i64)> {
    let claim = |one: &Transfer| one.message.map_or(0, |message| message.0.as_u128());
    let row = |one: &Transfer| (one.kind, claim(one), one.amount.get());
    book.iter().map(row).collect()
}

#[test]
fn a_payment_in_bulk_reaches_the_oldest_first() {
    for (value, expected) in [
        (20, vec![(K::Noticed, 3, 20)]),
        (30, vec![(K::Noticed, 3, 30)]),
        (75, vec![(K::Noticed, 3, 30), (K::Noticed, 1, 45)]),
        (
            90,
            vec![
                (K::Noticed, 3, 30),
                (K::Noticed, 1, 50),
                (K::Noticed, 2, 10),
            ],
        ),
        (
            117,
            vec![
                (K::Noticed, 3, 30),
                (K::Noticed, 1, 50),
                (K::Noticed, 2, 20),
                (K::Prepaid, 0, 17),
            ],
        ),
    ] {
        // Claim 3 was decided first, then 1, then 2.
        let mut folio = folio(&[(3, &[30]), (1, &[25, 25]), (2, &[20])]);
        let (receipt, book) = pay(&mut folio, 1, &notice(value, Reach::Bulk));
        assert_eq!(book, expected, "{value}");
        assert_eq!(receipt.allocated.get(), value.min(100));
        assert_eq!(receipt.prepaid.get(), (value - 100).max(0));
    }
}

#[test]
fn a_payment_of_a_statement_reaches_its_claims_alone() {
    let mut folio = folio(&[(1, &[50]), (2, &[20]), (3, &[30])]);
    let (receipt, book) = pay(&mut folio, 1, &notice(60, Reach::Statement(7)));
    let expected = [
        (K::Noticed, 2, 20),
        (K::Noticed, 3, 30),
        (K::Prepaid, 0, 10),
    ];
    assert_eq!(book, expected);
    assert_eq!(receipt.prepaid.get(), 10);
    assert_eq!(page(&folio, 1), [50, 0, 0, 0, 0, 50]);
}

#[test]
fn named_rows_are_taken_one_by_one_and_a_bad_one_leaves_the_rest() {
    let rows = vec![
        row(1, None, Some(51)),
        row(1, Some(1), Some(25)),
        row(1, Some(1), None),
        row(1, Some(9), None),
        row(9, None, None),
        row(2, None, Some(0)),
        row(2, None, Some(-1)),
        row(2, None, None),
        row(3, None, Some(30)),
        row(3, None, None),
        row(1, None, None),
    ];
    let mut folio = folio(&[(1, &[25, 25]), (2, &[20]), (3, &[30])]);
    let (receipt, book) = pay(&mut folio, 1, &notice(70, Reach::Named(rows)));
    let fates: Vec<(i64, Option<Refused>)> = receipt
        .rows
        .iter()
        .map(|fate| (fate.booked.get(), fate.refused))
        .collect();
    assert_eq!(
        fates,
        [
            (0, Some(Refused::Over)),
            (25, None),
            (0, Some(Refused::Over)),
            (0, Some(Refused::Unknown)),
            (0, Some(Refused::Unknown)),
            (0, Some(Refused::Amount)),
            (0, Some(Refused::Over)),
            (20, None),
            (0, Some(Refused::Sum)),
            (25, Some(Refused::Sum)),
            (0, Some(Refused::Sum)),
        ]
    );
    assert_eq!(
        book,
        [
            (K::Noticed, 1, 25),
            (K::Noticed, 2, 20),
            (K::Noticed, 3, 25)
        ]
    );
}

#[test]
fn what_was_overpaid_goes_to_the_oldest_claims_first() {
    for (arrived, netted, taken) in [(false, K::Freed, K::Applied), (true, K::Netted, K::Drawn)] {
        for named in [false, true] {
            let mut folio = folio(&[(1, &[30])]);
            pay(&mut folio, 1, &notice(30, Reach::Bulk));
            if arrived {
                folio.confirm(payment(1), at(41)).unwrap();
            }
            decided(&mut folio, 1, &[0], 10);
            decided(&mut folio, 2, &[80], 11);
            decided(&mut folio, 3, &[50], 12);
            assert_eq!(
                folio.balances().get(Account::Payable),
                100,
                "net of what is taken back"
            );
            let reach = match named {
                true => Reach::Named(vec![
                    row(2, None, Some(80)),
                    row(1, None, Some(-30)),
                    row(3, None, None),
                ]),
                false => Reach::Bulk,
            };
            let (receipt, book) = pay(&mut folio, 2, &notice(100, reach));
            let expected = [
                (netted, 1, 30),
                (taken, 2, 30),
                (K::Noticed, 2, 50),
                (K::Noticed, 3, 50),
            ];
            assert_eq!(book, expected, "{named}");
            assert_eq!(receipt.prepaid, Amount::ZERO);
            assert_eq!(receipt.allocated.get(), 100);
            assert!(receipt.rows.iter().all(|fate| fate.refused.is_none()));
            assert_eq!(folio.balances().get(Account::Payable), 0);
            assert_eq!(
                folio.payment(payment(1)).unwrap().reached(id(2)),
                amount(30)
            );

            // What bounces afterwards takes along what it paid for in the end, and nothing else.
            folio.bounce(payment(1), at(43)).unwrap();
            assert_eq!(page(&folio, 1), [0, 0, 0, 0, 0, 0]);
            assert_eq!(page(&folio, 2), [80, 50, 0, 0, 0, 30]);
        }
    }
}

#[test]
fn more_than_was_overpaid_is_not_taken_back() {
    let mut folio = folio(&[(1, &[30]), (2, &[5])]);
    pay(&mut folio, 1, &notice(30, Reach::Bulk));
    decided(&mut folio, 1, &[10], 9);
    let rows = vec![
        row(1, None, Some(-21)),
        row(1, Some(4), Some(-1)),
        row(1, None, None),
        row(2, None, None),
    ];
    let (receipt, book) = pay(&mut folio, 2, &notice(1, Reach::Named(rows)));
    assert_eq!(
        receipt
            .rows
            .iter()
            .map(|fate| (fate.booked.get(), fate.refused))
            .collect::<Vec<_>>(),
        [
            (0, Some(Refused::Over)),
            (0, Some(Refused::Unknown)),
            (-20, None),
            (5, None)
        ]
    );
    assert_eq!(
        book,
        [(K::Freed, 1, 20), (K::Applied, 2, 5), (K::Prepaid, 0, 1)]
    );
}

#[test]
fn later_dues_take_what_was_paid_ahead() {
    let mut folio = folio(&[]);
    pay(&mut folio, 1, &notice(40, Reach::Bulk));
    pay(&mut folio, 2, &notice(30, Reach::Bulk));
    folio.confirm(payment(2), at(41)).unwrap();
    assert_eq!(folio.take_prepaid(at(42)).unwrap(), []);
    decided(&mut folio, 1, &[60], 10);
    let book = told(&folio.take_prepaid(at(42)).unwrap());
    assert_eq!(book, [(K::Applied, 1, 40), (K::Drawn, 1, 20)]);
    assert_eq!(page(&folio, 1), [60, 40, 20, 0, 0, 0]);
    assert_eq!(folio.take_prepaid(at(43)).unwrap(), []);

    // The first payment's confirmation reaches what has taken of it meanwhile.
    let book = told(&folio.confirm(payment(1), at(44)).unwrap());
    assert_eq!(book, [(K::Confirmed, 1, 40)]);
    let book = told(&folio.bounce(payment(2), at(45)).unwrap());
    assert_eq!(
        book,
        [
            (K::Unconfirmed, 1, 20),
            (K::Unconfirmed, 0, 10),
            (K::Bounced, 1, 20),
            (K::Returned, 0, 10)
        ]
    );
    assert_eq!(page(&folio, 1), [60, 0, 40, 0, 0, 20]);
}

#[test]
fn a_repeat_has_the_same_receipt_and_another_body_is_refused() {
    let mut folio = folio(&[(1, &[50])]);
    let first = notice(
        30,
        Reach::Named(vec![row(1, None, Some(30)), row(7, None, None)]),
    );
    let (receipt, _) = pay(&mut folio, 1, &first);
    let before = folio.clone();
    assert_eq!(pay(&mut folio, 2, &first), (receipt, vec![]));
    let mut other = first.clone();
    other.amount = amount(31);
    assert_eq!(
        folio.notice(&other, &[], payment(2), at(40)),
        Err(Refused::Reference)
    );
    other.pair.provider = party("x");
    assert_eq!(
        folio.notice(&other, &[], payment(2), at(40)),
        Err(Refused::Reference)
    );
    assert_eq!(folio, before);
}

#[test]
fn what_is_no_payment_of_this_pair_books_nothing() {
    let rows = |many| Reach::Named(vec![row(1, None, None); many]);
    let good = notice(30, Reach::Bulk);
    type Row<'a> = (&'a dyn Fn(&mut Notice), Refused);
    let table: &[Row<'_>] = &[
        (&|one| one.amount = Amount::ZERO, Refused::Amount),
        (&|one| one.amount = amount(-4), Refused::Amount),
        (
            &|one| one.amount = Amount::MAX + Amount::ONE,
            Refused::Range,
        ),
        (
            &|one| one.pair.currency = currency("USD"),
            Refused::Currency,
        ),
        (&|one| one.pair.insurer = party("x"), Refused::Unknown),
        (&|one| one.reach = rows(MAX_ROWS + 1), Refused::Range),
    ];
    for (change, expected) in table {
        let mut folio = folio(&[(1, &[50])]);
        let before = folio.clone();
        let mut notice = good.clone();
        change(&mut notice);
        let booked = folio.notice(&notice, &[], payment(1), at(40));
        assert_eq!(booked, Err(*expected));
        assert_eq!(folio, before);
    }
}

#[test]
fn confirming_and_bouncing_twice_is_once() {
    let mut folio = folio(&[(1, &[50])]);
    let (_, mut book) = pay(&mut folio, 1, &notice(60, Reach::Bulk));
    book.extend(told(&folio.confirm(payment(1), at(41)).unwrap()));
    assert_eq!(folio.confirm(payment(1), at(42)), Ok(vec![]));
    book.extend(told(&folio.bounce(payment(1), at(43)).unwrap()));
    assert_eq!(folio.bounce(payment(1), at(44)), Ok(vec![]));
    assert_eq!(folio.confirm(payment(1), at(45)), Err(Refused::State));
    assert_eq!(folio.confirm(payment(9), at(45)), Err(Refused::Unknown));
    assert_eq!(folio.bounce(payment(9), at(45)), Err(Refused::Unknown));
    assert_eq!(page(&folio, 1), [50, 0, 0, 0, 0, 50]);
    let mut balances = Balances::default();
    balances.book(K::Incurred, 50);
    for (kind, _, value) in book {
        balances.book(kind, value.into());
    }
    assert_eq!(balances, folio.balances());
}
