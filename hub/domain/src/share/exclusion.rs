//! Step 4: what the plan does not pay for, unless a circumstance lifts it.

use super::{Judging, Verdict};
use crate::reason::Reason;

pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    let line = judging.line;
    let excluded = judging.terms.plan.exclusions.iter().any(|exclusion| {
        let named = exclusion
            .codes
            .iter()
            .any(|group| group.matches(line.system, line.code).is_some());
        let lifted = exclusion.unless.is_some() && exclusion.unless.as_deref() == line.circumstance;
        named && !lifted
    });
    if excluded {
        Verdict::Refuse(Reason::Excluded)
    } else {
        Verdict::Go
    }
}
