//! The core of the hub, pure: no clock, no I/O, no wire type, no database.

pub mod answer;
pub mod audit;
pub mod bill;
pub mod check;
pub mod clinical;
pub mod code;
pub mod concepts;
pub mod coverage;
pub mod date;
pub mod decision;
pub mod digest;
pub mod exchange;
pub mod ids;
pub mod limit;
pub mod message;
pub mod money;
pub mod participant;
pub mod party;
pub mod plan;
pub mod prescription;
pub mod problem;
pub mod reason;
pub mod rehearsal;
pub mod share;
pub mod tariff;
pub mod text;
