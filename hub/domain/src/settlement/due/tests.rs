//! What a due takes, and what decisions make of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::super::sample::{amount, at, currency, day, decision, id, pair, party, word};
use super::*;
use TransferKind as K;

/// A due with so much incurred, on its way, arrived, argued about and written off; two lines of half each.
fn due(sums: [i64; 5]) -> Due {
    let [incurred, noticed, confirmed, disputed, written_off] = sums.map(amount);
    let line = |seq| DueLine {
        seq,
        billed: incurred,
        base: Amount::ZERO,
        amount: amount(incurred.get() / 2),
        held: Amount::ZERO,
    };
    Due {
        incurred,
        noticed,
        confirmed,
        disputed,
        written_off,
        lines: vec![line(1), line(2)],
        ..Due::none(pair(), id(1), day("2026-01-01"))
    }
}

fn sums(due: &Due) -> [i64; 5] {
    [
        due.incurred,
        due.noticed,
        due.confirmed,
        due.disputed,
        due.written_off,
    ]
    .map(Amount::get)
}

#[test]
fn a_due_takes_what_it_can_and_no_more() {
    type Row = (K, [i64; 5], i64, Result<[i64; 5], Refused>);
    let over = || Err(Refused::Over);
    let table: &[Row] = &[
        (K::Incurred, [0, 0, 0, 0, 0], 7, Ok([7, 0, 0, 0, 0])),
        (
            K::Incurred,
            [Amount::MAX.get(), 0, 0, 0, 0],
            1,
            Err(Refused::Range),
        ),
        (K::Reversed, [10, 0, 10, 0, 0], 10, Ok([0, 0, 10, 0, 0])),
        (K::Reversed, [10, 0, 0, 0, 0], 11, over()),
        (K::Reversed, [10, 0, 0, 4, 3], 3, Ok([7, 0, 0, 4, 3])),
        (K::Reversed, [10, 0, 0, 4, 3], 4, over()),
        (K::Recovered, [10, 0, 10, 0, 0], 4, Ok([6, 0, 10, 0, 0])),
        (K::Recovered, [10, 0, 0, 0, 8], 3, over()),
        (K::Noticed, [10, 1, 2, 3, 1], 3, Ok([10, 4, 2, 3, 1])),
        (K::Noticed, [10, 1, 2, 3, 1], 4, over()),
        (K::Noticed, [0, 0, 5, 0, 0], 1, over()),
        (K::Applied, [10, 0, 0, 0, 0], 10, Ok([10, 10, 0, 0, 0])),
        (K::Applied, [10, 0, 0, 0, 0], 11, over()),
        (K::Drawn, [10, 0, 0, 0, 0], 10, Ok([10, 0, 10, 0, 0])),
        (K::Drawn, [10, 0, 0, 0, 0], 11, over()),
        (K::Freed, [0, 5, 5, 0, 0], 5, Ok([0, 0, 5, 0, 0])),
        (K::Freed, [0, 5, 5, 0, 0], 6, over()),
        (K::Freed, [8, 5, 5, 0, 0], 3, over()),
        (K::Netted, [8, 5, 5, 0, 0], 2, Ok([8, 5, 3, 0, 0])),
        (K::Netted, [8, 5, 5, 0, 0], 3, over()),
        (K::Netted, [0, 9, 1, 0, 0], 2, over()),
        (K::Confirmed, [9, 9, 0, 0, 0], 4, Ok([9, 5, 4, 0, 0])),
        (K::Confirmed, [9, 3, 0, 0, 0], 4, over()),
        (K::Unconfirmed, [9, 0, 9, 0, 0], 9, Ok([9, 9, 0, 0, 0])),
        (K::Unconfirmed, [9, 9, 0, 0, 0], 1, over()),
        (K::Bounced, [9, 9, 0, 0, 0], 9, Ok([9, 0, 0, 0, 0])),
        (K::Bounced, [9, 0, 9, 0, 0], 1, over()),
        (K::Disputed, [9, 1, 1, 1, 1], 5, Ok([9, 1, 1, 6, 1])),
        (K::Disputed, [9, 1, 1, 1, 1], 6, over()),
        (K::Upheld, [9, 0, 0, 4, 0], 4, Ok([9, 0, 0, 0, 0])),
        (K::Upheld, [9, 0, 0, 4, 0], 5, over()),
        (K::Dismissed, [9, 0, 0, 4, 0], 4, Ok([9, 0, 0, 0, 4])),
        (K::Dismissed, [9, 0, 0, 4, 0], 5, over()),
        (K::Prepaid, [9, 0, 0, 0, 0], 1, Err(Refused::Unknown)),
        (K::Returned, [9, 0, 0, 0, 0], 1, Err(Refused::Unknown)),
    ];
    for (kind, before, value, expected) in table {
        let before = due(*before);
        let transfer = before.transfer(*kind, amount(*value), None, at(1));
        let after = before.apply(&transfer);
        assert_eq!(
            after.as_ref().map(sums),
            expected.as_ref().copied(),
            "{transfer:?}"
        );
        for nothing in [0, -1] {
            let transfer = before.transfer(*kind, amount(nothing), None, at(1));
            assert_eq!(before.apply(&transfer), Err(Refused::Amount));
        }
    }
    for kind in K::ALL {
        assert!(
            table.iter().any(|row| row.0 == *kind),
            "{kind:?} is not told"
        );
    }
}

