//! What the hub remembers: the only crate with SQL.
//!
//! One [`Store`] holds participants, plans, members, messages, the ledger of limits, and what is owed to
//! insurers. Lanes write through a [`Turn`]; everything else through methods of the store. Every question is
//! asked in a [`Scope`]; what lies outside it is not found.
//!
//! It decides nothing: what a message is worth, and what may be drawn, the caller says. It refuses what would
//! break the ledger, and says which constraint and which message. It reads no clock and makes no random bits:
//! moments are arguments, random bits come from the configuration.

mod accounts;
mod approvals;
mod arrays;
mod audit;
mod audit_log;
mod audit_rows;
mod backup;
mod batch;
mod blind;
mod body;
mod catalogue;
mod cells;
mod changed;
mod column;
mod compressed;
mod db;
mod enrol;
mod enrol_rows;
mod erase;
mod error;
mod exchanges;
mod faults;
mod history;
mod ids;
mod keys;
mod lease;
mod ledger;
mod ledger_rows;
mod local_map;
mod message_rows;
mod messages;
mod migrations;
mod outbox;
mod outbox_rows;
mod participants;
mod partitions;
mod postgres;
mod postings;
mod put;
mod registrations;
mod rows;
mod rules;
mod scope;
mod seal;
mod secret;
mod settlement;
mod sqlite;
mod staff;
mod store;
mod turn;
mod unmapped;
mod uploads;

pub use accounts::{KnownMember, Resolution};
pub use approvals::{Approval, ApprovalState, NewApproval};
pub use audit::{Growth, LogHead, LogTurn, NewLeaf, NewRead, WaitingLeaf};
pub use audit_log::{FoundLeaf, LogDifference, LogState};
pub use backup::{Figures, LedgerFigures, LogFigures, copy_file, server_version};
pub use batch::{
    Batch, Leg, MessageUpdate, NewDecision, NewDelivery, NewEntry, NewLimit, NewMessage, NewPast,
    NewUse, ReservationChange, RevisedLimit, UnmappedCode,
};
pub use body::Sent;
pub use catalogue::{Catalogue, Revision, Upserted};
pub use changed::{ChangeCursor, ChangedMessage, ChangedPage};
pub use enrol::{EnrolRefusal, Enrolled};
pub use error::{Constraint, StoreError};
pub use exchanges::Exchange;
pub use faults::{FaultPlace, InsurerFault};
pub use history::{SettledMessage, SettledPage};
pub use ids::{ApprovalId, StaffId};
pub use ledger::{LedgerDifference, LedgerSum, LimitStanding};
pub use local_map::Judged;
pub use messages::{
    Deadline, DeliveryWay, MessageEnvelope, MessageFilter, MessageTurn, MessageWay,
};
pub use outbox::{
    Attempt, AttemptRecord, Backlog, DeliveryPage, DeliveryState, ErasedDelivery, ListedDelivery,
    MOST_WAIT_MS, Offered, Outcome, Owed, Redelivery, Wanted,
};
pub use participants::{Caller, Credential, CredentialKind, NewCredential};
pub use postgres::{DatabaseUrl, ShownUrl};
pub use postings::{Posting, PostingRefusal};
pub use registrations::{
    NewRegistration, NewSubject, RegistrationAttempt, RegistrationBacklog, RegistrationFilter,
    RegistrationRecord,
};
pub use scope::Scope;
pub use seal::{FileKeys, KeyFuture, KeyProvider, OwnerKey, SealError};
pub use secret::write_secret;
pub use settlement::{
    AgedPair, BookDifference, BookFilter, ClosedPeriod, DifferenceRecord, DisputeRecord,
    DocumentProgress, FiguresReceipt, NewDispute, OpenDifferences, PaymentRecord, PeriodBooks,
    Reconciliation, RefusedFigure, StatedFigures, StatementBook, StatementFilter, StatementRecord,
};
pub use staff::{Staff, StaffRole};
pub use store::{Place, Random, Store, StoreConfig};
pub use turn::{
    Authorised, AuthorisedUse, Entry, FoundMessage, KeptAuthorisation, KeptPast, LoadedMessage,
    Reservation, ReservationState, StoredAnswer, Turn,
};
pub use unmapped::UnmappedCount;
pub use uploads::{DonePart, NewUpload, PartResults, UploadPart, UploadRecord, Uploaded};
