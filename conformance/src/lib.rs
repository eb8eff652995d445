//! The parties outside the hub, as programs: insurers that listen and answer as scripted, providers that ask.
//!
//! They meet the hub on the network alone, as its real partners do: nothing here knows what the hub is made of.

pub mod callback;
mod error;
pub mod faults;
pub mod insurer;
mod keeper;
pub mod postgres;
pub mod provider;
pub mod redis;
pub mod register;
mod server;
pub mod tls;

pub use error::Error;
