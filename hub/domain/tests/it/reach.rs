//! What the generated bills reach: the properties would hold of nothing, if no bill met the rules.

use std::collections::BTreeMap;

use takmil_domain::decision::{LineShare, TraceEntry};
use takmil_domain::money::{Amount, Quantity};
use takmil_domain::plan::{AuthorisationRule, Benefit, LimitKind, LimitPer, LimitUnit};
use takmil_domain::reason::Reason;
use takmil_domain::share::{BillLine, Split};
use takmil_domain::tariff::Price;

use crate::sample::{Insurer, Sample};
use crate::tape::Tape;

/// Bills looked at; each sight must come up at least [`LEAST`] times among them.
const BILLS: u64 = 20_000;
const LEAST: u64 = 25;

/// Every reason that the share computation gives.
const REASONS: &[Reason] = &[
    Reason::CoverInactive,
    Reason::CoverSuspended,
    Reason::AgedOut,
    Reason::NoBenefit,
    Reason::Excluded,
    Reason::Waiting,
    Reason::AgeOutside,
    Reason::SexOutside,
    Reason::DiagnosisOutside,
    Reason::CareOutside,
    Reason::OutsideNetwork,
    Reason::AuthorisationMissing,
    Reason::AuthorisationPended,
    Reason::AuthorisationPenalty,
    Reason::AuthorisedAmount,
    Reason::QuantityCapped,
    Reason::QuantityUsed,
    Reason::OverContract,
    Reason::OverTariff,
    Reason::OverRank,
    Reason::OverReference,
    Reason::NoPrice,
    Reason::BasePaid,
    Reason::BaseComputed,
    Reason::Subsidised,
    Reason::Deductible,
    Reason::Copay,
    Reason::OnceCopay,
    Reason::LeastShare,
    Reason::Coinsurance,
    Reason::Rounded,
    Reason::Share,
    Reason::OutOfPocket,
    Reason::LimitReached,
    Reason::Coordinated,
    Reason::WrittenOff,
    Reason::CurrencyDiffers,
    Reason::InsurerAdjusted,
    Reason::InsurerRefused,
];

#[test]
fn generated_bills_reach_every_reason_and_every_kind_of_limit() {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for reason in REASONS {
        seen.insert(format!("{reason:?}"), 0);
    }
    for sight in SIGHTS {
        seen.insert(sight.0.to_owned(), 0);
    }
    for seed in 0..BILLS {
        let sample = Sample::from_tape(&mut Tape::random(seed));
        let outcome = sample.outcome();
        let mut here: Vec<String> = reasons(&outcome)
            .map(|reason| format!("{reason:?}"))
            .collect();
        here.extend(modes_and_limits(&sample, &outcome));
        let sights = SIGHTS
            .iter()
            .filter(|(_, is_there)| is_there(&sample, &outcome));
        here.extend(sights.map(|(name, _)| (*name).to_owned()));
        here.sort();
        here.dedup();
        for sight in here {
            *seen.entry(sight).or_default() += 1;
        }
    }

    let rare: Vec<_> = seen.iter().filter(|(_, count)| **count < LEAST).collect();
    assert!(
        rare.is_empty(),
        "too rare among {BILLS} bills: {rare:?}\nall: {seen:#?}"
    );
    let unlisted = |name: &&String| {
        Reason::ALL
            .iter()
            .any(|reason| format!("{reason:?}") == **name)
            && !REASONS.iter().any(|reason| format!("{reason:?}") == **name)
    };
    assert_eq!(
        seen.keys().filter(unlisted).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "reasons to be listed"
    );
    assert!(
        seen["something paid"] > BILLS * 2 / 5,
        "{}",
        seen["something paid"]
    );
    // Three modes by two coordinations; money limits of five kinds and counts and days of one, over five
    // stretches that are remembered, of two owners; visits over four, and what remembers them.
    assert_eq!(
        seen.keys()
            .filter(|name| name.starts_with("pays by "))
            .count(),
        6
    );
    assert_eq!(
        seen.keys()
            .filter(|name| name.starts_with("draws on "))
            .count(),
        7 * 5 * 2 + 5 * 2
    );
}

