//! What must hold of a bill and what comes of it, whoever judged it; [`crate::properties`] tries each law.

use std::ops::RangeInclusive;
use std::sync::Arc;

use takmil_domain::decision::{LineShare, Totals, TraceEntry};
use takmil_domain::ids::LimitCode;
use takmil_domain::limit::{self, LimitKey};
use takmil_domain::money::Amount;
use takmil_domain::plan::{Benefit, Coordination, Limit, LimitKind, LimitUnit, Plan};
use takmil_domain::reason::Reason;
use takmil_domain::share::Split;

use crate::sample::{Insurer, Sample, draws_of, share};

fn ensure(holds: bool, detail: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(detail()) }
}

pub(crate) fn parts_sum(_: &Sample, outcome: &Split) -> Result<(), String> {
    for line in &outcome.lines {
        let parts = line.base + line.written_off + line.supplementary_total() + line.member;
        ensure(parts == line.billed, || {
            format!("line {}: {parts} of {}", line.seq, line.billed)
        })?;
    }
    let totals = Totals::of(&outcome.lines);
    let parts = totals.base + totals.written_off + totals.supplementary_total() + totals.member;
    ensure(parts == totals.billed, || {
        format!("totals: {parts} of {}", totals.billed)
    })?;
    let billed: i128 = outcome
        .lines
        .iter()
        .map(|line| i128::from(line.billed.get()))
        .sum();
    ensure(billed == i128::from(totals.billed.get()), || {
        "the totals are not the lines' sums".to_owned()
    })
}

pub(crate) fn parts_are_real(_: &Sample, outcome: &Split) -> Result<(), String> {
    for line in &outcome.lines {
        let shares = line
            .supplementary
            .iter()
            .flat_map(|share| [share.amount, share.allowed]);
        let parts = [
            line.billed,
            line.allowed,
            line.base,
            line.subsidy,
            line.written_off,
            line.member,
        ];
        let mut parts = parts.into_iter().chain(shares);
        ensure(
            parts.all(|part| (Amount::ZERO..=Amount::MAX).contains(&part)),
            || format!("line {}", line.seq),
        )?;
        ensure(line.member <= line.billed - line.base, || {
            format!("line {}: the member pays more", line.seq)
        })?;
        ensure(line.subsidy <= line.base, || {
            format!("line {}: the subsidy is part of the base share", line.seq)
        })?;
    }
    Ok(())
}

pub(crate) fn insurers_share_what_is_open(_: &Sample, outcome: &Split) -> Result<(), String> {
    for line in &outcome.lines {
        let open = line.allowed - line.base.min(line.allowed);
        let paid = line.supplementary_total();
        ensure(paid <= open, || {
            format!("line {}: {paid} of {open}", line.seq)
        })?;
        let most = line.supplementary.iter().map(|share| share.allowed).max();
        ensure(line.allowed == most.unwrap_or_default(), || {
            format!("line {}: not the largest recognised", line.seq)
        })?;
        ensure(line.allowed <= line.billed, || {
            format!("line {}: more recognised than billed", line.seq)
        })?;
    }
    Ok(())
}

pub(crate) fn refusals_are_plain(_: &Sample, outcome: &Split) -> Result<(), String> {
    for line in &outcome.lines {
        for share in &line.supplementary {
            let Some(reason) = share.refused else {
                ensure(share.benefit.is_some(), || {
                    format!("line {}: paid by no benefit", line.seq)
                })?;
                continue;
            };
            ensure(reason.refuses() && line.reasons.contains(&reason), || {
                format!("line {}: {reason:?}", line.seq)
            })?;
            let nothing = share.amount.is_zero() && share.allowed.is_zero() && !share.pended;
            ensure(nothing, || format!("line {}: {share:?}", line.seq))?;
            let twins = line
                .supplementary
                .iter()
                .filter(|other| other.insurer == share.insurer);
            let drawn =
                draws_of(outcome, line.seq).any(|(need, _)| need.key.insurer == share.insurer);
            ensure(!drawn || twins.count() > 1, || {
                format!("line {}: {reason:?} and yet a draw", line.seq)
            })?;
        }
    }
    Ok(())
}

