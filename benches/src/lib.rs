//! How fast the hub is, and what it costs: the parts of the load generator `takmil-load`, which drives the real
//! binary over the network and knows nothing of its insides. The micro-benches stand in `benches/`.

pub mod arguments;
pub mod bodies;
pub mod disk;
pub mod drive;
pub mod errand;
pub mod error;
pub mod ground;
pub mod growth;
pub mod helios;
pub mod history;
pub mod hub;
pub mod latency;
pub mod listen;
pub mod machine;
pub mod measure;
pub mod postgres;
pub mod process;
pub mod report;
pub mod route;
pub mod seed;
pub mod sqlite;
pub mod syncs;
pub mod table;
pub mod wire;
