//! The formats as their users see them: bodies in, messages or problems out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod answers;
mod draw;
mod golden;
mod history;
mod hl7v2;
mod native;
mod ncpdp;
mod openehr;
mod pairs;
mod refusals;
mod report;
mod roundtrip;
mod rows;
mod sepas;
mod sheet;
mod stream;
mod uae;
mod x12;

use takmil_domain::date::Date;
use takmil_formats::Context;

/// The day on which every test body arrives.
fn context() -> Context {
    Context {
        default_currency: None,
        today: Date::parse("2026-11-21").unwrap(),
    }
}
