//! Where documents are on their way to payment, and what is late. The view of one document and the list of many ask the
//! same here, and the domain decides.

use serde::Serialize;
use takmil_domain::date::Date;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::message::Kind;
use takmil_domain::settlement::stage::{Roadmap, Stage, StageReached, awaits, stages};
use takmil_store::{BookFilter, DocumentProgress, Scope};

use crate::error::Error;
use crate::{Engine, Inner};

/// How many documents are read in one go, and how many are looked at for one page: where few of many are late, a page may
/// be short and have one that follows it all the same.
const READ: u32 = 500;
const MOST_LOOKED_AT: usize = 5_000;

/// How many hours an insurer without a contract has to decide.
const DECISION_HOURS: u32 = 72;

/// A document on its way to one insurer's money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentStages {
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
    /// By which day the insurer is to pay, where it owes something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_on: Option<Date>,
    /// The stages that it has reached and those that it awaits, in order.
    pub stages: Vec<StageReached>,
}

/// Which documents are asked for.
#[derive(Debug, Clone, Default)]
pub struct StagesAsked {
    /// Whose.
    pub whose: BookFilter,
    /// This one alone.
    pub message: Option<MessageId>,
    /// Those alone that await this stage.
    pub stage: Option<Stage>,
    /// Those alone of which something awaited is late.
    pub is_late: bool,
}

/// Some documents.
#[derive(Debug, Clone, Default)]
pub struct StagePage {
    /// The documents, in their order.
    pub documents: Vec<DocumentStages>,
    /// Where the next page begins; `None` where there is nothing more.
    pub next: Option<(MessageId, ParticipantId)>,
}

impl Engine {
    /// Documents on their way to payment, in the order of documents and insurers.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn stages(
        &self,
        scope: &Scope,
        asked: &StagesAsked,
        mut after: Option<(MessageId, ParticipantId)>,
        most: usize,
    ) -> Result<StagePage, Error> {
        let inner = &self.inner;
        let is_narrowed = asked.stage.is_some() || asked.is_late;
        let mut page = StagePage::default();
        let mut looked_at = 0;
        loop {
            let read = match is_narrowed {
                true => READ,
                false => u32::try_from(most).unwrap_or(READ).min(READ),
            };
            let found = inner.store.progress(
                scope,
                &asked.whose,
                asked.message,
                is_narrowed,
                after.as_ref(),
                read,
            );
            let found = found.await?;
            let is_last = found.len() < usize::try_from(read).unwrap_or(usize::MAX);
            for document in found {
                if page.documents.len() >= most {
                    page.next = after;
                    return Ok(page);
                }
                after = Some((document.message, document.insurer.clone()));
                looked_at += 1;
                let told = told(inner, document);
                if !is_narrowed || awaits(&told.stages, asked.stage, asked.is_late) {
                    page.documents.push(told);
                }
            }
            if is_last {
                return Ok(page);
            }
            if looked_at >= MOST_LOOKED_AT || page.documents.len() >= most {
                page.next = after;
                return Ok(page);
            }
        }
    }
}

/// A document's stages, by the contract of its insurer and the settings of the hub.
pub(crate) fn told(inner: &Inner, document: DocumentProgress) -> DocumentStages {
    let settlement = &inner.settlement;
    let catalog = inner.catalog();
    let insurer = catalog.participant(&document.insurer);
    let contract = insurer.and_then(|insurer| insurer.contract.as_ref());
    let decided_at = document.progress.decided_at;
    let stated_by = decided_at.map(|at| settlement.day(at).add_days(1));
    let roadmap = Roadmap {
        decided_hours: contract.map_or(DECISION_HOURS, |own| own.decision_hours),
        delivered_hours: settlement.deliver_hours,
        confirmed_days: settlement.confirm_days,
        stated_by: stated_by.map(|day| settlement.end_of(day)),
        paid_by: document.due_on.map(|day| settlement.end_of(day)),
    };
    DocumentStages {
        stages: stages(&document.progress, &roadmap, (inner.clock)()),
        message: document.message,
        insurer: document.insurer,
        provider: document.provider,
        kind: document.kind,
        state: document.state,
        due_on: document.due_on,
    }
}
