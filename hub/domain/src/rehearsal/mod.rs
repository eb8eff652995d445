//! Rehearsal: what would a period have cost under a changed plan, tariff or price list?
//!
//! Every message that used limits up in the period (claims and dispenses that were decided) is judged again, in the order
//! in which it was decided, by the changed documents; nothing is written anywhere. What they go by is frozen as it was:
//! covers, networks, authorised lines, what insurers said, rates of exchange. A changed document takes the place of all
//! versions of the one with its id, whatever days it is in force on.
//!
//! Consumption alone moves limits here. An admission or a pre-authorisation that no claim followed is left out: once its
//! time is over the hub gives back what it held, and until then it has cost nobody anything. One that a claim followed
//! is in that claim. So a message that the hub decided while others held a limit may come out with more here; it is then
//! counted as one that the rules alone do not reproduce. A claim that was taken back is left out with what it had used.
//!
//! What was used of a limit before the period counts as long as the changed plan has the same limit: by its code, for
//! the same owner, over the same stretch. As in the hub, another limit begins whole.
//!
//! [`Writer`] makes an extract, [`History`] reads one, [`rehearse`] does it. Accounts that share a member or a message are
//! judged one message after another, all others side by side; the outcome is the same for any number of threads.

mod canonical;
mod change;
mod clinical;
mod difference;
mod form;
mod history;
mod judging;
mod largest;
mod limits;
mod run;
mod tally;
mod writer;

pub use canonical::{Unusable, push_message};
pub use change::Change;
pub use difference::{BeforeAfter, Difference, InsurerPart};
pub use history::History;
pub use largest::{ChangedLine, Explained};
pub use run::{Baseline, Failed, Options, Outcome, Told, rehearse};
pub use tally::{Gain, Gains, MovedSum, Summary};
pub use writer::{Entry, TooMuch, Writer};

use serde::{Deserialize, Serialize};

use crate::date::{Date, Instant};
use crate::exchange::ExchangeRate;
use crate::limit::LimitKey;
use crate::plan::{BasePlan, Plan};
use crate::tariff::Tariff;

/// The documents that an extract holds, and its period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The first day of the period.
    pub from: Date,
    /// Its last one.
    pub to: Date,
    /// The supplementary insurers' plans, each version that a decision rests on.
    pub plans: Vec<Plan>,
    /// The base insurers' plans.
    pub base_plans: Vec<BasePlan>,
    /// Tariffs and price lists.
    pub tariffs: Vec<Tariff>,
    /// Rates of exchange.
    pub exchange: Vec<ExchangeRate>,
}

impl Default for Held {
    /// Nothing, of the first day that is counted.
    fn default() -> Held {
        Held {
            from: Instant(0).day(),
            to: Instant(0).day(),
            plans: Vec::new(),
            base_plans: Vec::new(),
            tariffs: Vec::new(),
            exchange: Vec::new(),
        }
    }
}

/// What moved a limit beside the messages: all that was used of it before the period, or what an insurer posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// When it counts from.
    pub at: Instant,
    /// The limit.
    pub key: LimitKey,
    /// How much it uses.
    pub used: i64,
    /// How much it adds beyond the plan's ceiling.
    pub room: i64,
}

/// Where bytes are no extract, and what is wrong there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {what}")]
pub struct Corrupt {
    /// The first byte of the block.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl Corrupt {
    fn new(at: usize, what: &'static str) -> Corrupt {
        Corrupt { at, what }
    }
}
