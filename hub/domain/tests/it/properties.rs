//! What must hold for every bill, tried on a hundred thousand generated ones.
//!
//! `TAKMIL_BILLS` sets how many, `TAKMIL_SEED` which. A bill that breaks a property is shrunk before it is told.

use std::panic::{AssertUnwindSafe, catch_unwind};

use takmil_domain::share::Split;

use crate::laws;
use crate::sample::Sample;
use crate::tape::{Tape, shrink};

/// Fewer would leave rare meetings of rules untried; more is for longer runs.
const BILLS: u64 = 100_000;

type Property = fn(&Sample, &Split) -> Result<(), String>;

const PROPERTIES: &[(&str, Property)] = &[
    (
        "the parts of every line and of the totals sum to what was billed",
        laws::parts_sum,
    ),
    (
        "no part is below zero, and the member never pays more than without supplementary insurers",
        laws::parts_are_real,
    ),
    (
        "insurers together pay no more than what is recognised beyond the base share",
        laws::insurers_share_what_is_open,
    ),
    (
        "who refuses pays nothing, uses nothing up, and says why",
        laws::refusals_are_plain,
    ),
    (
        "a provider waives what its agreed price cuts off, in a network alone, and nothing that is paid",
        laws::waived_is_what_agreed_prices_cut,
    ),
    ("no remainder goes below zero", laws::remainders_are_real),
    (
        "a line uses up all of its limits together, by what is paid or borne, or none",
        laws::limits_go_down_together,
    ),
    (
        "what a line draws is what the next one no longer finds",
        laws::draws_are_the_change,
    ),
    (
        "a later line changes nothing of an earlier one, where procedures are not ranked together",
        laws::later_lines_change_nothing,
    ),
    (
        "the order in which lines are sent means nothing",
        laws::order_means_nothing,
    ),
    (
        "the same inputs give the same outcome, its trace included",
        laws::outcomes_repeat,
    ),
    (
        "what is written of a line is read back as it was, trace and all",
        laws::what_is_written_is_read_back,
    ),
    (
        "a line falls under the benefit that names it most specifically, the earlier one of equals",
        laws::benefits_are_the_most_specific,
    ),
    (
        "of what it would pay alone each insurer pays what its contract leaves it after earlier ones",
        laws::coordination_is_by_contract,
    ),
    (
        "raising a ceiling never lowers what a single insurer pays on a single line",
        laws::higher_ceilings_pay_no_less,
    ),
    (
        "a trace leads from what was billed to what is paid, step by step",
        laws::traces_lead_there,
    ),
];

#[test]
fn the_properties_hold_for_generated_bills() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let bills: u64 = number("TAKMIL_BILLS").unwrap_or(BILLS);
    let first: u64 = number("TAKMIL_SEED").unwrap_or(1);
    let seeds = first..first.saturating_add(bills);
    let broken = |half: usize| {
        let mut seeds = seeds.clone().skip(half).step_by(2);
        seeds.find(|seed| examine(&Sample::from_tape(&mut Tape::random(*seed))).is_err())
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
        let (smallest, broken) = smallest(seed);
        let outcome = catch_unwind(AssertUnwindSafe(|| smallest.outcome()));
        std::panic::set_hook(silence);
        let Broken { name, detail } = broken;
        panic!("seed {seed}: {name} does not hold: {detail}\n{smallest:#?}\n{outcome:#?}");
    }
}

/// The simplest sample found that breaks the same property as a seed's, and how.
fn smallest(seed: u64) -> (Sample, Broken) {
    let mut tape = Tape::random(seed);
    let name = examine(&Sample::from_tape(&mut tape)).unwrap_err().name;
    let breaks = |sample: &Sample| examine(sample).err().filter(|other| other.name == name);
    let tape = shrink(tape.recorded(), |tape| {
        breaks(&Sample::from_tape(&mut Tape::replay(tape.to_vec()))).is_some()
    });
    let mut smallest = Sample::from_tape(&mut Tape::replay(tape));
    let simpler = |sample: &Sample| {
        sample
            .simpler()
            .into_iter()
            .find(|one| breaks(one).is_some())
    };
    while let Some(simpler) = simpler(&smallest) {
        smallest = simpler;
    }
    let broken = breaks(&smallest).unwrap();
    (smallest, broken)
}

#[test]
fn every_generated_plan_is_one_that_the_hub_would_take() {
    for seed in 0..2_000 {
        let sample = Sample::from_tape(&mut Tape::random(seed));
        for insurer in &sample.insurers {
            assert_eq!(insurer.plan.faults(), [], "seed {seed}");
        }
    }
}

struct Broken {
    name: &'static str,
    detail: String,
}

fn examine(sample: &Sample) -> Result<(), Broken> {
    let judge = || {
        let outcome = sample.outcome();
        for (name, property) in PROPERTIES {
            property(sample, &outcome).map_err(|detail| Broken { name, detail })?;
        }
        Ok(())
    };
    let panicked = |_| Broken {
        name: "no bill makes the computation panic",
        detail: String::new(),
    };
    catch_unwind(AssertUnwindSafe(judge)).map_err(panicked)?
}
