//! The hub's reasons in the denial codes of the Emirates' public list.

use takmil_domain::reason::Reason;

/// The denial code for what an insurer does not pay, or pays less of; `None` where the reason reduces nothing.
pub(super) fn code(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        // Not a covered member.
        Reason::MemberUnknown
        | Reason::MemberAmbiguous
        | Reason::NoCover
        | Reason::CoverSuspended
        | Reason::CoverDenied
        | Reason::AgedOut => "ELIG-001",
        // Outside of the days of the cover.
        Reason::CoverInactive => "ELIG-005",
        // By a provider outside of the network.
        Reason::OutsideNetwork => "ELIG-007",
        // Not covered.
        Reason::NoBenefit | Reason::Excluded | Reason::CareOutside => "NCOV-003",
        Reason::ClinicallyRefused => "MNEC-003",
        Reason::DiagnosisOutside => "MNEC-004",
        // A waiting period on conditions.
        Reason::Waiting => "AUTH-011",
        // Not for the patient's age or sex.
        Reason::AgeOutside | Reason::SexOutside => "CODE-014",
        Reason::AuthorisationMissing | Reason::AuthorisationPenalty => "AUTH-001",
        Reason::AuthorisationGone => "AUTH-004",
        Reason::AuthorisedAmount => "AUTH-005",
        // The most for a time or occurrence is reached.
        Reason::QuantityCapped | Reason::QuantityUsed => "BENX-002",
        Reason::LimitReached => "BENX-005",
        Reason::OverContract
        | Reason::OverTariff
        | Reason::OverReference
        | Reason::OverRank
        | Reason::WrittenOff
        | Reason::NoPrice
        | Reason::CurrencyDiffers => "PRCE-001",
        // Paid within another service.
        Reason::InPackage => "PRCE-002",
        // Not compliant with the contract, as the insurer says.
        Reason::InsurerRefused | Reason::InsurerAdjusted => "CLAI-012",
        _ => return None,
    })
}

/// The first denial code among reasons: first those that refuse.
pub(super) fn of(reasons: &[Reason]) -> Option<&'static str> {
    let refusing = reasons.iter().filter(|own| own.refuses());
    refusing.chain(reasons).find_map(|own| code(*own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_a_plan_refuses_has_a_denial_code() {
        // What the sender itself got wrong about an earlier message is told as a state, not of a line.
        let of_messages = [Reason::NothingToCancel, Reason::NotCancellable];
        for reason in Reason::ALL
            .iter()
            .filter(|own| own.refuses() && !of_messages.contains(own))
        {
            assert!(code(*reason).is_some(), "{reason:?}");
        }
        assert_eq!(
            of(&[Reason::OverTariff, Reason::Excluded]),
            Some("NCOV-003")
        );
    }
}
