//! What must hold of the share computation, told from outside: worked examples, edges, and properties over
//! generated bills.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod audit;
mod clinical;
mod days;
mod documents;
mod laws;
mod limits;
mod lint;
mod maker;
mod packages;
mod plans;
mod prices;
mod properties;
mod reach;
mod rehearsal;
mod sample;
mod setting;
mod settlement;
mod tape;
mod together;
mod worked;
