//! The rows of the book, and how they are read.

use std::collections::BTreeMap;

use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, ParticipantId, PaymentId, TransferId};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::settlement::state::PaymentState;
use takmil_domain::settlement::{
    Due, DueLine, Pair, PayeeKind, Payment, Receipt, Statement, Transfer, TransferKind,
};

use crate::column::Row;
use crate::error::{Constraint, StoreError};
use crate::rows::{Bytes, Id, row};
use crate::turn::digest;

/// A line of a due: its number, what was billed, what the base insurer pays, what is owed, what is held.
type KeptLine = (u32, Amount, Amount, Amount, Amount);

row! {
    struct DueRow<'a> {
        message: Id as id,
        insurer: &'a ParticipantId as text,
        provider: &'a ParticipantId as text,
        payee: PayeeKind as text,
        currency: Currency as text,
        on_day: Date as text,
        due_on: Date as text,
        turn: u32 as integer,
        incurred: Amount as integer,
        noticed: Amount as integer,
        confirmed: Amount as integer,
        disputed: Amount as integer,
        written_off: Amount as integer,
        lines: Vec<KeptLine> as document,
    }
    Some(Constraint::Due);
    "insert into due
         (message, insurer, provider, payee, currency, on_day, due_on, turn,
          incurred, noticed, confirmed, disputed, written_off, lines)
     select message, insurer, provider, payee, currency, on_day, due_on, turn,
          incurred, noticed, confirmed, disputed, written_off, lines
     from batch where true
     on conflict (message, insurer) do update
     set on_day = excluded.on_day, due_on = excluded.due_on, turn = excluded.turn,
         incurred = excluded.incurred, noticed = excluded.noticed, confirmed = excluded.confirmed,
         disputed = excluded.disputed, written_off = excluded.written_off, lines = excluded.lines"
}

impl<'a> DueRow<'a> {
    pub(crate) fn of(dues: impl IntoIterator<Item = &'a Due>) -> Vec<Self> {
        // One that changes several times is written once, as it is left.
        let mut rows = BTreeMap::new();
        for due in dues {
            let kept = |line: &DueLine| (line.seq, line.billed, line.base, line.amount, line.held);
            let row = DueRow {
                message: due.message.into(),
                insurer: &due.pair.insurer,
                provider: &due.pair.provider,
                payee: due.pair.payee,
                currency: due.pair.currency,
                on_day: due.on_day,
                due_on: due.due_on,
                turn: due.turn,
                incurred: due.incurred,
                noticed: due.noticed,
                confirmed: due.confirmed,
                disputed: due.disputed,
                written_off: due.written_off,
                lines: due.lines.iter().map(kept).collect(),
            };
            rows.insert((due.message, &due.pair.insurer), row);
        }
        rows.into_values().collect()
    }
}

row! {
    struct TransferRow<'a> {
        id: Id as id,
        insurer: &'a ParticipantId as text,
        provider: &'a ParticipantId as text,
        payee: PayeeKind as text,
        currency: Currency as text,
        kind: TransferKind as text,
        amount: Amount as integer,
        message: Option<Id> as id,
        line: Option<u32> as integer,
        source: Option<Id> as id,
        turn: Option<u32> as integer,
        at: Instant as integer,
    }
    Some(Constraint::Transfer);
    "insert into transfer
         (id, insurer, provider, payee, currency, kind, amount, message, line, source, turn, at)
     select id, insurer, provider, payee, currency, kind, amount, message, line, source, turn, at
     from batch"
}

impl<'a> TransferRow<'a> {
    pub(crate) fn of(transfers: &'a [(TransferId, Transfer)]) -> Vec<Self> {
        let row = |(id, one): &'a (TransferId, Transfer)| TransferRow {
            id: (*id).into(),
            insurer: &one.pair.insurer,
            provider: &one.pair.provider,
            payee: one.pair.payee,
            currency: one.pair.currency,
            kind: one.kind,
            amount: one.amount,
            message: one.message.map(Id::from),
            line: one.line,
            source: one.source.map(Id::from),
            turn: one.turn,
            at: one.at,
        };
        transfers.iter().map(row).collect()
    }
}

row! {
    /// A transfer gets its statement.
    struct StatedRow {
        id: Id as id,
        statement: i64 as integer,
    }
    Some(Constraint::Transfer);
    "update transfer set statement = batch.statement
     from batch where transfer.id = batch.id and transfer.statement is null"
}

row! {
    struct PaymentRow<'a> {
        id: Id as id,
        insurer: &'a ParticipantId as text,
        provider: &'a ParticipantId as text,
        payee: PayeeKind as text,
        currency: Currency as text,
        reference: &'a str as text,
        digest: Bytes<32> as bytes,
        amount: Amount as integer,
        allocated: Amount as integer,
        paid_on: Date as text,
        instrument: Option<&'a str> as text,
        state: PaymentState as text,
        noticed_at: Instant as integer,
        settled_at: Option<Instant> as integer,
        receipt: &'a Receipt as document,
    }
    Some(Constraint::Payment);
    "insert into payment
         (id, insurer, provider, payee, currency, reference, digest, amount, allocated, paid_on,
          instrument, state, noticed_at, settled_at, receipt)
     select id, insurer, provider, payee, currency, reference, digest, amount, allocated, paid_on,
          instrument, state, noticed_at, settled_at, receipt
     from batch where true
     on conflict (id) do update
     set allocated = excluded.allocated, state = excluded.state, settled_at = excluded.settled_at"
}

