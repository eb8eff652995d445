//! The two-person rule: what one person proposes, another approves or refuses, once.

use serde::{Deserialize, Serialize};
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;

use crate::column::Row;
use crate::db::Db;
use crate::error::StoreError;
use crate::ids::{ApprovalId, StaffId};
use crate::scope::Scope;
use crate::store::Store;

/// Something that needs a second person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApproval {
    /// What kind of thing: a stable word such as "plan".
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What is proposed, as JSON.
    pub document: String,
    /// Who proposes it.
    pub by: StaffId,
    /// Whose people decide, where it is not the proposer's own.
    pub approver: Option<ParticipantId>,
}

/// A proposal, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// For whom its proposer works.
    pub participant: ParticipantId,
    /// Whose people decide: another person of the proposer's own, where none is named.
    pub approver: Option<ParticipantId>,
    /// The proposal, approved, that it follows: of two who have to agree this is the second.
    pub follows: Option<ApprovalId>,
    /// What kind of thing.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What is proposed, as JSON.
    pub document: String,
    /// What became of it.
    pub state: ApprovalState,
    /// Who proposed it.
    pub proposed_by: StaffId,
    /// When.
    pub proposed_at: Instant,
    /// Who decided, and when.
    pub decided: Option<(StaffId, Instant)>,
}

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has decided.
    Open,
    /// Another person agreed.
    Approved,
    /// Another person did not.
    Refused,
}

macro_rules! columns {
    () => {
        "id, participant, approver, follows, kind, subject, document, state, proposed_by, proposed_at,
         decided_by, decided_at"
    };
}

impl Approval {
    /// Whose people decide.
    fn decider(&self) -> &ParticipantId {
        self.approver.as_ref().unwrap_or(&self.participant)
    }
}

impl ApprovalState {
    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            ApprovalState::Open => "open",
            ApprovalState::Approved => "approved",
            ApprovalState::Refused => "refused",
        }
    }
}

impl Store {
    /// Proposes something.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such person.
    pub async fn propose(&self, new: &NewApproval, at: Instant) -> Result<ApprovalId, StoreError> {
        let id = ApprovalId(self.fresh_id(at));
        let proposed = self
            .writers
            .execute(
                "insert into approval
                     (id, participant, kind, subject, document, state, proposed_by, proposed_at, approver)
                 select $1, participant, $2, $3, $4, 'open', id, $6, $7 from staff where id = $5",
                &[
                    id.0.into(),
                    (&new.kind).into(),
                    (&new.subject).into(),
                    (&new.document).into(),
                    new.by.0.into(),
                    at.into(),
                    new.approver.as_ref().map(ParticipantId::as_str).into(),
                ],
            )
            .await?;
        crate::participants::found(proposed)?;
        Ok(id)
    }

    /// Approves a proposal, and gives it. Where somebody else has to agree after that, as who ratifies, the proposal
    /// goes on to them.
    ///
    /// # Errors
    /// [`StoreError::OwnProposal`] if the same person proposed it; [`StoreError::AlreadyDecided`] if somebody
    /// was faster; [`StoreError::NotFound`] if there is none in the scope, or the person works for another.
    pub async fn approve(
        &self,
        scope: &Scope,
        id: ApprovalId,
        by: StaffId,
        at: Instant,
        then: Option<&ParticipantId>,
    ) -> Result<Approval, StoreError> {
        self.decide(scope, id, (ApprovalState::Approved, then), by, at)
            .await
    }

    /// Refuses a proposal, and gives it.
    ///
    /// # Errors
    /// As [`Store::approve`].
    pub async fn refuse(
        &self,
        scope: &Scope,
        id: ApprovalId,
        by: StaffId,
        at: Instant,
    ) -> Result<Approval, StoreError> {
        self.decide(scope, id, (ApprovalState::Refused, None), by, at)
            .await
    }

