//! The wire between hub and insurers, held to what others have built on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod breaking;
