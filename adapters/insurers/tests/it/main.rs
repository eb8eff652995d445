//! The transports against simulated insurers, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod coverage;
mod failures;
mod fixture;
mod hostile;
mod reading;
mod signature;
mod trust;
mod verdicts;