#[test]
fn a_transfer_of_another_claim_or_book_is_refused() {
    let due = due([10, 0, 0, 0, 0]);
    let good = due.transfer(K::Noticed, amount(1), None, at(1));
    let refused = |change: &dyn Fn(&mut Transfer), expected| {
        let mut transfer = good.clone();
        change(&mut transfer);
        assert_eq!(due.apply(&transfer), Err(expected), "{transfer:?}");
    };
    refused(&|one| one.message = Some(id(2)), Refused::Unknown);
    refused(&|one| one.message = None, Refused::Unknown);
    refused(&|one| one.line = Some(3), Refused::Unknown);
    refused(&|one| one.pair.insurer = party("x"), Refused::Unknown);
    refused(&|one| one.pair.provider = party("x"), Refused::Unknown);
    refused(&|one| one.pair.payee = PayeeKind::Member, Refused::Unknown);
    refused(
        &|one| one.pair.currency = currency("USD"),
        Refused::Currency,
    );
    refused(
        &|one| one.amount = Amount::MAX + Amount::ONE,
        Refused::Range,
    );
}

#[test]
fn a_line_is_paid_by_its_number_up_to_its_own_amount() {
    let step = |due: &Due, kind, line, value| {
        let transfer = Transfer {
            line,
            ..due.transfer(kind, amount(value), None, at(1))
        };
        due.apply(&transfer)
    };
    let due = due([100, 0, 0, 0, 0]);
    assert_eq!(step(&due, K::Noticed, Some(1), 51), Err(Refused::Over));
    let due = step(&due, K::Noticed, Some(1), 30).unwrap();
    assert_eq!(due.open_of(1), Some(amount(20)));
    assert_eq!(step(&due, K::Disputed, Some(1), 21), Err(Refused::Over));
    let due = step(&due, K::Disputed, Some(1), 20).unwrap();
    assert_eq!(due.open_of(1), Some(Amount::ZERO));
    assert_eq!(due.open_of(2), Some(amount(50)));
    let due = step(&due, K::Noticed, None, 40).unwrap();
    assert_eq!(
        due.open_of(2),
        Some(amount(10)),
        "the claim has no more open"
    );
    assert_eq!(due.open_of(3), None);
    assert_eq!(
        step(&due, K::Bounced, Some(1), 51),
        Err(Refused::Over),
        "of the line"
    );
    let due = step(&due, K::Bounced, Some(1), 30).unwrap();
    let due = step(&due, K::Upheld, Some(1), 20).unwrap();
    assert_eq!(due.lines.first().unwrap().held, Amount::ZERO);
    assert_eq!(due.open(), amount(60));
}

