//! The base insurer, where its contract wants it asked: before the others, for their parts rest on its own.

use takmil_domain::bill::Bill;
use takmil_domain::decision::LineShare;
use takmil_domain::ids::ParticipantId;
use takmil_domain::money::Amount;
use takmil_domain::reason::Reason;
use takmil_domain::share::InsurerSays;

use super::bench::Bench;
use super::{Heard, Judged, Matter};
use crate::basis::{BaseSaid, Basis, MissingDocument};
use crate::catalog::Catalog;

/// The base insurer, where it wants to be asked and has not been heard.
pub(super) fn unheard(basis: &Basis, catalog: &Catalog) -> Option<ParticipantId> {
    let base = basis.base.as_ref()?;
    // What it says is in its own currency, and is not converted.
    let wants = catalog.is_asked(&base.insurer) && basis.exchange.is_none();
    (wants && base.said.is_none()).then(|| base.insurer.clone())
}

/// The base insurer, where it is to be asked about a bill: the message does not say itself what it pays.
pub(super) fn to_be_asked(basis: &Basis, bill: &Bill, catalog: &Catalog) -> Option<ParticipantId> {
    let mut lines = bill.lines.iter();
    let is_open = lines.any(|line| line.base.is_none() && line.cancelled != Some(true));
    unheard(basis, catalog).filter(|_| is_open)
}

/// The base insurer, where it was asked.
pub(crate) fn asked(basis: &Basis) -> Option<&ParticipantId> {
    let base = basis.base.as_ref()?;
    base.said.as_ref().map(|_| &base.insurer)
}

/// Whether an insurer has to do with a message as its base insurer alone.
pub(crate) fn is_of_base(basis: &Basis, insurer: &ParticipantId) -> bool {
    let base = basis.base.as_ref();
    let mut covers = basis.covers.iter();
    base.is_some_and(|own| own.insurer == *insurer)
        && covers.all(|own| own.cover.insurer != *insurer)
}

/// Takes what was heard of the base insurer, which comes before what was heard of others, into the basis.
pub(super) fn hear(
    matter: &mut Matter<'_>,
    bill: &Bill,
    bench: &Bench<'_>,
    judged: &mut Judged,
) -> Result<(), MissingDocument> {
    let awaited = unheard(matter.basis, bench.catalog);
    let first = matter.heard.first().map(|(insurer, _)| insurer);
    if awaited.is_some() && awaited.as_ref() == first {
        let (_, heard) = matter.heard.remove(0);
        let computed = bench.split(matter, bill)?.lines;
        if let Some(base) = &mut matter.basis.base {
            base.said = Some(said(heard, bill, &computed));
        }
    }
    let base = matter.basis.base.as_ref();
    let said = base.and_then(|own| own.said.as_ref());
    if said.is_some_and(|said| said.lines.is_none()) {
        judged.reasons.push(Reason::BaseSilent);
    }
    Ok(())
}

/// What a base insurer pays of each line that the message says nothing of: as it says, else as was computed.
fn said(heard: Heard, bill: &Bill, computed: &[LineShare]) -> BaseSaid {
    let Heard::Says { says, word } = heard else {
        // Nobody waits for a base insurer that decides later or asks something: its part can be computed.
        let reference = heard.word().and_then(|(word, _)| word.reference.clone());
        let lines = None;
        return BaseSaid { lines, reference };
    };
    let is_open = |line: &&LineShare| {
        let mut known = bill.lines.iter().filter(|own| own.base.is_some());
        known.all(|own| own.seq != line.seq)
    };
    let amount = |line: &LineShare| {
        let computed = line.base - line.subsidy;
        match &says {
            InsurerSays::Approved => computed,
            InsurerSays::Refused => Amount::ZERO,
            InsurerSays::Adjusted(lines) => {
                let named = lines.iter().find(|(seq, _)| *seq == line.seq);
                named.map_or(computed, |(_, amount)| *amount)
            }
        }
    };
    let lines = computed.iter().filter(is_open);
    let lines = lines.map(|line| (line.seq, amount(line)));
    BaseSaid {
        lines: Some(lines.collect()),
        reference: word.reference,
    }
}
