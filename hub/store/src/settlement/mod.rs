//! The book of settlement: what insurers owe, every transfer, statements, payments, disputes.
//!
//! What is owed is written by lanes, in the turn that decides a claim. All else is written here, by one at a time. What
//! may be done at all the domain says ([`takmil_domain::settlement`]); here its rows are found, locked and kept.

mod check;
mod disputes;
mod dues;
mod leaf;
mod page;
mod payments;
mod periods;
mod reconcile;
mod rows;
mod stages;
mod standing;
mod statements;

use takmil_domain::ids::ParticipantId;

use crate::db::Value;
use crate::scope::Scope;

pub use check::BookDifference;
pub use disputes::{DisputeRecord, NewDispute};
pub use dues::AgedPair;
pub use payments::PaymentRecord;
pub use periods::{ClosedPeriod, OpenDifferences, PeriodBooks};
pub use reconcile::{
    DifferenceRecord, FiguresReceipt, Reconciliation, RefusedFigure, StatedFigures,
};
pub(crate) use rows::{DueRow, TransferRow};
pub use stages::DocumentProgress;
pub use statements::{StatementBook, StatementFilter, StatementRecord};

/// Whose rows of the book, beyond what the scope says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BookFilter {
    /// Of this insurer alone.
    pub insurer: Option<ParticipantId>,
    /// Of this provider alone.
    pub provider: Option<ParticipantId>,
}

/// The condition of rows that a scope sees and a filter leaves: arguments 1 to 4.
macro_rules! seen {
    () => {
        "($1 is null or insurer = $1) and ($2 is null or provider = $2)
             and ($3 is null or insurer = $3) and ($4 is null or provider = $4)"
    };
}
use seen;

impl BookFilter {
    /// The arguments of [`seen!`].
    fn values<'a>(&'a self, scope: &'a Scope) -> [Value<'a>; 4] {
        [
            scope.insurer().into(),
            scope.sender().into(),
            self.insurer.as_ref().map(ParticipantId::as_str).into(),
            self.provider.as_ref().map(ParticipantId::as_str).into(),
        ]
    }
}