pub(crate) fn remainders_are_real(_: &Sample, outcome: &Split) -> Result<(), String> {
    let positive = outcome.draws.iter().all(|draw| draw.amount > 0);
    ensure(positive, || "a draw of nothing".to_owned())?;
    for (need, after) in outcome.needs.iter().zip(outcome.after()) {
        ensure(after >= 0, || format!("{}: {after}", need.key))?;
    }
    Ok(())
}

pub(crate) fn waived_is_what_agreed_prices_cut(
    sample: &Sample,
    outcome: &Split,
) -> Result<(), String> {
    if sample.shares_limits() {
        return Ok(());
    }
    for line in &outcome.lines {
        let (mut asked, mut by_price) = (Amount::ZERO, Amount::ZERO);
        let networks = sample.line(line.seq).network.iter();
        for (share, inside) in line.supplementary.iter().zip(networks) {
            if share.refused.is_some() || !inside.is_inside() {
                continue;
            }
            let after = |reasons: &[Reason]| {
                let mut entries = line.trace.iter();
                let named = |entry: &&TraceEntry| {
                    entry.insurer.as_ref() == Some(&share.insurer)
                        && reasons.contains(&entry.reason)
                };
                entries.rfind(named).map(|entry| entry.after)
            };
            let agreed = [Reason::OverContract, Reason::OverTariff, Reason::OverRank];
            let own = after(&[Reason::QuantityCapped]).unwrap_or(line.billed);
            asked = asked.max(own);
            by_price = by_price.max(after(&agreed).unwrap_or(own));
        }
        let cut = (asked - by_price.max(line.base)).or_zero();
        let expected = cut.min(line.billed - line.base - line.supplementary_total());
        ensure(line.written_off == expected, || {
            format!("line {}: {} for {expected}", line.seq, line.written_off)
        })?;
    }
    Ok(())
}

/// The remainders that a line uses of a kind and unit before an insurer, found from the plan alone.
fn expected(
    sample: &Sample,
    insurer: &Insurer,
    line: &LineShare,
    kind: LimitKind,
    units: &[LimitUnit],
) -> Vec<LimitKey> {
    let bill_line = sample.line(line.seq);
    let Some((benefit, _)) = insurer.plan.benefit(bill_line.system, bill_line.code) else {
        return Vec::new();
    };
    let uses = |own: &Limit| match own.kind {
        LimitKind::Deductible => benefit.deductible,
        LimitKind::OutOfPocket => true,
        LimitKind::Ceiling | LimitKind::Copay | LimitKind::LeastShare => {
            let mut used = benefit.limits.iter();
            used.any(|used| *used == own.id || is_within(&insurer.plan, used, &own.id))
        }
    };
    let applies = |own: &&Limit| own.kind == kind && units.contains(&own.unit) && uses(own);
    let limits = insurer.plan.limits.iter().filter(applies);
    let (plan, cover) = (&insurer.plan, &insurer.cover);
    let key = |own: &Limit| {
        let stretch = limit::stretch(plan, own.per, cover, bill_line.date, "visit")?;
        Some(limit::need(plan, own, cover, stretch).key)
    };
    limits.filter_map(key).collect()
}

fn is_within(plan: &Plan, inner: &LimitCode, outer: &LimitCode) -> bool {
    let next = plan.limits.iter().find(|own| own.id == *inner);
    next.and_then(|own| own.within.as_ref())
        .is_some_and(|next| next == outer || is_within(plan, next, outer))
}

