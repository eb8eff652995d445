//! The engine on a real store, with insurers on real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod appeals;
mod audit;
mod base;
mod clinical;
mod consulting;
mod corrections;
mod delivering;
mod eligibility;
mod fairness;
mod inquiry;
mod limits;
mod preauthorisation;
mod revisions;
mod rig;
mod settlement;
