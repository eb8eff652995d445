//! Differences, and the messages behind them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::super::sample::id;
use super::*;
use DifferenceKind as D;

fn claim(number: u128, amount: i64, state: Option<&str>) -> Figure {
    Figure {
        item: Item::Claim(id(number)),
        amount,
        state: state.map(str::to_owned),
        entries: Vec::new(),
    }
}

fn limit(amount: i64, entries: &[(u128, i64)]) -> Figure {
    Figure {
        item: Item::Limit("dental".to_owned()),
        amount,
        state: None,
        entries: entries
            .iter()
            .map(|(claim, value)| (id(*claim), *value))
            .collect(),
    }
}

fn candidate(number: u128, why: Why, amount: i64) -> Candidate {
    Candidate {
        message: id(number),
        why,
        amount,
    }
}

fn told(reconciled: &Reconciled) -> Vec<(D, Vec<u128>)> {
    let names = |one: &Difference| one.messages().iter().map(|it| it.0.as_u128()).collect();
    let row = |one: &Difference| (one.kind, names(one));
    reconciled.differences.iter().map(row).collect()
}

#[test]
fn each_kind_of_difference_between_claims_names_its_claim() {
    type Row = (
        Vec<Figure>,
        Option<Vec<Figure>>,
        Option<Vec<Figure>>,
        Vec<D>,
        bool,
    );
    let one = |amount| vec![claim(1, amount, None)];
    let with = |amount, state| vec![claim(1, amount, Some(state))];
    let table: Vec<Row> = vec![
        (one(5), Some(one(5)), Some(one(5)), vec![], true),
        (one(5), Some(one(5)), None, vec![], false),
        (one(5), None, None, vec![], false),
        (
            one(5),
            Some(vec![]),
            Some(one(5)),
            vec![D::MissingAtInsurer],
            false,
        ),
        (
            one(5),
            Some(one(5)),
            Some(vec![]),
            vec![D::MissingAtProvider],
            false,
        ),
        (
            one(5),
            Some(vec![]),
            Some(vec![]),
            vec![D::MissingAtInsurer, D::MissingAtProvider],
            false,
        ),
        (one(0), Some(vec![]), Some(vec![]), vec![], false),
        (
            vec![],
            Some(one(5)),
            Some(vec![]),
            vec![D::MissingAtHub],
            false,
        ),
        (vec![], None, Some(one(5)), vec![D::MissingAtHub], false),
        (vec![], Some(one(0)), Some(one(0)), vec![], false),
        (one(5), Some(one(4)), Some(one(5)), vec![D::Amount], false),
        (one(5), Some(one(5)), Some(one(6)), vec![D::Amount], false),
        (one(5), Some(one(4)), Some(one(3)), vec![D::Amount], false),
        (
            one(5),
            Some(one(4)),
            Some(vec![]),
            vec![D::MissingAtProvider, D::Amount],
            false,
        ),
        (
            with(5, "paid"),
            Some(with(5, "paid")),
            Some(one(5)),
            vec![],
            true,
        ),
        (
            with(5, "paid"),
            Some(with(5, "open")),
            Some(one(5)),
            vec![D::State],
            false,
        ),
        (
            with(5, "paid"),
            Some(one(5)),
            Some(with(5, "open")),
            vec![D::State],
            false,
        ),
        (
            with(5, "paid"),
            Some(with(4, "open")),
            Some(one(5)),
            vec![D::Amount],
            false,
        ),
        (
            one(i64::MIN),
            Some(one(i64::MAX)),
            Some(one(0)),
            vec![D::Amount],
            false,
        ),
    ];
    for (hub, insurer, provider, expected, agrees) in table {
        let sides = Sides {
            hub: &hub,
            insurer: insurer.as_deref(),
            provider: provider.as_deref(),
        };
        let reconciled = reconcile(sides, &[]);
        let expected: Vec<(D, Vec<u128>)> =
            expected.into_iter().map(|kind| (kind, vec![1])).collect();
        assert_eq!(told(&reconciled), expected, "{sides:?}");
        assert_eq!(!reconciled.agreed.is_empty(), agrees, "{sides:?}");
    }
}

#[test]
fn a_claims_difference_tells_why_where_that_is_known() {
    let why = (Item::Claim(id(1)), candidate(1, Why::Undelivered, 5));
    let hub = [claim(1, 5, None)];
    let cause = |stated: &[Figure]| {
        let sides = Sides {
            hub: &hub,
            insurer: Some(stated),
            provider: None,
        };
        reconcile(sides, std::slice::from_ref(&why))
            .differences
            .remove(0)
            .cause
    };
    assert_eq!(cause(&[]), Cause::Found(vec![why.1]));
    assert_eq!(
        cause(&[claim(1, 3, None)]),
        Cause::Unexplained(vec![why.1]),
        "two are lacking, and the delivery is of five"
    );
}

