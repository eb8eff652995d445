//! What insurers have to do with a judgement: who is to be asked, what was heard, and answering in their place.

use takmil_domain::bill::Bill;
use takmil_domain::coverage::Cover;
use takmil_domain::date::Date;
use takmil_domain::decision::{LineShare, Totals};
use takmil_domain::ids::{LimitCode, ParticipantId};
use takmil_domain::limit::{EntryKind, LimitKey, LimitNeed};
use takmil_domain::money::Amount;
use takmil_domain::participant::{AnswerMode, Contract};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};
use takmil_domain::reason::Reason;
use takmil_domain::share::{InsurerSays, Split};

use super::bench::Bench;
use super::{Effect, Heard, Judged, Matter, Unjudged};
use crate::basis::{Basis, Said};
use crate::catalog::Catalog;
use crate::ledger::Unbalanced;

/// The limit on what the hub answers in an insurer's place for a member on a day.
const STAND_IN: &str = "stand-in";

/// Takes what was heard of insurers into the basis.
pub(super) fn hear(
    matter: &mut Matter<'_>,
    bill: &Bill,
    bench: &mut Bench<'_>,
    judged: &mut Judged,
) -> Result<(), Unjudged> {
    let mut silent = Vec::new();
    for (insurer, heard) in std::mem::take(&mut matter.heard) {
        match heard {
            Heard::Says { says, word } => {
                judged.reasons.push(match says {
                    InsurerSays::Approved => Reason::InsurerApproved,
                    InsurerSays::Adjusted(_) => Reason::InsurerAdjusted,
                    InsurerSays::Refused => Reason::InsurerRefused,
                });
                matter.basis.said.retain(|said| said.insurer != insurer);
                matter.basis.said.push(Said {
                    insurer,
                    says,
                    stand_in: false,
                    reference: word.reference,
                    granted: word.granted,
                    valid_until: word.valid_until,
                    revision: word.revision,
                });
            }
            Heard::Pends(_) => judged.reasons.push(Reason::InsurerPended),
            Heard::Asks(_) => judged.reasons.push(Reason::InsurerAsked),
            // Who was not asked about a cover has nothing to say of one.
            Heard::Covers { .. } => {}
            Heard::Silent => {
                judged.reasons.push(Reason::InsurerSilent);
                silent.push(insurer);
            }
            Heard::Invalid => {
                judged.reasons.push(Reason::InsurerInvalid);
                silent.push(insurer);
            }
        }
    }
    if !silent.is_empty() {
        let split = bench.split(matter, bill)?;
        for insurer in silent {
            if stand_in(matter, bill, &split, &insurer, bench)? {
                judged.reasons.push(Reason::StandIn);
                matter.basis.said.push(Said {
                    insurer,
                    says: InsurerSays::Approved,
                    stand_in: true,
                    reference: None,
                    granted: Vec::new(),
                    valid_until: None,
                    revision: 0,
                });
            } else {
                judged.reasons.push(Reason::OverStandIn);
            }
        }
    }
    judged.reasons.dedup();
    Ok(())
}

/// Whether the hub may answer in a silent insurer's place; what it answers counts against the day's limit.
fn stand_in(
    matter: &Matter<'_>,
    bill: &Bill,
    split: &Split,
    insurer: &ParticipantId,
    bench: &mut Bench<'_>,
) -> Result<bool, Unbalanced> {
    let catalog = bench.catalog;
    let Some(contract) = catalog
        .contract(insurer)
        .filter(|contract| contract.mode == AnswerMode::StandIn)
    else {
        return Ok(false);
    };
    let Some(terms) = &contract.stand_in else {
        return Ok(false);
    };
    let amount = Totals::of(&split.lines)
        .supplementary
        .iter()
        .find(|(own, _)| own == insurer)
        .map_or(Amount::ZERO, |(_, amount)| *amount);
    let of_class = terms.classes.is_empty()
        || bill
            .class
            .is_some_and(|class| terms.classes.contains(&class));
    let small = terms.per_visit.is_none_or(|most| amount <= most);
    if !of_class || !small {
        return Ok(false);
    }
    let cover = matter
        .basis
        .covers
        .iter()
        .find(|own| own.cover.insurer == *insurer);
    let Some(need) = cover.and_then(|own| stand_in_need(&own.cover, contract, matter.today)) else {
        return Ok(true);
    };
    if bench.ledger.left(&need) < amount.get() {
        return Ok(false);
    }
    bench.ledger.open(&need, matter.cause())?;
    bench.ledger.enter(
        &need.key,
        matter.cause(),
        0,
        EntryKind::Consume,
        amount.get(),
        None,
    )?;
    Ok(true)
}

/// The insurers whose contract wants them asked, that have not spoken, and whom a line concerns.
pub(super) fn undecided(basis: &Basis, split: &Split, catalog: &Catalog) -> Vec<ParticipantId> {
    let consulted = basis
        .covers
        .iter()
        .map(|own| &own.cover.insurer)
        .filter(|insurer| catalog.is_asked(insurer));
    let spoken = |insurer: &ParticipantId| basis.said.iter().any(|said| said.insurer == *insurer);
    consulted
        .filter(|insurer| is_concerned(split, insurer) && !spoken(insurer))
        .cloned()
        .collect()
}

/// Whether any line is for this insurer to pay.
fn is_concerned(split: &Split, insurer: &ParticipantId) -> bool {
    let shares = split.lines.iter().flat_map(|line| &line.supplementary);
    shares
        .into_iter()
        .any(|share| share.insurer == *insurer && share.refused.is_none())
}

/// The insurers whose plan wants leave given first, and that have not given it.
pub(super) fn pended(basis: &Basis, split: &Split, effect: Effect) -> Vec<ParticipantId> {
    let mut waits: Vec<ParticipantId> = Vec::new();
    if effect != Effect::None {
        for share in split
            .lines
            .iter()
            .flat_map(|line: &LineShare| &line.supplementary)
            .filter(|share| share.pended)
        {
            if !waits.contains(&share.insurer)
                && !basis.said.iter().any(|said| said.insurer == share.insurer)
            {
                waits.push(share.insurer.clone());
            }
        }
    }
    waits
}

/// The remainder of what the hub may answer in an insurer's place for a member today.
pub(super) fn stand_in_need(cover: &Cover, contract: &Contract, today: Date) -> Option<LimitNeed> {
    let per_day = contract
        .stand_in
        .as_ref()
        .filter(|_| contract.mode == AnswerMode::StandIn)?
        .per_day?;
    Some(LimitNeed {
        key: LimitKey {
            account: cover.account,
            member: Some(cover.member),
            insurer: cover.insurer.clone(),
            code: LimitCode::parse(STAND_IN)?,
            stretch: format!("day:{today}").into(),
        },
        kind: LimitKind::Ceiling,
        unit: LimitUnit::Money,
        per: LimitPer::Day,
        ceiling: per_day.get(),
        version: 1,
    })
}