#[test]
fn only_what_was_done_and_decided_is_owed() {
    let decision = decision(&[("omid", &[5])]);
    for kind in Kind::ALL {
        for state in State::ALL {
            let says = Says::of(*kind, *state, Some(&decision));
            let told = match says {
                Says::Owes(_) => "owes",
                Says::Nothing => "nothing",
                Says::AsBefore => "as before",
            };
            let expected = match (*kind, *state) {
                (
                    Kind::Claim | Kind::Dispense,
                    State::Decided
                    | State::Refused
                    | State::Adjusted
                    | State::Appealed
                    | State::Paid
                    | State::Reconciled,
                ) => "owes",
                (Kind::Claim | Kind::Dispense, State::Cancelled | State::Reversed) => "nothing",
                _ => "as before",
            };
            assert_eq!(told, expected, "{kind:?} {state:?}");
        }
    }
    let says = Says::of(Kind::Claim, State::Decided, None);
    assert!(matches!(says, Says::AsBefore), "nothing to pay");
}

#[test]
fn a_word_brings_each_insurers_due_to_what_it_says() {
    let first = decision(&[("omid", &[60, 40]), ("sina", &[0, 10])]);
    let changed = word(1, Says::Owes(&first), 1, &[]);
    let told = |changes: &[Change]| -> Vec<(String, Option<(K, i64)>)> {
        let moved = |one: &Change| one.transfer.as_ref().map(|it| (it.kind, it.amount.get()));
        let row = |one: &Change| (one.due.pair.insurer.to_string(), moved(one));
        changes.iter().map(row).collect()
    };
    let row = |insurer: &str, kind, value| (insurer.to_owned(), Some((kind, value)));
    assert_eq!(
        told(&changed),
        [row("omid", K::Incurred, 100), row("sina", K::Incurred, 10)]
    );
    let booked: Vec<Due> = changed.into_iter().map(|change| change.due).collect();
    let omid = booked.first().unwrap();
    assert_eq!(omid.due_on, day("2026-02-01"), "a day and thirty more");
    assert_eq!(omid.lines.len(), 2);
    assert_eq!(omid.lines.first().unwrap().base, amount(1));

    assert_eq!(
        word(1, Says::Owes(&first), 1, &booked),
        [],
        "the same word twice"
    );
    assert_eq!(
        word(1, Says::Owes(&first), 9, &booked),
        [],
        "said again later"
    );
    assert_eq!(word(1, Says::AsBefore, 9, &booked), []);
    assert_eq!(word(2, Says::Nothing, 9, &booked), [], "another claim");

    let second = decision(&[("omid", &[70, 0]), ("novin", &[5])]);
    let changed = word(1, Says::Owes(&second), 2, &booked);
    assert_eq!(
        told(&changed),
        [
            row("novin", K::Incurred, 5),
            row("omid", K::Reversed, 30),
            row("sina", K::Reversed, 10)
        ]
    );
    let later: Vec<Due> = changed.into_iter().map(|change| change.due).collect();
    assert_eq!(
        later.get(1).unwrap().due_on,
        day("2026-02-01"),
        "the day stays"
    );
    assert_eq!(
        word(1, Says::Owes(&first), 1, &later),
        [],
        "an earlier turn"
    );

    let taken_back = word(1, Says::Nothing, 3, &later);
    assert_eq!(
        told(&taken_back),
        [row("novin", K::Reversed, 5), row("omid", K::Reversed, 70)]
    );
    assert!(taken_back.iter().all(|one| one.due.open().is_zero()));
}

#[test]
fn what_an_insurer_pays_nothing_of_makes_no_due() {
    let refused = decision(&[("omid", &[0, 0])]);
    assert_eq!(word(1, Says::Owes(&refused), 1, &[]), []);
    let mut waiting = decision(&[("omid", &[9])]);
    for line in &mut waiting.lines {
        line.supplementary
            .iter_mut()
            .for_each(|share| share.pended = true);
    }
    assert_eq!(
        word(1, Says::Owes(&waiting), 1, &[]),
        [],
        "a line that waits"
    );
    let twice = decision(&[("omid", &[9]), ("omid", &[4])]);
    let changed = word(1, Says::Owes(&twice), 1, &[]);
    assert_eq!(
        changed.first().unwrap().due.incurred,
        amount(13),
        "two policies"
    );
}

