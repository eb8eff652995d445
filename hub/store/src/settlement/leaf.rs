//! What moves money outside decisions leaves its leaf in the tamper-evident log, written with it.

use takmil_domain::audit::{Commitment, Event, Leaf, Pseudonym, Salt};
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;
use uuid::Uuid;

use crate::audit::NewLeaf;
use crate::audit_rows::LeafRow;
use crate::db::Db;
use crate::error::StoreError;
use crate::put::put;
use crate::store::Store;

impl Store {
    /// A leaf, which commits to `parts` under a salt of its own; the doing of the hub itself where nobody is named.
    pub(super) fn leaf(
        &self,
        (event, subject, turn): (Event, Uuid, u32),
        participant: Option<Pseudonym>,
        at: Instant,
        parts: &[&[u8]],
    ) -> NewLeaf {
        let mut salt = [0; 32];
        let bits = std::iter::repeat_with(|| (self.random)()).flatten();
        salt.iter_mut().zip(bits).for_each(|(to, from)| *to = from);
        let salt = Salt(salt);
        let leaf = Leaf {
            event,
            turn,
            at,
            subject,
            participant: participant.unwrap_or(Pseudonym::HUB),
            commitment: Commitment::new(&salt, parts),
        };
        NewLeaf { leaf, salt }
    }

    /// Writes leaves with what they are about.
    pub(super) async fn put_leaves(
        &self,
        db: &mut Db<'_>,
        leaves: Vec<NewLeaf>,
    ) -> Result<(), StoreError> {
        put(db, &LeafRow::of(&leaves)).await
    }

    /// Writes the leaf of something that a participant did, or the hub itself.
    pub(super) async fn put_leaf(
        &self,
        db: &mut Db<'_>,
        what: (Event, Uuid, u32),
        doer: Option<&ParticipantId>,
        at: Instant,
        said: &impl serde::Serialize,
    ) -> Result<(), StoreError> {
        let said = crate::catalogue::rendered(said)?;
        let doer = match doer {
            Some(doer) => Some(pseudonym(db, doer).await?),
            None => None,
        };
        let leaf = self.leaf(what, doer, at, &[said.as_bytes()]);
        self.put_leaves(db, vec![leaf]).await
    }
}

/// Who a participant is in the log.
async fn pseudonym(db: &mut Db<'_>, participant: &ParticipantId) -> Result<Pseudonym, StoreError> {
    let row = db
        .fetch_one(
            "select pseudonym from participant where id = $1",
            &[participant.as_str().into()],
        )
        .await?;
    row.uuid("pseudonym").map(Pseudonym)
}