pub(crate) fn limits_go_down_together(sample: &Sample, outcome: &Split) -> Result<(), String> {
    if sample.shares_limits() {
        return Ok(());
    }
    for line in &outcome.lines {
        let mut told = 0;
        for (insurer, share) in sample.insurers.iter().zip(&line.supplementary) {
            let drawn = |key: &LimitKey| {
                let own = draws_of(outcome, line.seq).filter(|(need, _)| need.key == *key);
                own.map(|(_, draw)| draw.amount).sum::<i64>()
            };
            let check = |kind, units: &[LimitUnit], sound: &dyn Fn(i64) -> bool| {
                let keys = expected(sample, insurer, line, kind, units);
                let amounts: Vec<i64> = keys.iter().map(drawn).collect();
                let alike = amounts
                    .iter()
                    .all(|amount| Some(amount) == amounts.first() && sound(*amount));
                ensure(alike, || {
                    format!(
                        "line {} {:?}: {amounts:?} of {keys:?}",
                        line.seq, share.insurer
                    )
                })?;
                Ok::<usize, String>(amounts.iter().filter(|amount| **amount > 0).count())
            };
            let refused = share.refused.is_some();
            let units = sample.line(line.seq).quantity.started_units();
            const MONEY: &[LimitUnit] = &[LimitUnit::Money];
            told += check(LimitKind::Ceiling, MONEY, &|amount| {
                amount == share.amount.get()
            })?;
            told += check(
                LimitKind::Ceiling,
                &[LimitUnit::Count, LimitUnit::Days],
                &|amount| {
                    (i64::from(!refused)..=units).contains(&amount) && (amount == 0) == refused
                },
            )?;
            // By the trace: what the deductible took, and what was the member's before limits and others.
            let noted = |steps: RangeInclusive<u8>, reason: Option<Reason>| {
                let mut own = line.trace.iter().filter(|entry| {
                    entry.insurer.as_ref() == Some(&share.insurer)
                        && steps.contains(&entry.step)
                        && reason.is_none_or(|reason| entry.reason == reason)
                });
                own.next_back()
                    .filter(|_| !refused)
                    .map_or(0, |entry| entry.after.get())
            };
            let deductible = noted(10..=10, Some(Reason::Deductible));
            told += check(LimitKind::Deductible, MONEY, &|amount| amount == deductible)?;
            let open = share.allowed - line.base.min(share.allowed);
            let cost = open.get() - noted(11..=12, None);
            told += check(LimitKind::OutOfPocket, MONEY, &|amount| amount == cost)?;
            // A visit is counted once, in what remembers it as in what it uses.
            for key in expected(
                sample,
                insurer,
                line,
                LimitKind::Ceiling,
                &[LimitUnit::Visits],
            ) {
                let mut own = key.clone();
                own.stretch = format!("{} visit:visit", own.stretch).into();
                let (counted, noted) = (drawn(&key), drawn(&own));
                ensure(
                    counted == noted && (counted == 0 || counted == 1 && !refused),
                    || format!("line {}: {counted} visits, {noted} of them noted", line.seq),
                )?;
                told += usize::try_from(counted * 2).unwrap();
            }
            // What is asked once is done with by the first line that is paid for.
            for kind in [LimitKind::Copay, LimitKind::LeastShare] {
                for key in expected(sample, insurer, line, kind, MONEY) {
                    let at = outcome
                        .needs
                        .iter()
                        .position(|need| need.key == key)
                        .unwrap();
                    let done = drawn(&key);
                    ensure(done == 0 || done == outcome.before[at] && !refused, || {
                        format!("line {}: {done} of {}", line.seq, outcome.before[at])
                    })?;
                    told += usize::from(done > 0);
                }
            }
        }
        let draws = draws_of(outcome, line.seq).count();
        ensure(draws == told, || {
            format!("line {}: {draws} draws, {told} expected", line.seq)
        })?;
    }
    Ok(())
}

pub(crate) fn draws_are_the_change(sample: &Sample, outcome: &Split) -> Result<(), String> {
    if sample.ranks_procedures() {
        return Ok(());
    }
    let mut left: Vec<(LimitKey, i64)> = Vec::new();
    for (need, before) in outcome.needs.iter().zip(&outcome.before) {
        left.push((need.key.clone(), *before));
    }
    for line in &outcome.lines {
        let alone = Sample {
            lines: vec![sample.line(line.seq).clone()],
            ..sample.clone()
        };
        let one = alone.outcome_on(|need| left.iter().find(|(key, _)| *key == need.key).unwrap().1);
        ensure(one.lines == [line.clone()], || {
            format!("line {} judged alone differs", line.seq)
        })?;
        for (need, after) in one.needs.iter().zip(one.after()) {
            left.iter_mut().find(|(key, _)| *key == need.key).unwrap().1 = after;
        }
    }
    let after: Vec<i64> = left.into_iter().map(|(_, left)| left).collect();
    ensure(after == outcome.after(), || {
        "the draws are not the change".to_owned()
    })
}

