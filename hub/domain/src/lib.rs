//! The core of the hub, pure: no clock, no I/O, no wire type, no database.

pub mod bill;
pub mod code;
pub mod date;
pub mod ids;
pub mod message;
pub mod money;
pub mod party;
pub mod prescription;
pub mod problem;
pub mod text;
