//! How far documents have come towards each insurer's money, as the store knows it.

use takmil_domain::date::Date;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::{State, is_payable};
use takmil_domain::message::Kind;
use takmil_domain::money::Amount;
use takmil_domain::settlement::stage::Progress;

use super::BookFilter;
use crate::column::Row;
use crate::error::StoreError;
use crate::scope::Scope;
use crate::store::Store;

/// A document, one insurer that has a share in it, and how far it has come towards that insurer's money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentProgress {
    /// The document.
    pub message: MessageId,
    /// The insurer.
    pub insurer: ParticipantId,
    /// Who sent it.
    pub provider: ParticipantId,
    /// Its kind.
    pub kind: Kind,
    /// How far it is.
    pub state: State,
    /// When it came to each stage.
    pub progress: Progress,
    /// By which day the insurer is to pay, where it owes something.
    pub due_on: Option<Date>,
}

/// The condition of documents that a scope sees and a filter leaves, beyond a place in their order: arguments 1 to 8.
///
/// An insurer's deliveries of a document are found by the document: `|| ''` keeps SQLite, which has no figures of how many
/// there are, from finding them by their insurer, who has had as many as there are documents.
macro_rules! documents {
    ($which:literal $($awaiting:literal)?) => {
        concat!(
            "with page as (
                 select p.message, p.insurer, m.sender, m.kind, m.state, m.received_at
                 from payer p join message m on m.id = p.message
                 where ($1 is null or p.insurer = $1) and ($2 is null or m.sender = $2)
                     and ($3 is null or p.insurer = $3) and ($4 is null or m.sender = $4)
                     and (p.message, p.insurer) > ($6, $7) and ",
            $which,
            $($awaiting,)?
            " order by p.message, p.insurer limit $8),
             begun as (
                 select page.*, (select min(t.number) from turn t where t.message = page.message
                     and t.state in ('decided', 'refused', 'adjusted')) as decided_turn
                 from page)
             select b.*, d.incurred, d.noticed, d.confirmed, d.written_off, d.due_on,
                 (select t.at from turn t where t.message = b.message and t.number = b.decided_turn) as decided_at,
                 (select min(o.delivered_at) from delivery o where o.message = b.message
                     and o.insurer || '' = b.insurer and o.turn >= b.decided_turn) as delivered_at,
                 cast(case when exists (select 1 from delivery o where o.message = b.message
                     and o.insurer || '' = b.insurer and o.turn >= b.decided_turn) then 1 else 0 end as bigint) as is_told,
                 (select min(s.made_at) from transfer t join statement s on s.number = t.statement
                     where t.message = b.message and t.insurer = b.insurer) as stated_at,
                 (select max(y.noticed_at) from allocation a join payment y on y.id = a.payment
                     where a.message = b.message and y.insurer = b.insurer and y.state <> 'bounced') as noticed_at,
                 (select max(y.settled_at) from allocation a join payment y on y.id = a.payment
                     where a.message = b.message and y.insurer = b.insurer and y.state = 'confirmed') as confirmed_at,
                 (select min(t.at) from turn t where t.message = b.message and t.state = 'reconciled') as reconciled_at
             from begun b left join due d on d.message = b.message and d.insurer = b.insurer
             order by b.message, b.insurer"
        )
    };
}

const ALL: &str = documents!("$5 is null");

const ONE: &str = documents!("p.message = $5");

/// Those that may await something.
const AWAITING: &str = documents!(
    "$5 is null"
    " and (m.state in ('consulting', 'pended', 'queried')
        or m.kind in ('claim', 'dispense') and m.state in ('decided', 'adjusted', 'appealed', 'paid'))"
);

impl Store {
    /// Documents and how far they have come, insurer by insurer, in the order of documents and insurers; where asked, those
    /// alone that may still await something. One document's alone, and all of it, where it is named.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn progress(
        &self,
        scope: &Scope,
        filter: &BookFilter,
        message: Option<MessageId>,
        is_awaiting: bool,
        after: Option<&(MessageId, ParticipantId)>,
        most: u32,
    ) -> Result<Vec<DocumentProgress>, StoreError> {
        let more = [
            message.map(|id| id.0).into(),
            after
                .map_or(uuid::Uuid::nil(), |(message, _)| message.0)
                .into(),
            after.map_or("", |(_, insurer)| insurer.as_str()).into(),
            most.into(),
        ];
        let values = [&filter.values(scope)[..], &more].concat();
        let sql = match (message, is_awaiting) {
            (Some(_), _) => ONE,
            (None, true) => AWAITING,
            (None, false) => ALL,
        };
        // The hub's own question: the condition says what of it the scope sees, since a provider is shown when its claim
        // was handed to an insurer, and nothing else of that.
        let mut snapshot = self.snapshot().await?;
        let found = snapshot.db().fetch_all(sql, &values).await?;
        found.iter().map(progress).collect()
    }
}

fn progress(row: &Row) -> Result<DocumentProgress, StoreError> {
    let sum = |name| -> Result<Amount, StoreError> {
        Ok(row.number_maybe(name)?.unwrap_or(Amount::ZERO))
    };
    let (kind, state): (Kind, State) = (row.named("kind")?, row.named("state")?);
    let owed = sum("incurred")? - sum("written_off")?;
    let (noticed, confirmed) = (sum("noticed")?, sum("confirmed")?);
    let is_owed = owed > Amount::ZERO;
    let decided_at = row.moment_maybe("decided_at")?;
    let moment_if = |holds: bool, name| match holds {
        true => row.moment_maybe(name),
        false => Ok(None),
    };
    let delivered_at = match row.yes("is_told")? {
        true => row.moment_maybe("delivered_at")?,
        // There is nothing to tell who decided it.
        false => decided_at,
    };
    let progress = Progress {
        received_at: row.moment("received_at")?,
        decided_at,
        delivered_at: delivered_at.filter(|_| is_payable(kind)),
        stated_at: row.moment_maybe("stated_at")?,
        noticed_at: moment_if(is_owed && noticed + confirmed >= owed, "noticed_at")?,
        confirmed_at: moment_if(is_owed && confirmed >= owed, "confirmed_at")?,
        reconciled_at: moment_if(state == State::Reconciled, "reconciled_at")?,
        is_payable: is_payable(kind),
        is_owed: is_owed || decided_at.is_none(),
        has_ended: state.is_taken_back()
            || matches!(state, State::Recorded | State::Refused | State::Reconciled),
    };
    Ok(DocumentProgress {
        message: MessageId(row.uuid("message")?),
        insurer: row.named("insurer")?,
        provider: row.named("sender")?,
        kind,
        state,
        progress,
        due_on: row.named_maybe("due_on")?.filter(|_| is_owed),
    })
}