pub(crate) fn later_lines_change_nothing(sample: &Sample, outcome: &Split) -> Result<(), String> {
    if sample.ranks_procedures() {
        return Ok(());
    }
    let Some((last, earlier)) = outcome.lines.split_last() else {
        return Ok(());
    };
    let mut shorter = sample.clone();
    shorter.lines.retain(|line| line.seq != last.seq);
    ensure(shorter.outcome().lines == earlier, || {
        format!("without line {}", last.seq)
    })
}

pub(crate) fn order_means_nothing(sample: &Sample, outcome: &Split) -> Result<(), String> {
    let named = |outcome: &Split| {
        let draw = |draw: &takmil_domain::share::Draw| {
            (outcome.needs[draw.need].key.clone(), draw.seq, draw.amount)
        };
        outcome.draws.iter().map(draw).collect::<Vec<_>>()
    };
    let mut turned = sample.clone();
    turned.lines.reverse();
    let other = turned.outcome();
    ensure(other.lines == outcome.lines, || {
        "the shares differ".to_owned()
    })?;
    ensure(named(&other) == named(outcome), || {
        "the draws differ".to_owned()
    })?;
    Ok(())
}

pub(crate) fn outcomes_repeat(sample: &Sample, outcome: &Split) -> Result<(), String> {
    let again = sample.clone().outcome();
    ensure(again == *outcome, || "another outcome".to_owned())
}

/// Of the first line of each bill: there are bills enough.
pub(crate) fn what_is_written_is_read_back(_: &Sample, outcome: &Split) -> Result<(), String> {
    let Some(line) = outcome.lines.first() else {
        return Ok(());
    };
    let written = serde_json::to_string(line).map_err(|error| error.to_string())?;
    let read: LineShare = serde_json::from_str(&written).map_err(|error| error.to_string())?;
    ensure(read == *line, || format!("{read:?} is not {line:?}"))?;
    let again = serde_json::to_string(&read).map_err(|error| error.to_string())?;
    ensure(again == written, || format!("{again} is not {written}"))
}

pub(crate) fn benefits_are_the_most_specific(
    sample: &Sample,
    outcome: &Split,
) -> Result<(), String> {
    for line in &outcome.lines {
        let asked = sample.line(line.seq);
        let (system, code) = (asked.system, asked.code);
        for (share, insurer) in line.supplementary.iter().zip(&sample.insurers) {
            let specific = |benefit: &&Benefit| insurer.plan.longest(&benefit.codes, system, code);
            let named = insurer.plan.benefits.iter().rev();
            let named = named.filter(|benefit| specific(benefit).is_some());
            // The last of equals is the earlier one.
            let expected = named.max_by_key(specific).map(|benefit| &benefit.id);
            let priced = !line.reasons.contains(&Reason::NoPrice);
            ensure(!priced || share.benefit.as_ref() == expected, || {
                format!("{code}: {:?} is not {expected:?}", share.benefit)
            })?;
        }
    }
    Ok(())
}

/// That it holds of one line is enough: a line of a longer bill is judged as one alone, on what is left.
pub(crate) fn coordination_is_by_contract(sample: &Sample, _: &Split) -> Result<(), String> {
    let mut single = sample.clone();
    single.lines.truncate(1);
    // Where the message names no price, another insurer's tariff may; what an insurer said itself stands
    // for itself.
    let unpriced = single.lines.iter().any(|line| line.billed.is_none());
    let said = sample.insurers.iter().any(|own| own.said.is_some());
    if sample.shares_limits() || unpriced || said {
        return Ok(());
    }
    for line in &single.outcome().lines {
        let mut open = line.allowed - line.base.min(line.allowed);
        let mut before = Amount::ZERO;
        for (at, (insurer, share)) in sample.insurers.iter().zip(&line.supplementary).enumerate() {
            let mut alone = single.clone();
            alone.insurers = vec![Arc::clone(insurer)];
            alone.lines[0].network = vec![alone.lines[0].network[at]];
            alone.lines[0].authorised = vec![alone.lines[0].authorised[at]];
            let alone = alone.outcome().lines[0].supplementary_total();
            let by_contract = match insurer.plan.coordination {
                Coordination::Standard => alone,
                Coordination::CarveOut => (alone - before).or_zero(),
            };
            let expected = by_contract.min(open);
            ensure(share.amount == expected, || {
                format!(
                    "{}: {} for {expected}, alone {alone}",
                    share.insurer, share.amount
                )
            })?;
            open -= share.amount;
            before += share.amount;
        }
    }
    Ok(())
}

