//! Step 4: what the plan does not pay for: what it excludes, unless a circumstance lifts it, and what its clinical
//! terms refuse.

use super::{Judging, Verdict};
use crate::plan::Exception;
use crate::reason::Reason;

/// The circumstance that a bill states for all its lines.
const ACCIDENT: &str = "accident";

pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    let line = judging.line;
    let mut exclusions = judging.terms.plan.exclusions(line.system, line.code);
    let excluded = exclusions.any(|exclusion| {
        let concerned =
            exclusion.diagnoses.is_empty() || judging.has_diagnosis(&exclusion.diagnoses);
        concerned && !exclusion.unless.iter().any(|one| holds(one, judging))
    });
    if excluded {
        Verdict::Refuse(Reason::Excluded)
    } else if judging.terms.refused.contains(&line.seq) {
        Verdict::Refuse(Reason::ClinicallyRefused)
    } else {
        Verdict::Go
    }
}

/// An age that nobody knows lifts nothing.
fn holds(exception: &Exception, judging: &Judging<'_>) -> bool {
    let circumstance = exception.circumstance.as_deref();
    let by_accident = judging.case.accident && circumstance == Some(ACCIDENT);
    let stated = circumstance.is_none() || by_accident || circumstance == judging.line.circumstance;
    let age = judging.age();
    let old_enough = exception
        .age_min
        .is_none_or(|least| age.is_some_and(|age| least <= age));
    let young_enough = exception
        .age_max
        .is_none_or(|most| age.is_some_and(|age| age <= most));
    let diagnosed = exception.diagnoses.is_empty() || judging.has_diagnosis(&exception.diagnoses);
    stated && old_enough && young_enough && diagnosed
}