#[test]
fn what_cannot_be_booked_is_refused() {
    let provider = party("hafez");
    let decision = decision(&[("omid", &[9])]);
    let word = Word {
        message: id(1),
        provider: &provider,
        payee: PayeeKind::Provider,
        says: Says::Owes(&decision),
        is_reviewed: false,
        turn: 2,
        day: day("2026-01-01"),
        at: at(1),
    };
    let booked = changes(&word, &[], |_| 30).unwrap().remove(0).due;
    let of = |change: &dyn Fn(&mut Due)| {
        let mut other = booked.clone();
        change(&mut other);
        changes(&word, &[other], |_| 30)
    };
    assert_eq!(
        of(&|due| due.pair.currency = currency("USD")),
        Err(Refused::Currency)
    );
    assert_eq!(
        of(&|due| due.pair.payee = PayeeKind::Member),
        Err(Refused::Unknown)
    );
    assert_eq!(
        of(&|due| due.pair.provider = party("x")),
        Err(Refused::Unknown)
    );
    let mut huge = decision.clone();
    for line in &mut huge.lines {
        line.supplementary
            .iter_mut()
            .for_each(|share| share.amount = Amount::MAX);
        let more = line.supplementary.clone();
        line.supplementary.extend(more);
    }
    let word = Word {
        says: Says::Owes(&huge),
        ..word
    };
    assert_eq!(changes(&word, &[], |_| 30), Err(Refused::Range));
    assert_eq!(
        changes(&word, &[], |_| u32::MAX),
        Err(Refused::Range),
        "no panic on any terms"
    );
}

#[test]
fn what_was_written_off_is_not_owed_again() {
    // Of 100, 30 were argued about and written off. What a later decision says is owed less those 30.
    for (says, incurred, open) in [
        (100, 100, 70),
        (120, 120, 90),
        (80, 80, 50),
        (30, 30, 0),
        (10, 30, 0),
        (0, 30, 0),
    ] {
        let mut due = due([100, 0, 0, 0, 30]);
        due.lines = vec![DueLine {
            amount: amount(says),
            ..*due.lines.first().unwrap()
        }];
        if let Some(transfer) = due.missing(at(1)).unwrap() {
            due = due.apply(&transfer).unwrap();
        }
        assert_eq!(
            (due.incurred, due.open()),
            (amount(incurred), amount(open)),
            "{says}"
        );
    }
}

#[test]
fn what_a_review_brings_down_is_recovered() {
    let provider = party("hafez");
    let decision = |value| decision(&[("omid", &[value])]);
    let said = |value, turn, booked: &[Due]| {
        let decision = decision(value);
        let word = Word {
            message: id(1),
            provider: &provider,
            payee: PayeeKind::Provider,
            says: Says::Owes(&decision),
            is_reviewed: true,
            turn,
            day: day("2026-01-01"),
            at: at(1),
        };
        let change = changes(&word, booked, |_| 30).unwrap().remove(0);
        (change.transfer.unwrap().kind, change.due)
    };
    let (kind, due) = said(9, 1, &[]);
    assert_eq!(kind, K::Incurred);
    let (kind, due) = said(4, 2, &[due]);
    assert_eq!((kind, due.incurred), (K::Recovered, amount(4)));
}

#[test]
fn a_claim_is_paid_when_all_of_its_dues_are() {
    for (dues, expected) in [
        (vec![], false),
        (vec![[0, 0, 0, 0, 0]], false),
        (vec![[9, 0, 9, 0, 0]], true),
        (vec![[9, 0, 7, 0, 2]], true),
        (vec![[9, 0, 0, 0, 9]], false),
        (vec![[9, 1, 8, 0, 0]], false),
        (vec![[9, 0, 8, 1, 0]], false),
        (vec![[9, 0, 8, 0, 0]], false),
        (vec![[8, 0, 9, 0, 0]], false),
        (vec![[9, 0, 9, 0, 0], [0, 0, 0, 0, 0]], true),
        (vec![[9, 0, 9, 0, 0], [5, 0, 0, 0, 0]], false),
    ] {
        let all: Vec<Due> = dues.iter().map(|sums| due(*sums)).collect();
        assert_eq!(is_paid(&all), expected, "{dues:?}");
    }
}

#[test]
fn a_due_is_written_and_read_back() {
    let due = due([10, 1, 2, 3, 1]);
    let written = serde_json::to_string(&due).unwrap();
    assert_eq!(serde_json::from_str::<Due>(&written).unwrap(), due);
}