pub(crate) fn higher_ceilings_pay_no_less(sample: &Sample, _: &Split) -> Result<(), String> {
    let mut low = sample.clone();
    low.insurers.truncate(1);
    low.lines.truncate(1);
    let paid = |sample: &Sample, outcome: &Split| {
        let line = sample.lines.first().map(|line| share(outcome, line.seq));
        line.map(LineShare::supplementary_total)
    };
    let before = paid(&low, &low.outcome());
    let limits = low.insurers.iter().flat_map(|own| own.plan.limits.clone());
    for limit in limits.filter(|limit| limit.kind == LimitKind::Ceiling) {
        for more in [1, limit.ceiling / 2 + 2] {
            let mut high = low.clone();
            for at in 0..high.insurers.len() {
                high.change_plan(at, |plan| {
                    for own in &mut plan.limits {
                        own.ceiling += if own.id == limit.id { more } else { 0 };
                    }
                });
            }
            let left = |need: &limit::LimitNeed| {
                let raised = need.key.code == limit.id && need.per == limit.per;
                let original = limit::LimitNeed {
                    ceiling: need.ceiling - if raised { more } else { 0 },
                    ..need.clone()
                };
                low.left(&original) + if raised { more } else { 0 }
            };
            let after = paid(&high, &high.outcome_on(left));
            ensure(after >= before, || {
                format!("{} by {more}: {before:?} becomes {after:?}", limit.id)
            })?;
        }
    }
    Ok(())
}

pub(crate) fn traces_lead_there(sample: &Sample, outcome: &Split) -> Result<(), String> {
    if sample.shares_limits() {
        return Ok(());
    }
    for line in outcome
        .lines
        .iter()
        .filter(|line| !line.reasons.contains(&Reason::NoPrice))
    {
        let fault = |what: &str| format!("line {}: {what}: {:#?}", line.seq, line.trace);
        let of = |steps: RangeInclusive<u8>, whose: Option<&_>| {
            let own = line
                .trace
                .iter()
                .filter(move |entry| entry.insurer.as_ref() == whose);
            own.filter(|entry| steps.contains(&entry.step))
                .collect::<Vec<_>>()
        };
        ensure(
            chain(&of(9..=9, None), Amount::ZERO) == Some(line.base),
            || fault("base"),
        )?;
        ensure(
            chain(&of(15..=15, None), Amount::ZERO) == Some(line.written_off),
            || fault("written off"),
        )?;
        for share in &line.supplementary {
            let whose = Some(&share.insurer);
            let entries = of(1..=15, whose);
            ensure(entries.is_sorted_by_key(|entry| entry.step), || {
                fault("order")
            })?;
            let recognised: Vec<&TraceEntry> = of(7..=8, whose)
                .into_iter()
                .filter(|entry| !entry.reason.refuses())
                .collect();
            let shared: Vec<&TraceEntry> = of(11..=14, whose);
            match share.refused {
                Some(Reason::InsurerRefused) | None => {
                    let allowed = chain(&recognised, line.billed);
                    ensure(
                        share.refused.is_some() || allowed == Some(share.allowed),
                        || fault("recognised"),
                    )?;
                    let paid = allowed.and_then(|allowed| chain(&shared, allowed));
                    ensure(paid == Some(share.amount), || fault("paid"))?;
                    let franchise = chain(&of(10..=10, whose), Amount::ZERO);
                    ensure(
                        franchise.is_some_and(|amount| {
                            amount >= Amount::ZERO && Some(amount) <= allowed
                        }),
                        || fault("franchise"),
                    )?;
                }
                Some(reason) => {
                    let last = entries
                        .last()
                        .map(|entry| (entry.reason, entry.before, entry.after));
                    ensure(last == Some((reason, line.billed, Amount::ZERO)), || {
                        fault("refusal")
                    })?;
                }
            }
        }
    }
    Ok(())
}

/// Where entries lead from `start`, each beginning where the one before it ended.
fn chain(entries: &[&TraceEntry], start: Amount) -> Option<Amount> {
    entries.iter().try_fold(start, |at, entry| {
        (entry.before == at).then_some(entry.after)
    })
}