#[test]
fn a_limits_difference_is_traced_by_entries_or_by_what_sums_to_it() {
    use Why::{Dead, Entry, Posted, Reversed, Undelivered, UnderReview};
    let hub = limit(100, &[(1, 60), (2, 40)]);
    let known = [
        candidate(1, Undelivered, 60),
        candidate(2, UnderReview, 40),
        candidate(3, Reversed, -15),
        candidate(4, Posted, 7),
        candidate(5, Dead, 0),
    ];
    type Row = (Figure, Vec<Candidate>, Result<Vec<Candidate>, usize>);
    let table: Vec<Row> = vec![
        (
            limit(60, &[(1, 60)]),
            vec![],
            Ok(vec![candidate(2, Entry, 40)]),
        ),
        (
            limit(105, &[(1, 60), (2, 40), (9, 5)]),
            vec![],
            Ok(vec![candidate(9, Entry, -5)]),
        ),
        // The insurer's entries do not make up its own figure: the rest is looked for.
        (
            limit(53, &[(1, 60)]),
            known.to_vec(),
            Ok(vec![candidate(2, Entry, 40), candidate(4, Posted, 7)]),
        ),
        (limit(52, &[(1, 60)]), known.to_vec(), Err(5)),
        (limit(40, &[]), known.to_vec(), Ok(vec![known[0]])),
        (limit(0, &[]), known.to_vec(), Ok(vec![known[0], known[1]])),
        (limit(115, &[]), known.to_vec(), Ok(vec![known[2]])),
        (
            limit(108, &[]),
            known.to_vec(),
            Ok(vec![known[2], known[3]]),
        ),
        (limit(99, &[]), known.to_vec(), Err(5)),
        (limit(99, &[]), vec![], Err(0)),
        // Two deliveries of the same amount: it may be either, so that neither is named.
        (
            limit(70, &[]),
            vec![candidate(1, Undelivered, 30), candidate(2, Undelivered, 30)],
            Err(2),
        ),
        // A delivery is likelier than a posting of the same amount; one message than two.
        (
            limit(70, &[]),
            vec![candidate(1, Posted, 30), candidate(2, Undelivered, 30)],
            Ok(vec![candidate(2, Undelivered, 30)]),
        ),
        (
            limit(70, &[]),
            vec![
                candidate(1, Undelivered, 10),
                candidate(2, Undelivered, 20),
                candidate(3, Posted, 30),
            ],
            Ok(vec![candidate(3, Posted, 30)]),
        ),
    ];
    for (stated, candidates, expected) in table {
        let candidates: Vec<(Item, Candidate)> = candidates
            .iter()
            .map(|one| (hub.item.clone(), *one))
            .collect();
        let sides = Sides {
            hub: std::slice::from_ref(&hub),
            insurer: Some(std::slice::from_ref(&stated)),
            provider: Some(&[]),
        };
        let reconciled = reconcile(sides, &candidates);
        let [difference] = reconciled.differences.as_slice() else {
            unreachable!("one difference of {stated:?}")
        };
        assert_eq!(difference.kind, D::Limit);
        assert_eq!(
            (difference.hub, difference.insurer),
            (Some(100), Some(stated.amount))
        );
        match (&difference.cause, expected) {
            (Cause::Found(found), Ok(expected)) => assert_eq!(*found, expected, "{stated:?}"),
            (Cause::Unexplained(all), Err(many)) => assert_eq!(all.len(), many, "{stated:?}"),
            (cause, expected) => unreachable!("{stated:?}: {cause:?} for {expected:?}"),
        }
        let names = difference.messages().is_empty();
        assert_eq!(names, matches!(difference.cause, Cause::Unexplained(_)));
    }
}

#[test]
fn limits_that_one_side_lacks_count_as_unused() {
    let hub = limit(0, &[]);
    let compare = |hub: &[Figure], insurer: Option<&[Figure]>| {
        let sides = Sides {
            hub,
            insurer,
            provider: None,
        };
        told(&reconcile(sides, &[])).len()
    };
    assert_eq!(compare(&[hub], Some(&[])), 0);
    assert_eq!(compare(&[], Some(&[limit(3, &[])])), 1);
    assert_eq!(compare(&[limit(3, &[])], Some(&[])), 1);
    assert_eq!(compare(&[limit(3, &[])], None), 0);
}

#[test]
fn only_the_first_candidates_are_tried_and_none_makes_it_fail() {
    let ones: Vec<Candidate> = (0..40)
        .map(|at| candidate(at, Why::Undelivered, 1 << at))
        .collect();
    assert_eq!(subset(&ones, (1 << 12) - 1).unwrap().len(), 12);
    assert_eq!(subset(&ones, 1 << 12), None, "the thirteenth is not tried");
    let huge = [
        candidate(1, Why::Dead, i64::MAX),
        candidate(2, Why::Dead, i64::MAX),
    ];
    assert_eq!(subset(&huge, i128::from(i64::MAX) * 2).unwrap().len(), 2);
    assert_eq!(subset(&huge, i128::MIN), None);
}
