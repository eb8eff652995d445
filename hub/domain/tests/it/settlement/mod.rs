//! What must hold of the book over whole months: decisions, corrections, reversals, payments, bounces, confirmations
//! and disputes, in any order and any number of times.
//!
//! `TAKMIL_MONTHS` sets how many months, `TAKMIL_SEED` which, `TAKMIL_CLAIMS` how many claims the large one has. A month
//! that breaks a law is shrunk before it is told.

mod book;
mod laws;
mod month;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::tape::{Tape, shrink};
use book::Book;
use month::{Month, Scale};

/// Fewer would leave rare meetings of bounces, disputes and corrections untried.
const MONTHS: u64 = 4_000;
/// Three insurers, fifty providers, and claims enough for every pair to have its bulk payments.
const CLAIMS: u64 = 6_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn the_laws_of_the_book_hold_over_generated_months() {
    let first = number("TAKMIL_SEED").unwrap_or(1);
    let seeds = first..first.saturating_add(number("TAKMIL_MONTHS").unwrap_or(MONTHS));
    let broken = |half: usize| {
        let mut seeds = seeds.clone().skip(half).step_by(2);
        seeds.find(|seed| examine(&Month::small(&mut Tape::random(*seed))).is_err())
    };
    let seed = std::thread::scope(|scope| {
        let other = scope.spawn(|| broken(1));
        [broken(0), other.join().unwrap()]
            .into_iter()
            .flatten()
            .min()
    });
    if let Some(seed) = seed {
        let silence = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let mut tape = Tape::random(seed);
        let name = examine(&Month::small(&mut tape)).unwrap_err().0;
        let breaks = |tape: &[u32]| {
            let month = Month::small(&mut Tape::replay(tape.to_vec()));
            examine(&month).is_err_and(|broken| broken.0 == name)
        };
        let tape = shrink(tape.recorded(), breaks);
        let month = Month::small(&mut Tape::replay(tape));
        let detail = examine(&month).unwrap_err().1;
        std::panic::set_hook(silence);
        panic!("seed {seed}: {name} does not hold: {detail}\n{month:#?}");
    }
}

/// The first law that a month breaks, and how.
fn examine(month: &Month) -> Result<(), (&'static str, String)> {
    let judge = || {
        for (name, law) in laws::LAWS {
            law(month).map_err(|detail| (*name, detail))?;
        }
        Ok(())
    };
    catch_unwind(AssertUnwindSafe(judge))
        .map_err(|_| ("nothing makes the book panic", String::new()))?
}

#[test]
fn every_kind_of_transfer_and_refusal_is_met_in_generated_months() {
    let mut reach = laws::Reached::default();
    for seed in 0..400 {
        reach.note(&Month::small(&mut Tape::random(seed)));
    }
    assert_eq!(reach.missing(), Vec::<String>::new());
}

#[test]
fn a_month_of_three_insurers_and_fifty_providers_closes_to_the_smallest_unit() {
    let scale = Scale {
        insurers: 3,
        providers: 50,
        claims: number("TAKMIL_CLAIMS").unwrap_or(CLAIMS) as usize,
    };
    let month = Month::large(&mut Tape::random(88), &scale);
    let mut book = Book::new(&month);
    book.run(&month);
    laws::balanced(&book).unwrap();
    laws::adds_up(&book).unwrap();
    let closed = book.close(&month, &[]).unwrap();
    let (debits, credits) = closed.balance.totals();
    assert_eq!(debits, credits);
    assert!(book.pairs() >= 150, "{} pairs", book.pairs());
    println!(
        "{} claims, {} transfers, {} statements, {} debited and credited",
        scale.claims,
        book.transfers(),
        book.statements(),
        closed.debits
    );
}
