//! Limits in memory, as the ledger would keep them if consumption alone moved them.

use rustc_hash::FxHashMap;

use super::Posted;
use crate::limit::{LimitKey, LimitNeed};
use crate::share::Split;

/// What was used of the limits of some accounts.
#[derive(Debug, Default)]
pub(super) struct Limits(FxHashMap<LimitKey, Used>);

#[derive(Debug, Clone, Copy, Default)]
struct Used {
    used: i64,
    /// What there is beyond the plan's ceiling.
    room: i64,
    ceiling: i64,
    /// The version of the plan that set the ceiling; 0 where none has.
    version: u32,
}

impl Used {
    /// The ceiling under the plan in force: a later version sets it anew, an earlier one leaves it.
    fn ceiling(&self, need: &LimitNeed) -> i64 {
        if need.version > self.version {
            need.ceiling
        } else {
            self.ceiling
        }
    }

    fn open(&mut self, need: &LimitNeed) {
        self.ceiling = self.ceiling(need);
        self.version = self.version.max(need.version);
        // A ceiling that falls under what is used leaves what was promised.
        self.room = self.room.max(self.used.saturating_sub(self.ceiling));
    }
}

impl Limits {
    pub(super) fn post(&mut self, posted: &Posted) {
        let used = self.0.entry(posted.key.clone()).or_default();
        used.used = used.used.saturating_add(posted.used);
        used.room = used.room.saturating_add(posted.room);
    }

    /// What is left of a limit.
    pub(super) fn left(&self, need: &LimitNeed) -> i64 {
        self.0.get(&need.key).map_or(need.ceiling, |used| {
            let room = used.ceiling(need).saturating_add(used.room);
            room.saturating_sub(used.used).max(0)
        })
    }

    /// Uses up what a bill draws.
    pub(super) fn draw(&mut self, split: &Split) {
        for need in &split.needs {
            if let Some(used) = self.0.get_mut(&need.key) {
                used.open(need);
            }
        }
        for draw in &split.draws {
            let Some(need) = split.needs.get(draw.need).filter(|_| draw.amount != 0) else {
                continue;
            };
            let used = self.0.entry(need.key.clone()).or_insert(Used {
                ceiling: need.ceiling,
                version: need.version,
                ..Used::default()
            });
            used.used = used.used.saturating_add(draw.amount);
        }
    }
}
