//! The binary `takmil`: the hub and its command line. Everything is in its modules.

mod access;
mod adjudicate;
mod audit;
mod auth;
mod backup;
mod changes;
mod cli;
mod clock;
mod code;
mod config;
mod demo;
mod desk;
mod documents;
mod faces;
mod feed;
mod hub;
mod lint;
mod listener;
mod neighbours;
mod rates;
mod rehearsed;
mod telemetry;

use std::process::ExitCode;

// Answers are many small allocations; this allocator costs them least.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
