//! Fault tests: the real hub, as a process of its own, killed, starved of its disk, misled by its clock and cut off
//! from its partners, while clients go on sending. A book of what they were answered tells what has to be left.
//!
//! Everything that is random follows from a seed. Which request is under way when a process dies is the machine's own
//! chance; so a failing round keeps its folder and says how to run it again.

mod book;
mod clock;
mod crash;
mod decisions;
mod desk;
mod disk;
mod error;
mod flapping;
mod hub;
mod image;
mod log;
mod month;
mod network;
mod outage;
mod place;
mod power;
mod progress;
mod proxy;
mod race;
mod redis;
mod repeats;
mod report;
mod shim;
mod traffic;
mod trial;
mod world;

use std::path::PathBuf;

pub use clock::clock;
pub use crash::crash;
pub use decisions::decisions;
pub use disk::disk;
pub use error::Error;
pub use flapping::flapping;
pub use month::{Month, month};
pub use network::network;
pub use outage::outage;
pub use place::StoreKind;
pub use power::power;
pub use progress::Progress;
pub use proxy::{Proxy, Weather};
pub use race::race;
pub use redis::redis;
pub use repeats::repeats;
pub use report::{Failure, Report};

/// What every fault test needs to know.
#[derive(Debug, Clone)]
pub struct Run {
    /// The hub's binary.
    pub binary: PathBuf,
    /// On which store it runs.
    pub store: StoreKind,
    /// Where everything random comes from.
    pub seed: u64,
    /// Where it tells how far it is.
    pub progress: Progress,
}
