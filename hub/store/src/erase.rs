//! Erasing a member: what identifies the person goes, and the key under which everything was sealed.
//!
//! Amounts, limits and the audit log stay, of somebody whom nobody can name any more.

use takmil_domain::date::Instant;
use takmil_domain::ids::{MemberId, MessageId};

use crate::db::Db;
use crate::error::StoreError;
use crate::store::Store;

/// What of a member ($1) keeps it from being erased.
const OPEN: [(&str, &str); 3] = [
    (
        "a message waits for a decision",
        "select 1 from message where member = $1 and state in ('consulting', 'pended') limit 1",
    ),
    (
        "a reservation is open",
        "select 1 from message m join reservation r on r.message = m.id
         where m.member = $1 and r.state = 'open' limit 1",
    ),
    (
        "a delivery is owed",
        "select 1 from message m join delivery d on d.message = m.id
         where m.member = $1 and d.delivered_at is null limit 1",
    ),
];

/// What goes of a member ($1).
const GONE: [&str; 3] = [
    "delete from data_key where owner = $1",
    "delete from member_identifier where member = $1",
    "update member set name = null, birth_date = null, sex = null where id = $1",
];

impl Store {
    /// Erases a member for good, in every backup too: the key provider forgets it first. Erasing it again changes
    /// nothing. Gives whether there was something to erase.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such member; [`StoreError::StillOpen`] while something of it is open.
    pub async fn erase_member(&self, member: MemberId, at: Instant) -> Result<bool, StoreError> {
        let known = "select 1 from member where id = $1";
        self.readers.fetch_one(known, &[member.0.into()]).await?;
        for (what, sql) in OPEN {
            let open = self.readers.fetch_optional(sql, &[member.0.into()]).await?;
            if open.is_some() {
                return Err(StoreError::StillOpen { what });
            }
        }
        self.keys.provider().forget(member.0).await?;
        self.erase(member, at).await
    }

    /// Erases again whom the key provider has forgotten: a database that came back from a backup knows them still.
    pub(crate) async fn erase_again(&self) -> Result<u64, StoreError> {
        let mut again = 0;
        for owner in self.keys.provider().forgotten().await? {
            let member = MemberId(owner);
            // When it was is lost with the later database; that it was is not.
            again += u64::from(self.erase(member, Instant(0)).await?);
        }
        Ok(again)
    }

    async fn erase(&self, member: MemberId, at: Instant) -> Result<bool, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let owner = [member.0.into()];
        let key = "select 1 from data_key where owner = $1";
        if db.fetch_optional(key, &owner).await?.is_none() {
            return Ok(false);
        }
        for sql in GONE {
            db.execute(sql, &owner).await?;
        }
        db.execute(
            "insert into erasure (member, at) values ($1, $2) on conflict (member) do nothing",
            &[member.0.into(), at.into()],
        )
        .await?;
        erase_salts(&mut db, member).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Erases the salts of what the log has about a member's messages.
async fn erase_salts(db: &mut Db<'_>, member: MemberId) -> Result<(), StoreError> {
    let messages = "select id from message where member = $1";
    let rows = db.fetch_all(messages, &[member.0.into()]).await?;
    let messages = rows.iter().map(|row| row.uuid("id").map(MessageId));
    crate::audit::erase_salts(db, &messages.collect::<Result<Vec<_>, _>>()?).await
}
