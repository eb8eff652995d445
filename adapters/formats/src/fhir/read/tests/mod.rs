//! The reader, over samples of real senders and over small ones of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod certification;
mod completeness;
mod corpus;
mod facts;
mod golden;
mod inquiry;
mod robustness;
mod sentences;

use crate::Context;
use takmil_domain::date::Date;

/// The day on which every test body arrives.
fn context() -> Context {
    Context {
        default_currency: None,
        today: Date::parse("2026-11-21").unwrap(),
    }
}
