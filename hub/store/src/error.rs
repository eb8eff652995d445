//! What can go wrong, by cause and object.

use sqlx::postgres::PgDatabaseError;
use takmil_domain::ids::{PlanId, TariffId};

use crate::ids::ApprovalId;
use crate::seal::SealError;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object, or none that the scope may see.
    #[error("not found")]
    NotFound,
    /// A constraint would be broken. Nothing of the batch was written.
    #[error("{constraint:?} would be broken")]
    Broken {
        /// Which.
        constraint: Constraint,
    },
    /// A rate of exchange or a regulation is kept already, with other contents.
    #[error("{kind} {id} is kept already, and differs")]
    RuleDiffers {
        /// What it is.
        kind: &'static str,
        /// Which.
        id: String,
    },
    /// A version of a plan does not go with those that are kept.
    #[error("version {version} of plan {plan} does not follow the others: {pointer} {detail}")]
    PlanOutOfLine {
        /// The plan.
        plan: PlanId,
        /// Its version.
        version: u32,
        /// Where, as a JSON pointer into it.
        pointer: String,
        /// Why.
        detail: &'static str,
    },
    /// A version of a tariff or price list does not go with those that are kept.
    #[error("version {version} of tariff {tariff} does not follow the others: {pointer} {detail}")]
    TariffOutOfLine {
        /// The tariff.
        tariff: TariffId,
        /// Its version.
        version: u32,
        /// Where, as a JSON pointer into it.
        pointer: String,
        /// Why.
        detail: &'static str,
    },
    /// A version of a plan is kept already, with other contents.
    #[error("version {version} of plan {plan} is kept already, and differs")]
    PlanDiffers {
        /// The plan.
        plan: PlanId,
        /// Its version.
        version: u32,
    },
    /// A version of a tariff is kept already, with other contents.
    #[error("version {version} of tariff {tariff} is kept already, and differs")]
    TariffDiffers {
        /// The tariff.
        tariff: TariffId,
        /// Its version.
        version: u32,
    },
    /// The person who proposes cannot approve.
    #[error("approval {0} needs another person than the one who proposed it")]
    OwnProposal(ApprovalId),
    /// Somebody else has decided on it before.
    #[error("approval {0} is decided already")]
    AlreadyDecided(ApprovalId),
    /// A kept value cannot be read: the database was changed by other hands, or by a newer hub.
    #[error("{what} cannot be read from the database")]
    Unreadable {
        /// What it is.
        what: &'static str,
    },
    /// Another turn, perhaps of another hub, was faster, or asked for the same rows in another order. Nothing
    /// was written, and all of it may be done again in a new turn.
    #[error("another turn was faster; it can be done again")]
    Contended,
    /// SQLite is older than the first that keeps a write-ahead log safely, or PostgreSQL than the first that
    /// the hub is tried on.
    #[error("{database} {found} is too old; {least} is needed")]
    TooOld {
        /// Which database.
        database: &'static str,
        /// What runs.
        found: String,
        /// The least that will do.
        least: &'static str,
    },
    /// The PostgreSQL server may forget what it has committed.
    #[error(
        "the PostgreSQL server has {setting} = {found}: it may forget what it has committed; set it to on"
    )]
    NotDurable {
        /// Which of its settings.
        setting: &'static str,
        /// How it is set.
        found: String,
    },
    /// The PostgreSQL server only follows another one, which is the one to ask.
    #[error("the PostgreSQL server is a standby; the hub needs the primary")]
    Standby,
    /// What was sent or answered is of a member who was erased: nobody can open it any more.
    #[error("the member was erased, and with it what was sent of it")]
    Erased,
    /// A member cannot be erased while something of it is open.
    #[error("the member cannot be erased yet: {what}")]
    StillOpen {
        /// What is open.
        what: &'static str,
    },
    /// A key is not at hand, or does not open what it should.
    #[error("sealed contents")]
    Seal(#[source] SealError),
    /// A body could not be compressed or decompressed.
    #[error("a body could not be compressed or decompressed")]
    Compression(#[source] std::io::Error),
    /// A folder for a temporary store could not be made.
    #[error("no folder for the store")]
    Folder(#[source] std::io::Error),
    /// The database cannot serve now: locked for too long, no room, an input or output error.
    #[error("the database cannot serve now")]
    Unavailable(#[source] sqlx::Error),
    /// The database refused a statement for another reason: a fault of the hub.
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
    /// A newer hub has taken away from the schema what this one needs.
    #[error("the schema has step {step}, and this hub knows none after {own}: it is too old")]
    Outgrown {
        /// Number and name of the step.
        step: String,
        /// The last step that this hub knows.
        own: i64,
    },
    /// The schema could not be brought up to date.
    #[error("the schema could not be brought up to date")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// Result codes of SQLite (their low byte) that pass, or that an operator has to mend: busy, locked, out of
/// memory, read-only, input or output error, full, cannot open.
const UNAVAILABLE_SQLITE: &[i32] = &[5, 6, 7, 8, 10, 13, 14];

/// The same of PostgreSQL, by the beginnings of its codes: connection lost, no permission to enter, read-only
/// (it became a standby), idle for too long, out of resources, stopped by an operator, input or output error.
const UNAVAILABLE_POSTGRES: &[&str] = &["08", "28", "25006", "25P03", "53", "57", "58"];

/// Codes of PostgreSQL for turns that met: not serialisable, deadlock, waited for a lock for too long.
const CONTENDED: &[&str] = &["40001", "40P01", "55P03"];

impl From<SealError> for StoreError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Forgotten => StoreError::Erased,
            other => StoreError::Seal(other),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let Some(constraint) = Constraint::of(&error) {
            return StoreError::Broken { constraint };
        }
        let passes = match &error {
            sqlx::Error::Database(refusal) => {
                let code = refusal.code().unwrap_or_default();
                let in_postgres = refusal.try_downcast_ref::<PgDatabaseError>().is_some();
                if in_postgres && CONTENDED.contains(&code.as_ref()) {
                    return StoreError::Contended;
                }
                if in_postgres {
                    UNAVAILABLE_POSTGRES
                        .iter()
                        .any(|start| code.starts_with(start))
                } else {
                    let code = code.parse::<i32>();
                    code.is_ok_and(|code| UNAVAILABLE_SQLITE.contains(&(code & 0xff)))
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::RowNotFound => return StoreError::NotFound,
            _ => false,
        };
        if passes {
            StoreError::Unavailable(error)
        } else {
            StoreError::Database(error)
        }
    }
}

macro_rules! constraints {
    ($($variant:ident $name:literal $columns:literal $meaning:literal)+) => {
        /// What the database holds to, whoever writes. The names are those of the schema.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Constraint {
            $(#[doc = $meaning] $variant,)+
            /// An object that is referred to exists.
            Reference,
            /// A message goes on from the state and turn that it is in, to a state that it may become.
            MessageState,
            /// An entry names a reservation if it reserves or releases, and only then.
            EntryReservation,
            /// A line moves a limit once in a turn, in one way.
            Entry,
            /// An entry moves something.
            EntryAmount,
            /// Not more is used of a reservation than it holds.
            ReservationOpen,
        }

        /// Each constraint with its name in the schema and, for keys, its columns, by which SQLite reports it.
        const CONSTRAINTS: &[(Constraint, &str, &str)] = &[$((Constraint::$variant, $name, $columns)),+];
    };
}

constraints! {
    Participant "participant_pk" "participant.id" "A participant is kept once."
    ParticipantIdentifier "participant_identifier_pk" "participant_identifier.system, participant_identifier.value" "An identifier names one participant."
    Staff "staff_pk" "staff.id" "A person is kept once."
    Credential "credential_pk" "credential.hash" "A key opens for one holder."
    Approval "approval_pk" "approval.id" "A proposal is kept once."
    SecondPerson "approval_second_person" "" "Who proposes does not decide."
    Plan "plan_pk" "plan.role, plan.id, plan.version" "A version of a plan is kept once."
    Tariff "tariff_pk" "tariff.id, tariff.version" "A version of a tariff is kept once."
    Rule "rule_pk" "rule.kind, rule.id, rule.version" "A version of a rule is kept once."
    Member "member_pk" "member.id" "A member is kept once."
    DataKey "data_key_pk" "data_key.owner" "An owner has one key."
    Erasure "erasure_pk" "erasure.member" "A member is erased once."
    MemberIdentifier "member_identifier_pk" "member_identifier.digest" "An identifier names one member."
    Account "account_pk" "account.id" "An account is kept once."
    AccountCertificate "account_certificate" "account.insurer, account.policy, account.certificate" "A certificate is one account."
    Cover "cover_pk" "cover.member, cover.account, cover.plan, cover.start_on" "A cover is kept once."
    Message "message_pk" "message.id" "A message is taken once."
    Turn "turn_pk" "turn.message, turn.number" "A message's turns are counted."
    MessageIdentifier "message_identifier_pk" "message_identifier.digest, message_identifier.message" "A message bears an identifier once."
    Idempotency "idempotency_pk" "idempotency.digest" "A sender's key stands for one message."
    Payer "payer_pk" "payer.insurer, payer.message" "An insurer is named once for a message."
    Decision "decision_pk" "decision.message, decision.insurer, decision.reference" "An insurer's word counts once."
    Authorisation "authorisation_pk" "authorisation.member, authorisation.number, authorisation.insurer, authorisation.seq" "A line is authorised once."
    Past "past_pk" "past.member, past.message" "What a message tells of the past is kept once."
    AuthorisationUse "authorisation_use_pk" "authorisation_use.member, authorisation_use.number, authorisation_use.insurer, authorisation_use.seq, authorisation_use.message, authorisation_use.line" "A line uses an authorisation once."
    UsedAmount "authorisation_use_amount" "" "Nothing below zero is used of an authorisation."
    AuthorisedAmount "authorisation_amount" "" "Not more is used than was authorised."
    Unmapped "unmapped_pk" "unmapped.system, unmapped.code, unmapped.sender" "An unmapped code is counted in one place."
    Limit "standing_pk" "standing.account, standing.id" "A limit is kept once."
    LimitRoom "standing_room" "" "Consumed and reserved stay within ceiling and overdraft."
    LimitCeiling "standing_ceiling" "" "A ceiling is not below 0."
    LimitConsumed "standing_consumed" "" "Not more is taken back than was consumed."
    LimitReserved "standing_reserved" "" "Not more is released than was reserved."
    LimitOverdraft "standing_overdraft" "" "An overdraft is not below 0."
    Posting "posting_pk" "posting.insurer, posting.reference" "An insurer's posting counts once."
    PostingKind "posting_kind" "" "Insurers post facts and ceilings only."
    PostingAmount "posting_amount" "" "A posting moves something."
    Reservation "reservation_pk" "reservation.message" "A message reserves once."
    DeliverySequence "delivery_pk" "delivery.sequence" "Deliveries are counted."
    Delivery "delivery_id" "delivery.id" "A delivery is owed once."
    Attempt "attempt_pk" "attempt.delivery, attempt.number" "Attempts are counted."
    OnlyRevision "revision_pk" "revision.only" "There is one revision."
    OneRevision "revision_only" "" "The revision is a single row."
    Lease "lease_pk" "lease.name" "A lease is held once."
    Due "due_pk" "due.message, due.insurer" "What an insurer owes for a claim is kept once."
    DueSums "due_sums" "" "No sum of what is owed for a claim is below 0."
    Transfer "transfer_pk" "transfer.id" "A transfer is booked once."
    TransferAmount "transfer_amount" "" "A transfer moves something."
    Statement "statement_pk" "statement.number" "Statements are counted."
    StatementDay "statement_day" "statement.insurer, statement.provider, statement.payee, statement.currency, statement.day" "A day is stated once."
    SettledDay "settled_day_pk" "settled_day.day" "A day is settled once."
    InsurerFault "insurer_fault_pk" "insurer_fault.insurer, insurer_fault.code, insurer_fault.message" "A fault is counted in one place."
    Registration "registration_pk" "registration.id" "A registration is kept once."
    RegistrationObject "registration_object" "registration.subject, registration.object" "A thing is registered once."
    RegistrationCode "registration_code" "registration.code" "A unique code is one thing's."
    Payment "payment_pk" "payment.id" "A payment is kept once."
    PaymentReference "payment_reference" "payment.insurer, payment.reference" "An insurer's reference names one payment."
    PaymentAmount "payment_amount" "" "No more of a payment reaches claims than was paid."
    Allocation "allocation_pk" "allocation.payment, allocation.message, allocation.line" "A payment reaches a claim or line once."
    AllocationAmount "allocation_amount" "" "A payment reaches a claim with something."
    Dispute "dispute_pk" "dispute.id" "A dispute is kept once."
    DisputeAmount "dispute_amount" "" "A dispute is about something."
    Period "period_pk" "period.insurer, period.currency, period.first_day" "A month is closed once."
    Figures "figures_pk" "figures.party, figures.reference" "A party's figures are taken once."
    Figure "figure_pk" "figure.message, figure.insurer, figure.party" "A party states one figure of a claim."
    FigureAmount "figure_amount" "" "No figure is below 0."
    Difference "difference_pk" "difference.id" "A difference is kept once."
    DifferenceOnce "difference_once" "difference.message, difference.insurer, difference.kind" "A difference is told once."
    Upload "upload_pk" "upload.id" "An upload is kept once."
    UploadKey "upload_key" "upload.sender, upload.key" "A sender's key names one upload."
    UploadDone "upload_done" "" "No more parts are done than there are."
    UploadPart "upload_part_pk" "upload_part.upload, upload_part.number" "A part of an upload is kept and done once."
    AuditPending "audit_pending_pk" "audit_pending.id" "Leaves that wait are counted."
    AuditEntry "audit_entry_pk" "audit_entry.place" "A place of the log has one entry."
    AuditNumber "audit_number_pk" "audit_number.participant" "A participant's entries are counted in one place."
    AuditTile "audit_tile_pk" "audit_tile.level, audit_tile.tile" "A tile of the log is kept once."
    AuditHead "audit_head_pk" "audit_head.only" "The log has one head."
    OneAuditHead "audit_head_only" "" "The log's head is a single row."
    AuditCheckpoint "audit_checkpoint_pk" "audit_checkpoint.number" "Checkpoints are counted."
    AuditRead "audit_read_pk" "audit_read.id" "A read is recorded once."
}

impl Constraint {
    /// The constraint that an error of the database speaks of.
    fn of(error: &sqlx::Error) -> Option<Constraint> {
        let refusal = error.as_database_error()?;
        if let Some(refusal) = refusal.try_downcast_ref::<PgDatabaseError>() {
            return Constraint::in_postgres(refusal.code(), refusal.constraint()?);
        }
        let (_, object) = refusal.message().split_once("constraint failed")?;
        // "CHECK constraint failed: name", "UNIQUE constraint failed: table.column, …", "FOREIGN KEY constraint failed".
        let Some(object) = object.strip_prefix(": ") else {
            return Some(Constraint::Reference);
        };
        CONSTRAINTS
            .iter()
            .find(|(_, name, columns)| *name == object || *columns == object)
            .map(|(constraint, ..)| *constraint)
    }

    fn in_postgres(code: &str, object: &str) -> Option<Constraint> {
        const FOREIGN_KEY: &str = "23503";
        if code == FOREIGN_KEY {
            return Some(Constraint::Reference);
        }
        let exact = CONSTRAINTS.iter().find(|(_, name, _)| *name == object);
        // A month's partition has its key under its own name: message_2025_10_pkey for message_pk.
        let of_partition = || {
            let of = |name: &str| {
                let table = name.strip_suffix("pk").unwrap_or(name);
                object.ends_with("_pkey") && object.starts_with(table)
            };
            let fitting = CONSTRAINTS.iter().filter(|(_, name, _)| of(name));
            fitting.max_by_key(|(_, name, _)| name.len())
        };
        exact
            .or_else(of_partition)
            .map(|(constraint, ..)| *constraint)
    }
}

#[cfg(test)]
mod tests {
    use super::{CONSTRAINTS, Constraint};
    use crate::migrations::{self, Step};
    use std::collections::BTreeSet;

    /// The named constraints of the schema, but for references, which all have one meaning.
    fn of_schema(steps: &'static [Step]) -> BTreeSet<&'static str> {
        let words = steps.iter().flat_map(|(_, _, sql)| sql.split_whitespace());
        let words: Vec<_> = words.collect();
        let named = words.windows(3).filter_map(|three| match three {
            ["constraint", _, "references" | "foreign"] => None,
            ["constraint", name, _] => Some(*name),
            _ => None,
        });
        named.collect()
    }

    #[test]
    fn every_constraint_of_the_schema_has_its_name_here_and_the_other_way_round() {
        let named: BTreeSet<_> = CONSTRAINTS.iter().map(|(_, name, _)| *name).collect();
        assert_eq!(named, of_schema(migrations::SQLITE));
        assert_eq!(named, of_schema(migrations::POSTGRES));
    }

    #[test]
    fn a_partitions_key_is_its_tables() {
        let table = [
            ("message_2025_10_pkey", Some(Constraint::Message)),
            ("decision_rest_pkey", Some(Constraint::Decision)),
            ("idempotency_pk", Some(Constraint::Idempotency)),
            ("standing_room", Some(Constraint::LimitRoom)),
            ("something_else", None),
        ];
        for (object, expected) in table {
            assert_eq!(
                Constraint::in_postgres("23505", object),
                expected,
                "{object}"
            );
        }
        let reference = Constraint::in_postgres("23503", "cover_member");
        assert_eq!(reference, Some(Constraint::Reference));
    }
}
