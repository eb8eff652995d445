//! Leases: of several hubs in one database, one runs a timer.

use takmil_domain::date::Instant;

use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Takes or keeps a lease for `for_ms` milliseconds, and says whether `holder` has it now. It is free for
    /// others when its time is over; whoever holds it takes it again well before.
    ///
    /// The hubs' clocks have to agree within what is left of a lease when it is taken again. Whatever a lease
    /// guards must stay right where two do it at once, for a hub may freeze while it holds one: a lease only
    /// spares work.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: Instant,
        for_ms: u64,
    ) -> Result<bool, StoreError> {
        let until = now.plus_ms(for_ms);
        let taken = self
            .writers
            .execute(
                "insert into lease (name, holder, until) values ($1, $2, $4)
                 on conflict (name) do update
                 set holder = excluded.holder, until = excluded.until
                 where lease.holder = excluded.holder or lease.until <= $3",
                &[name.into(), holder.into(), now.into(), until.into()],
            )
            .await?;
        Ok(taken > 0)
    }

    /// Gives a lease back before its time is over, where `holder` has it.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.writers
            .execute(
                "delete from lease where name = $1 and holder = $2",
                &[name.into(), holder.into()],
            )
            .await?;
        Ok(())
    }
}