    async fn decide(
        &self,
        scope: &Scope,
        id: ApprovalId,
        (state, then): (ApprovalState, Option<&ParticipantId>),
        by: StaffId,
        at: Instant,
    ) -> Result<Approval, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let found = load(&mut db, scope, id).await?;
        if found.proposed_by == by {
            return Err(StoreError::OwnProposal(id));
        }
        let works_there = db
            .fetch_optional(
                "select 1 from staff where id = $1 and participant = $2",
                &[by.0.into(), found.decider().as_str().into()],
            )
            .await?;
        if works_there.is_none() {
            return Err(StoreError::NotFound);
        }
        // The state is asked for in the update itself: of two who race, one finds nothing to change.
        let decided = db
            .execute(
                "update approval set state = $2, decided_by = $3, decided_at = $4
                 where id = $1 and state = 'open'",
                &[id.0.into(), state.as_str().into(), by.0.into(), at.into()],
            )
            .await?;
        if decided == 0 {
            return Err(StoreError::AlreadyDecided(id));
        }
        if let Some(then) = then {
            db.execute(
                "insert into approval
                     (id, participant, kind, subject, document, state, proposed_by, proposed_at, approver, follows)
                 select $1, participant, kind, subject, document, 'open', proposed_by, $3, $4, id
                 from approval where id = $2",
                &[
                    self.fresh_id(at).into(),
                    id.0.into(),
                    at.into(),
                    then.as_str().into(),
                ],
            )
            .await?;
        }
        let decided = load(&mut db, scope, id).await?;
        transaction.commit().await?;
        Ok(decided)
    }

    /// A proposal.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none in the scope.
    pub async fn approval(&self, scope: &Scope, id: ApprovalId) -> Result<Approval, StoreError> {
        load(&mut self.read(scope).await?.db(), scope, id).await
    }

    /// The proposal that followed an approved one, where somebody else had to agree after it.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn follower(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        let sql = concat!("select ", columns!(), " from approval where follows = $1");
        let row = self.readers.fetch_optional(sql, &[id.0.into()]).await?;
        row.as_ref().map(approval).transpose()
    }

    /// The proposals that nobody has decided on, the oldest first.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn open_approvals(&self, scope: &Scope) -> Result<Vec<Approval>, StoreError> {
        let mut reader = self.read(scope).await?;
        let rows = reader
            .db()
            .fetch_all(
                concat!(
                    "select ",
                    columns!(),
                    " from approval
                     where state = 'open' and ($1 is null or participant = $1 or approver = $1)
                     order by proposed_at, id"
                ),
                &[participant_of(scope).into()],
            )
            .await?;
        rows.iter().map(approval).collect()
    }
}

/// The only participant whose proposals may be seen, where there is one.
fn participant_of(scope: &Scope) -> Option<&str> {
    scope.sender().or(scope.insurer())
}

async fn load(db: &mut Db<'_>, scope: &Scope, id: ApprovalId) -> Result<Approval, StoreError> {
    let row = db
        .fetch_one(
            concat!(
                "select ",
                columns!(),
                " from approval where id = $1 and ($2 is null or participant = $2 or approver = $2)"
            ),
            &[id.0.into(), participant_of(scope).into()],
        )
        .await?;
    approval(&row)
}

fn approval(row: &Row) -> Result<Approval, StoreError> {
    let text = |name| row.text(name).map(str::to_owned);
    let decided_by = row.uuid_maybe("decided_by")?.map(StaffId);
    Ok(Approval {
        id: ApprovalId(row.uuid("id")?),
        participant: row.named("participant")?,
        approver: row.named_maybe("approver")?,
        follows: row.uuid_maybe("follows")?.map(ApprovalId),
        kind: text("kind")?,
        subject: text("subject")?,
        document: text("document")?,
        state: row.named("state")?,
        proposed_by: StaffId(row.uuid("proposed_by")?),
        proposed_at: row.moment("proposed_at")?,
        decided: decided_by.zip(row.moment_maybe("decided_at")?),
    })
}
