//! The audit log, told from outside: its tree against a naive one and against other people's code, its notes, its
//! promises, and its verifier against ten thousand ways to cheat it.

mod files;
mod leaves;
mod notes;
mod promises;
mod tampering;
mod tree;
mod witnesses;
