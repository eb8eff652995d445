//! The simulated parties against a hub that is simulated too: what they send, and what they make of its answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod hub;
mod insurers;
mod providers;
