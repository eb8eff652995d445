//! What must hold of the share computation, told from outside: worked examples, edges, and properties over
//! generated bills.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod edges;
mod properties;
mod reach;
mod sample;
mod tape;
mod worked;
