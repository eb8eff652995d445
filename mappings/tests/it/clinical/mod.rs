//! The tables of the clinical rules: made from their sources, and what the rules find with them.

mod cases;
mod interactions;
mod notes;
mod recall;
mod shipped;
