//! The member's covers: as they were registered, and as insurers state them that want to be asked.

use takmil_domain::answer::CoverAnswer;
use takmil_domain::ids::ParticipantId;
use takmil_domain::message::Kind;
use takmil_domain::participant::{CoverStanding, CoverStatement};
use takmil_domain::reason::Reason;
use takmil_domain::share::InsurerSays;

use super::{Heard, Judged, Matter};
use crate::basis::{Basis, CoverBasis, Said, StatedCover};
use crate::catalog::Catalog;

/// Takes what insurers said of the member's covers into the basis. Who says that there is none in force pays nothing.
pub(super) fn hear(matter: &mut Matter<'_>, judged: &mut Judged) {
    if matter.message.kind() != Kind::Eligibility {
        return;
    }
    for (insurer, heard) in std::mem::take(&mut matter.heard) {
        let statement = match heard {
            Heard::Covers { statement, .. } => Some(*statement),
            Heard::Silent | Heard::Invalid => None,
            // A decision that an insurer sent of its own accord.
            Heard::Says { .. } | Heard::Pends(_) | Heard::Asks(_) => {
                matter.heard.push((insurer, heard));
                continue;
            }
        };
        let stated = StatedCover { insurer, statement };
        matter.basis.said.extend(refusal(&stated));
        matter.basis.stated.push(stated);
    }
    if matter
        .basis
        .stated
        .iter()
        .any(|own| own.statement.is_none())
    {
        judged.reasons.push(Reason::CoverByHub);
    }
}

fn refusal(stated: &StatedCover) -> Option<Said> {
    let statement = stated.statement.as_ref()?;
    (statement.standing != CoverStanding::Active).then(|| Said {
        insurer: stated.insurer.clone(),
        says: InsurerSays::Refused,
        stand_in: false,
        reference: Some(statement.reference.clone()),
        granted: Vec::new(),
        valid_until: None,
        revision: 0,
    })
}

/// The member's insurers that want to be asked about its cover, and have not spoken.
pub(super) fn unstated(basis: &Basis, catalog: &Catalog) -> Vec<ParticipantId> {
    let mut unstated: Vec<ParticipantId> = Vec::new();
    for own in &basis.covers {
        let insurer = &own.cover.insurer;
        let mut stated = basis.stated.iter().map(|own| &own.insurer);
        if catalog.is_live(insurer)
            && !stated.any(|own| own == insurer)
            && !unstated.contains(insurer)
        {
            unstated.push(insurer.clone());
        }
    }
    unstated
}

/// The covers as the member has them on the day.
pub(super) fn cover_answers(basis: &Basis, catalog: &Catalog) -> Vec<CoverAnswer> {
    let answer = |own: &CoverBasis| {
        let registered = as_registered(own, basis, catalog);
        let mut stated = basis.stated.iter();
        let stated = stated.find(|stated| stated.insurer == own.cover.insurer);
        match stated.and_then(|stated| stated.statement.as_ref()) {
            Some(statement) => as_stated(registered, statement),
            None => registered,
        }
    };
    basis.covers.iter().map(answer).collect()
}

fn as_registered(own: &CoverBasis, basis: &Basis, catalog: &Catalog) -> CoverAnswer {
    let cover = &own.cover;
    let in_time = cover.start <= basis.day && cover.end.is_none_or(|end| basis.day <= end);
    let reason = match (in_time, cover.suspended) {
        (false, _) => Some(Reason::CoverInactive),
        (true, true) => Some(Reason::CoverSuspended),
        (true, false) => None,
    };
    CoverAnswer {
        insurer: cover.insurer.clone(),
        plan: cover.plan.clone(),
        version: catalog
            .plan(&cover.plan, own.version)
            .map(|plan| plan.version),
        active: reason.is_none(),
        reason,
        start: cover.start,
        end: cover.end,
        stated: false,
        benefits: Vec::new(),
    }
}

fn as_stated(registered: CoverAnswer, statement: &CoverStatement) -> CoverAnswer {
    let reason = match statement.standing {
        CoverStanding::Active => None,
        CoverStanding::Inactive => Some(Reason::CoverDenied),
        CoverStanding::Suspended => Some(Reason::CoverSuspended),
    };
    CoverAnswer {
        active: reason.is_none(),
        reason,
        start: statement.start.unwrap_or(registered.start),
        end: statement.end.or(registered.end),
        stated: true,
        benefits: statement.benefits.clone(),
        ..registered
    }
}
