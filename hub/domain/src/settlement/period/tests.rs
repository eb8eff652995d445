//! Months as calendars count them, and everything that keeps one open.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::super::account::{Transfer, TransferKind as K};
use super::super::sample::{at, currency, day, decided, folio, id, pair};
use super::*;

#[test]
fn a_month_is_its_calendars() {
    for (text, calendar, first, last) in [
        ("2026-02", Calendar::Gregorian, "2026-02-01", "2026-02-28"),
        ("2024-02", Calendar::Gregorian, "2024-02-01", "2024-02-29"),
        ("2026-12", Calendar::Gregorian, "2026-12-01", "2026-12-31"),
        ("1403-12", Calendar::Persian, "2025-02-19", "2025-03-20"),
        ("1404-01", Calendar::Persian, "2025-03-21", "2025-04-20"),
        ("1445-09", Calendar::Hijri, "2024-03-11", "2024-04-09"),
    ] {
        let month = Month::parse(text, calendar).unwrap();
        assert_eq!(
            (month.first(), month.last()),
            (day(first), day(last)),
            "{text}"
        );
        assert_eq!(month.to_string(), text);
        assert_eq!(Month::of(day(last), calendar), Some(month));
        assert_eq!(month.days().next(), Some(day(first)));
        assert_eq!(month.days().last(), Some(day(last)));
        let long = month.last().days_since(month.first()) + 1;
        assert_eq!(month.days().count(), usize::try_from(long).unwrap());
        assert!(!month.holds(day(last).add_days(1)));
    }
    for text in [
        "",
        "2026",
        "2026-13",
        "2026-00",
        "26-01",
        "2026-1",
        "2026-01-01",
        "+026-01",
    ] {
        assert_eq!(Month::parse(text, Calendar::Gregorian), None, "{text}");
    }
    let _ = Month::of(day("9999-12-31"), Calendar::Hijri);
}

/// A month of one pair in which nothing is missing: 100 incurred on the first, 60 of it on the way on the third.
struct Scene {
    days_run: BTreeSet<Date>,
    books: Vec<PairBook>,
    differences: Vec<(DifferenceId, i64)>,
    today: Date,
}

impl Scene {
    fn new() -> Scene {
        let mut page = folio(&[]);
        let incurred: Vec<Transfer> = decided(&mut page, 1, &[100], 1).into_iter().collect();
        let due = page.due(id(1)).unwrap();
        let noticed = Transfer {
            kind: K::Noticed,
            amount: crate::money::Amount::new(60).unwrap(),
            ..incurred.first().unwrap().clone()
        };
        let due = due.apply(&noticed).unwrap();
        page.put(due).unwrap();
        let first = Statement::draw(&pair(), day("2026-01-01"), None, &incurred, at(1));
        let first = first.unwrap().unwrap();
        let noticed = [noticed];
        let second = Statement::draw(&pair(), day("2026-01-03"), Some(&first), &noticed, at(3));
        let second = second.unwrap().unwrap();
        let transfers = Balances::of(incurred.iter().chain(&noticed));
        let book = PairBook {
            pair: pair(),
            statements: vec![first, second],
            unstated: 0,
            stated: transfers,
            transfers,
            dues: page.balances(),
        };
        let month = Month::parse("2026-01", Calendar::Gregorian).unwrap();
        Scene {
            days_run: month.days().collect(),
            books: vec![book],
            differences: Vec::new(),
            today: day("2026-02-01"),
        }
    }

    fn close(&self) -> Result<Closed, Vec<Hindrance>> {
        let closing = Closing {
            month: Month::parse("2026-01", Calendar::Gregorian).unwrap(),
            today: self.today,
            days_run: &self.days_run,
            books: &self.books,
            differences: &self.differences,
            tolerance: 0,
        };
        closing.close()
    }

    fn book(&mut self) -> &mut PairBook {
        self.books.first_mut().unwrap()
    }
}

#[test]
fn a_month_in_which_nothing_is_missing_closes() {
    let closed = Scene::new().close().unwrap();
    assert_eq!(closed.debits, 160);
    assert_eq!(closed.balance.totals(), (160, 160));
    let row = |account| {
        *closed
            .balance
            .rows
            .iter()
            .find(|row| row.0 == account)
            .unwrap()
    };
    assert_eq!(row(Account::Payable), (Account::Payable, 60, 100));
    assert_eq!(row(Account::Cost), (Account::Cost, 100, 0));
    assert_eq!(Scene::new().close().unwrap().digest, closed.digest);
}

#[test]
fn each_thing_that_stands_in_the_way_is_named() {
    let difference = DifferenceId(id(7).0);
    type Spoil = fn(&mut Scene);
    let table: Vec<(Spoil, Vec<Hindrance>)> = vec![
        (
            |scene| scene.today = day("2026-01-31"),
            vec![Hindrance::NotOver],
        ),
        (
            |scene| {
                scene.days_run.remove(&day("2026-01-02"));
                scene.days_run.remove(&day("2026-01-31"));
            },
            vec![
                Hindrance::DayNotRun(day("2026-01-02")),
                Hindrance::DayNotRun(day("2026-01-31")),
            ],
        ),
        (
            |scene| scene.book().unstated = 3,
            vec![Hindrance::Unstated {
                pair: pair(),
                transfers: 3,
            }],
        ),
        (
            |scene| scene.book().statements.last_mut().unwrap().opening = 99,
            vec![Hindrance::Statement {
                pair: pair(),
                day: day("2026-01-03"),
            }],
        ),
        (
            |scene| scene.book().statements.last_mut().unwrap().pair.currency = currency("USD"),
            vec![Hindrance::Statement {
                pair: pair(),
                day: day("2026-01-03"),
            }],
        ),
        (
            |scene| scene.book().stated.book(K::Incurred, 5),
            vec![Hindrance::Stated {
                pair: pair(),
                closing: 40,
                transfers: 45,
            }],
        ),
        (
            |scene| scene.book().dues.add(Account::Paid, 1),
            vec![Hindrance::Book {
                pair: pair(),
                account: Account::Paid,
                transfers: 0,
                dues: 1,
            }],
        ),
        (
            |scene| scene.differences.push((DifferenceId(id(7).0), -1)),
            vec![Hindrance::Difference {
                id: difference,
                amount: -1,
            }],
        ),
    ];
    for (spoil, expected) in table {
        let mut scene = Scene::new();
        spoil(&mut scene);
        assert_eq!(scene.close().unwrap_err(), expected);
    }
    let mut scene = Scene::new();
    scene.differences.push((difference, 0));
    assert!(scene.close().is_ok(), "within the tolerance");
}

#[test]
fn months_beyond_what_can_be_stated_do_not_close() {
    let mut scene = Scene::new();
    let book = scene.book();
    let last = book.statements.last_mut().unwrap();
    last.sums.insert(K::Confirmed, i64::MAX);
    last.sums.insert(K::Prepaid, i64::MAX);
    assert!(scene.close().unwrap_err().contains(&Hindrance::Range));
}
