//! What persons judge of codes that no table knows: each judgement a version of the hub's own map, kept for ever.

use serde::{Deserialize, Serialize};
use takmil_domain::date::Instant;
use takmil_domain::local_map::Judgement;

use crate::catalogue::{next_revision, rendered};
use crate::error::StoreError;
use crate::ids::StaffId;
use crate::scope::Scope;
use crate::store::Store;

/// A judgement as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// The version of the map that it made, counted from 1.
    pub version: u32,
    /// What was judged.
    pub judgement: Judgement,
    /// Who judged; `None` where it was done at the hub's console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<StaffId>,
    /// When.
    pub at: Instant,
}

impl Store {
    /// Keeps what a person judges of a code, as the next version of the hub's own map. A code that has a place from now on
    /// is no longer among the unmapped. The caller has checked what is judged. Whether it is new comes with it: the last
    /// word said again changes nothing.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn judge_code(
        &self,
        judgement: &Judgement,
        by: Option<StaffId>,
        at: Instant,
    ) -> Result<(Judged, bool), StoreError> {
        let sender = judgement.participant.as_ref().map(|own| own.as_str());
        let (system, code) = (judgement.system.as_str(), judgement.code.as_str());
        // No participant's name is empty.
        let id = format!("{}|{system}|{code}", sender.unwrap_or_default());
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        // Whoever takes a revision is alone until it is committed, so that versions follow each other.
        let revision = next_revision(&mut db).await?;
        let last = db
            .fetch_optional(
                "select document from rule where kind = 'local' and id = $1
                 order by version desc limit 1",
                &[(&id).into()],
            )
            .await?;
        let last: Option<Judged> = last.map(|row| row.document("document")).transpose()?;
        if let Some(last) = last.filter(|last| last.judgement == *judgement) {
            return Ok((last, false));
        }
        let row = db
            .fetch_one(
                "select coalesce(max(version), 0) + 1 as version from rule where kind = 'local'",
                &[],
            )
            .await?;
        let judged = Judged {
            version: row.number("version")?,
            judgement: judgement.clone(),
            by,
            at,
        };
        db.execute(
            "insert into rule (kind, id, version, document, revision) values ('local', $1, $2, $3, $4)",
            &[
                (&id).into(),
                judged.version.into(),
                (&rendered(&judged)?).into(),
                revision.0.into(),
            ],
        )
        .await?;
        if judgement.to.is_some() {
            db.execute(
                "delete from unmapped where system = $1 and code = $2 and ($3 is null or sender = $3)",
                &[system.into(), code.into(), sender.into()],
            )
            .await?;
        }
        transaction.commit().await?;
        Ok((judged, true))
    }

    /// The versions of the hub's own map after one of them, in their order, as far as they speak of codes that the scope
    /// may see: a provider's own, and everybody's.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn judged_codes(
        &self,
        scope: &Scope,
        since: u32,
        most: u32,
    ) -> Result<Vec<Judged>, StoreError> {
        let own = scope.sender().map(|own| format!("{own}|"));
        let rows = self
            .readers
            .fetch_all(
                "select document from rule where kind = 'local' and version > $1
                 and ($2 is null or substr(id, 1, 1) = '|' or substr(id, 1, length($2)) = $2)
                 order by version limit $3",
                &[since.into(), own.as_deref().into(), most.into()],
            )
            .await?;
        rows.iter().map(|row| row.document("document")).collect()
    }
}