fn reasons(outcome: &Split) -> impl Iterator<Item = Reason> {
    let lines = outcome.lines.iter();
    lines.flat_map(|line| {
        let noted = line.trace.iter().map(|entry| entry.reason);
        noted.chain(line.reasons.iter().copied())
    })
}

/// How insurers that paid something are set, and which limits went down.
fn modes_and_limits(sample: &Sample, outcome: &Split) -> Vec<String> {
    let mut here = Vec::new();
    for line in &outcome.lines {
        for (insurer, share) in sample.insurers.iter().zip(&line.supplementary) {
            if share.amount > Amount::ZERO {
                here.push(format!(
                    "pays by {:?} {:?}",
                    insurer.plan.mode, insurer.plan.coordination
                ));
            }
        }
    }
    for draw in &outcome.draws {
        let need = &outcome.needs[draw.need];
        let owner = if need.key.member.is_some() {
            "member"
        } else {
            "account"
        };
        here.push(format!(
            "draws on {:?} {:?} {:?} {owner}",
            need.kind, need.unit, need.per
        ));
    }
    here
}

type Sight = (&'static str, fn(&Sample, &Split) -> bool);

const SIGHTS: &[Sight] = &[
    ("something paid", |_, outcome| pays(outcome, 1)),
    ("four insurers, two of them paying", |sample, outcome| {
        sample.insurers.len() == 4 && pays(outcome, 2)
    }),
    ("three insurers paying for one line", |_, outcome| {
        pays(outcome, 3)
    }),
    (
        "two covers that share limits, both paying",
        |sample, outcome| sample.shares_limits() && pays(outcome, 2),
    ),
    (
        "a network of one insurer and not of another, both paying",
        |sample, outcome| {
            outcome.lines.iter().any(|line| {
                let paying = line
                    .supplementary
                    .iter()
                    .map(|share| share.amount > Amount::ZERO);
                let networks = sample.line(line.seq).network.iter().zip(paying);
                let inside: Vec<bool> = networks
                    .filter(|(_, pays)| *pays)
                    .map(|(tier, _)| tier.is_inside())
                    .collect();
                inside.contains(&true) && inside.contains(&false)
            })
        },
    ),
    (
        "an exclusion lifted by a circumstance",
        |sample, outcome| {
            outcome.lines.iter().any(|line| {
                let bill_line = sample.line(line.seq);
                let shares = sample.insurers.iter().zip(&line.supplementary);
                shares.into_iter().any(|(insurer, share)| {
                    let lifted = insurer.plan.exclusions.iter().any(|exclusion| {
                        let (system, code) = (bill_line.system, bill_line.code);
                        let named = insurer.plan.longest(&exclusion.codes, system, code);
                        let stated = exclusion
                            .unless
                            .iter()
                            .filter_map(|own| own.circumstance.as_deref());
                        named.is_some()
                            && stated
                                .into_iter()
                                .any(|own| Some(own) == bill_line.circumstance)
                    });
                    lifted && share.refused.is_none()
                })
            })
        },
    ),
    ("a waiting period waived", |sample, outcome| {
        paying(sample, outcome).any(|(insurer, benefit, line)| {
            let (start, calendar) = (insurer.cover.start, insurer.plan.calendar);
            line.date < start.add_months(benefit.waiting_months, calendar)
        })
    }),
    (
        "leave asked for, and no penalty for not having it",
        |sample, outcome| {
            paying(sample, outcome).any(|(_, benefit, line)| {
                let needed = matches!(
                    benefit.authorisation,
                    AuthorisationRule::Penalty { .. } | AuthorisationRule::Refuse
                );
                needed && sample.asks_leave && line.authorised.iter().all(Option::is_none)
            })
        },
    ),
    ("a price in relative values", |sample, outcome| {
        priced(sample, outcome, |price| price.relative.is_some())
    }),
    ("a part of a unit covered", |sample, outcome| {
        outcome.lines.iter().any(|line| {
            let quantity = sample.line(line.seq).quantity;
            quantity != Quantity::whole(u32::try_from(quantity.started_units()).unwrap())
                && line.supplementary_total() > Amount::ZERO
        })
    }),
    ("nothing billed", |_, outcome| {
        outcome
            .lines
            .iter()
            .any(|line| line.billed.is_zero() && line.reasons.is_empty())
    }),
    ("amounts near the largest, paid in part", |_, outcome| {
        outcome.lines.iter().any(|line| {
            let near = |amount: Amount| amount.get() > Amount::MAX.get() / 10 * 9;
            near(line.billed) && near(line.supplementary_total())
        })
    }),
    (
        "base insurance unused, and something paid",
        |sample, outcome| {
            let unused =
                |line: &LineShare| line.base.is_zero() && line.supplementary_total() > Amount::ZERO;
            sample.base.is_none() && outcome.lines.iter().any(unused)
        },
    ),
    (
        "a base share over what an insurer recognises",
        |_, outcome| {
            outcome
                .lines
                .iter()
                .any(|line| line.allowed > Amount::ZERO && line.base > line.allowed)
        },
    ),
    (
        "a base share computed in part by class",
        |sample, outcome| {
            let computed = |entry: &TraceEntry| {
                entry.reason == Reason::BaseComputed && entry.after > Amount::ZERO
            };
            sample.class.is_some()
                && outcome
                    .lines
                    .iter()
                    .any(|line| line.trace.iter().any(computed))
        },
    ),
    ("an item limit reached", |sample, outcome| {
        outcome.lines.iter().any(|line| {
            line.trace.iter().any(|entry| {
                let limits = sample.insurers.iter().flat_map(|own| &own.plan.limits);
                let of_item = limits.filter(|limit| limit.per == LimitPer::Item);
                let named = |code: &str| {
                    let rule = entry.rule.as_ref();
                    rule.is_some_and(|rule| rule.part() == Some(code))
                };
                entry.reason == Reason::LimitReached
                    && of_item.into_iter().any(|limit| named(limit.id.as_str()))
            })
        })
    }),
    (
        "a money limit gone at one line and none left for the next",
        |_, outcome| {
            outcome
                .needs
                .iter()
                .zip(outcome.before.iter().zip(outcome.after()))
                .any(|(need, (before, after))| {
                    need.kind == LimitKind::Ceiling
                        && need.unit == LimitUnit::Money
                        && *before > 0
                        && after == 0
                })
        },
    ),
];

fn pays(outcome: &Split, many: usize) -> bool {
    let paying = |line: &LineShare| {
        let shares = line.supplementary.iter();
        shares.filter(|share| share.amount > Amount::ZERO).count()
    };
    outcome.lines.iter().any(|line| paying(line) >= many)
}

/// Insurers that pay something of a line, with the benefit they pay it by.
fn paying<'a>(
    sample: &'a Sample,
    outcome: &'a Split,
) -> impl Iterator<Item = (&'a Insurer, &'a Benefit, &'a BillLine<'static>)> {
    outcome.lines.iter().flat_map(move |line| {
        let shares = sample.insurers.iter().zip(&line.supplementary);
        let paying = shares.filter(|(_, share)| share.amount > Amount::ZERO);
        paying.filter_map(|(insurer, share)| {
            let named = |own: &&Benefit| Some(&own.id) == share.benefit.as_ref();
            let benefit = insurer.plan.benefits.iter().find(named)?;
            Some((insurer.as_ref(), benefit, sample.line(line.seq)))
        })
    })
}

/// Whether a tariff's price of a kind cut what was billed.
fn priced(sample: &Sample, outcome: &Split, kind: fn(&Price) -> bool) -> bool {
    outcome.lines.iter().any(|line| {
        let cut = line
            .trace
            .iter()
            .any(|entry| entry.reason == Reason::OverTariff && entry.after > Amount::ZERO);
        let bill_line = sample.line(line.seq);
        let tariffs = sample.insurers.iter().filter_map(|own| own.tariff.as_ref());
        let mut prices = tariffs.flat_map(|tariff| &tariff.document().prices);
        cut && prices.any(|price| {
            price.code.code == bill_line.code
                && price.code.system == bill_line.system
                && kind(price)
        })
    })
}
