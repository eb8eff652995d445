//! The binary as its users meet it: started as a process, asked over real sockets with TLS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod audit;
mod audit_log;
mod backup;
mod book;
mod calls;
mod codes;
mod command_line;
mod convert;
mod corrections;
mod deliveries;
mod demo;
mod explanations;
mod faults;
mod feed;
mod grpc;
mod hub;
mod insurers;
mod listener;
mod medical;
mod messages;
mod neighbours;
mod participants;
mod partners;
mod pharmacies;
mod preauthorisations;
mod published;
mod refusals;
mod registrations;
mod rotation;
mod sandbox;
mod schemas;
mod settlement;
mod simulations;
mod terminology;
mod uploads;
mod wrong_decisions;
mod x12;
