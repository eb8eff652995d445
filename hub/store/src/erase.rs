//! Erasing a member: what identifies the person goes, and the key under which everything was sealed.
//!
//! Amounts, limits and the audit log stay, of somebody whom nobody can name any more.

use takmil_domain::date::Instant;
use takmil_domain::ids::{MemberId, MessageId};

use crate::db::Db;
use crate::error::StoreError;
use crate::rows::{Id, over};
use crate::store::Store;

/// What of a member ($1) keeps it from being erased.
const OPEN: [(&str, &str); 3] = [
    (
        "a message waits for a decision",
        "select 1 from message where member = $1 and state in ('consulting', 'pended', 'queried', 'appealed') limit 1",
    ),
    (
        "a reservation is open",
        "select 1 from message m join reservation r on r.message = m.id
         where m.member = $1 and r.state = 'open' limit 1",
    ),
    (
        "a delivery is owed",
        "select 1 from message m join delivery d on d.message = m.id
         where m.member = $1 and d.delivered_at is null and d.erased_at is null limit 1",
    ),
];

/// What goes of a member ($1).
const GONE: [&str; 4] = [
    "delete from data_key where owner = $1",
    "delete from past where member = $1",
    "delete from member_identifier where member = $1",
    "update member set name = null, birth_date = null, sex = null where id = $1",
];

impl Store {
    /// Erases a member for good, in every backup too: the key provider forgets it first. Erasing it again changes
    /// nothing. Gives whether there was something to erase.
    ///
    /// A message that a lane has in hand meanwhile may still be taken, under the key that goes: nobody can read it.
    /// What is owed of it shows when it is offered, as [`StoreError::Erased`].
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such member; [`StoreError::StillOpen`] while something of it is open.
    pub async fn erase_member(&self, member: MemberId, at: Instant) -> Result<bool, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let owner = [member.0.into()];
        let known =
            "select k.owner from member m left join data_key k on k.owner = m.id where m.id = $1";
        let known = db.fetch_one(known, &owner).await?;
        if known.uuid_maybe("owner")?.is_none() {
            return Ok(false);
        }
        for (what, sql) in OPEN {
            if db.fetch_optional(sql, &owner).await?.is_some() {
                return Err(StoreError::StillOpen { what });
            }
        }
        self.keys.provider().forget(member.0).await?;
        erase(&mut db, member, at).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Erases again whom the key provider has forgotten: a database that came back from a backup knows them still. One
    /// that knows none of them any more is only read.
    pub(crate) async fn erase_again(&self) -> Result<(), StoreError> {
        let known = over!(
            owner id;
            "select k.owner from batch join data_key k on k.owner = batch.owner order by k.owner"
        );
        let forgotten = self.keys.provider().forgotten().await?;
        let forgotten: Vec<_> = forgotten
            .into_iter()
            .map(|owner| (Id::from(owner),))
            .collect();
        let known = self
            .readers
            .acquire()
            .await?
            .db()
            .ask(known, &forgotten)
            .await?;
        for row in known {
            let mut transaction = self.desk().await?;
            // When it was is lost with the later database; that it was is not.
            let member = MemberId(row.uuid("owner")?);
            erase(&mut transaction.db(), member, Instant(0)).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

async fn erase(db: &mut Db<'_>, member: MemberId, at: Instant) -> Result<(), StoreError> {
    for sql in GONE {
        db.execute(sql, &[member.0.into()]).await?;
    }
    db.execute(
        "insert into erasure (member, at) values ($1, $2) on conflict (member) do nothing",
        &[member.0.into(), at.into()],
    )
    .await?;
    erase_salts(db, member).await
}

/// Erases the salts of what the log has about a member's messages.
async fn erase_salts(db: &mut Db<'_>, member: MemberId) -> Result<(), StoreError> {
    let messages = "select id from message where member = $1";
    let rows = db.fetch_all(messages, &[member.0.into()]).await?;
    let messages = rows.iter().map(|row| row.uuid("id").map(MessageId));
    crate::audit::erase_salts(db, &messages.collect::<Result<Vec<_>, _>>()?).await
}