impl<'a> From<&'a Payment> for PaymentRow<'a> {
    fn from(payment: &'a Payment) -> Self {
        PaymentRow {
            id: payment.id.into(),
            insurer: &payment.pair.insurer,
            provider: &payment.pair.provider,
            payee: payment.pair.payee,
            currency: payment.pair.currency,
            reference: &payment.reference,
            digest: Bytes(payment.digest),
            amount: payment.amount,
            allocated: payment.allocated(),
            paid_on: payment.paid_on,
            instrument: payment.instrument.as_deref(),
            state: payment.state,
            noticed_at: payment.noticed_at,
            settled_at: payment.settled_at,
            receipt: &payment.receipt,
        }
    }
}

/// What stands for the claim as a whole among its lines.
const WHOLE: i64 = -1;

row! {
    struct AllocationRow {
        payment: Id as id,
        message: Id as id,
        line: i64 as integer,
        amount: Amount as integer,
    }
    Some(Constraint::Allocation);
    "insert into allocation (payment, message, line, amount)
     select payment, message, line, amount from batch where true
     on conflict (payment, message, line) do update set amount = excluded.amount"
}

row! {
    /// What a payment no longer reaches.
    struct FreedRow {
        payment: Id as id,
        message: Id as id,
        line: i64 as integer,
    }
    Some(Constraint::Allocation);
    "delete from allocation
     where (payment, message, line) in (select payment, message, line from batch)"
}

/// A claim, or one of its lines.
type Place = (MessageId, Option<u32>);

fn kept_line(line: Option<u32>) -> i64 {
    line.map_or(WHOLE, i64::from)
}

impl AllocationRow {
    pub(super) fn new(payment: PaymentId, (message, line): Place, amount: Amount) -> Self {
        AllocationRow {
            payment: payment.into(),
            message: message.into(),
            line: kept_line(line),
            amount,
        }
    }
}

impl FreedRow {
    pub(super) fn new(payment: PaymentId, (message, line): Place) -> Self {
        FreedRow {
            payment: payment.into(),
            message: message.into(),
            line: kept_line(line),
        }
    }
}

/// Reads whose a row is.
pub(super) fn pair(row: &Row) -> Result<Pair, StoreError> {
    Ok(Pair {
        insurer: row.named("insurer")?,
        provider: row.named("provider")?,
        payee: row.named("payee")?,
        currency: row.named("currency")?,
    })
}

/// Reads a due.
pub(super) fn due(row: &Row) -> Result<Due, StoreError> {
    let lines: Vec<KeptLine> = row.document("lines")?;
    let line = |(seq, billed, base, amount, held)| DueLine {
        seq,
        billed,
        base,
        amount,
        held,
    };
    Ok(Due {
        lines: lines.into_iter().map(line).collect(),
        ..due_sums(row)?
    })
}

/// Reads a due without its lines.
pub(super) fn due_sums(row: &Row) -> Result<Due, StoreError> {
    Ok(Due {
        pair: pair(row)?,
        message: MessageId(row.uuid("message")?),
        turn: row.number("turn")?,
        on_day: row.named("on_day")?,
        due_on: row.named("due_on")?,
        incurred: row.number("incurred")?,
        noticed: row.number("noticed")?,
        confirmed: row.number("confirmed")?,
        disputed: row.number("disputed")?,
        written_off: row.number("written_off")?,
        lines: Vec::new(),
    })
}

/// Reads a transfer.
pub(super) fn transfer(row: &Row) -> Result<Transfer, StoreError> {
    Ok(Transfer {
        pair: pair(row)?,
        kind: row.named("kind")?,
        amount: row.number("amount")?,
        message: row.uuid_maybe("message")?.map(MessageId),
        line: row.number_maybe("line")?,
        source: row.uuid_maybe("source")?,
        turn: row.number_maybe("turn")?,
        at: row.moment("at")?,
    })
}

/// Reads a payment without what it has reached.
pub(super) fn payment(row: &Row) -> Result<Payment, StoreError> {
    Ok(Payment {
        id: PaymentId(row.uuid("id")?),
        pair: pair(row)?,
        reference: row.text("reference")?.to_owned(),
        digest: digest(row)?,
        amount: row.number("amount")?,
        paid_on: row.named("paid_on")?,
        instrument: row.text_maybe("instrument")?.map(str::to_owned),
        state: row.named("state")?,
        noticed_at: row.moment("noticed_at")?,
        settled_at: row.moment_maybe("settled_at")?,
        allocations: BTreeMap::new(),
        receipt: row.document("receipt")?,
    })
}

/// Reads how far a payment reaches: which payment, where, how much.
pub(super) fn allocation(row: &Row) -> Result<(PaymentId, Place, Amount), StoreError> {
    let line: i64 = row.number("line")?;
    let line = u32::try_from(line).ok();
    Ok((
        PaymentId(row.uuid("payment")?),
        (MessageId(row.uuid("message")?), line),
        row.number("amount")?,
    ))
}

/// Reads a statement.
pub(super) fn statement(row: &Row) -> Result<Statement, StoreError> {
    Ok(Statement {
        pair: pair(row)?,
        day: row.named("day")?,
        opening: row.number("opening")?,
        sums: row.document("sums")?,
        closing: row.number("closing")?,
        claims: row.number("claims")?,
        transfers: row.number("transfers")?,
        made_at: row.moment("made_at")?,
        digest: digest(row)?,
    })
}
