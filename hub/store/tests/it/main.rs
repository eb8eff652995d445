//! What the store promises, asked through its public face alone, so that any database can be put beneath.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod approvals;
mod covers;
mod ledger;
mod messages;
mod outbox;
mod participants;
mod plans;
mod postings;
mod races;
mod samples;
mod scopes;
mod tampering;
