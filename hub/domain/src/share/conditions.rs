//! Step 5, second part: the benefit's own conditions on the member.

use super::{Judging, Verdict};
use crate::party::Sex;
use crate::reason::Reason;

/// A condition that the member's record cannot answer is not held against the member.
pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    let Some(benefit) = judging.benefit else {
        return Verdict::Go;
    };
    let person = judging.case.person;
    if let Some(age) = person
        .birth_date
        .map(|birth| judging.line.date.age_since(birth))
    {
        let too_young = benefit.age_min.is_some_and(|least| age < least);
        let too_old = benefit.age_max.is_some_and(|most| age > most);
        if too_young || too_old {
            return Verdict::Refuse(Reason::AgeOutside);
        }
    }
    let known = person.sex.filter(|sex| *sex != Sex::Unknown);
    match (benefit.sex, known) {
        (Some(wanted), Some(sex)) if wanted != sex => Verdict::Refuse(Reason::SexOutside),
        _ => Verdict::Go,
    }
}
