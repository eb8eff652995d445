//! Step 3: the most specific benefit that names the service.

use super::{Judging, Verdict};
use crate::reason::Reason;

pub(super) fn apply(judging: &mut Judging<'_>) -> Verdict {
    match judging.benefit {
        None => Verdict::Refuse(Reason::NoBenefit),
        Some(benefit) => {
            judging.rate = benefit.rate;
            Verdict::Go
        }
    }
}
