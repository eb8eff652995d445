//! Step 5, second part: the benefit's own conditions on the member, the diagnoses and the kind of care.

use super::{Judging, Verdict};
use crate::party::Sex;
use crate::reason::Reason;

/// A condition that neither the member's record nor the bill can answer is not held against the member.
pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    let Some(benefit) = judging.benefit else {
        return Verdict::Go;
    };
    let person = judging.case.person;
    if let Some(age) = judging.age() {
        let too_young = benefit.age_min.is_some_and(|least| age < least);
        let too_old = benefit.age_max.is_some_and(|most| age > most);
        if too_young || too_old {
            return Verdict::Refuse(Reason::AgeOutside);
        }
    }
    let known = person.sex.filter(|sex| *sex != Sex::Unknown);
    if let (Some(wanted), Some(sex)) = (benefit.sex, known)
        && wanted != sex
    {
        return Verdict::Refuse(Reason::SexOutside);
    }
    let class = judging.case.class;
    if !benefit.classes.is_empty() && class.is_some_and(|class| !benefit.classes.contains(&class)) {
        return Verdict::Refuse(Reason::CareOutside);
    }
    let told = !judging.case.diagnoses.is_empty();
    if told && !benefit.diagnoses.is_empty() && !judging.has_diagnosis(&benefit.diagnoses) {
        return Verdict::Refuse(Reason::DiagnosisOutside);
    }
    Verdict::Go
}
