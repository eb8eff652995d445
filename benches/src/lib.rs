//! How fast the hub is, and what it costs: the parts of the load generator `takmil-load`, which drives the real
//! binary over the network and knows nothing of its insides. The micro-benches stand in `benches/`.

pub mod admission;
pub mod arguments;
pub mod disk;
pub mod drive;
pub mod error;
pub mod hub;
pub mod latency;
pub mod listen;
pub mod machine;
pub mod process;
pub mod report;
pub mod seed;
pub mod wire;
