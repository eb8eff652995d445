//! What the store promises, asked through its public face alone, on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod approvals;
mod audit;
mod bench;
mod changed;
mod covers;
mod erasing;
mod exchanges;
mod history;
mod ledger;
mod messages;
mod nodes;
mod outbox;
mod participants;
mod past;
mod plans;
mod postings;
mod races;
mod registrations;
mod samples;
mod schema;
mod scopes;
mod settlement;
mod tampering;
mod uploads;
