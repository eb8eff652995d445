//! What the hub goes by beside plans and tariffs: rates of exchange, the regulator's rules on plans, insurers' own codes.
//! A version that is kept never changes.

use serde::Serialize;
use takmil_domain::code_map::CodeMap;
use takmil_domain::date::Date;
use takmil_domain::exchange::ExchangeRate;
use takmil_domain::plan::Regulation;

use crate::catalogue::{Upserted, next_revision, rendered};
use crate::error::StoreError;
use crate::scope::Scope;
use crate::store::Store;

impl Store {
    /// Keeps the rate of exchange of a day.
    ///
    /// # Errors
    /// [`StoreError::RuleDiffers`] if another rate is kept for the day.
    pub async fn upsert_exchange_rate(&self, rate: &ExchangeRate) -> Result<Upserted, StoreError> {
        let id = format!("{}-{}", rate.from, rate.to);
        let epoch = Date::from_ymd(1970, 1, 1);
        let day = epoch.map_or(0, |epoch| rate.on.days_since(epoch));
        self.keep_rule("exchange", id, day, rate).await
    }

    /// Keeps a version of the regulator's rules on plans. The caller has checked that it has no faults.
    ///
    /// # Errors
    /// [`StoreError::RuleDiffers`] if the version is kept with other contents.
    pub async fn upsert_regulation(&self, regulation: &Regulation) -> Result<Upserted, StoreError> {
        let (id, version) = (regulation.id.to_string(), regulation.version.into());
        self.keep_rule("regulation", id, version, regulation).await
    }

    /// Keeps a version of an insurer's own codes. The caller has checked that it has no faults.
    ///
    /// # Errors
    /// [`StoreError::RuleDiffers`] if the version is kept with other contents; [`StoreError::NotFound`] if the codes are
    /// not the scope's to change.
    pub async fn upsert_code_map(
        &self,
        scope: &Scope,
        map: &CodeMap,
    ) -> Result<Upserted, StoreError> {
        if !scope.may_change(&map.insurer) {
            return Err(StoreError::NotFound);
        }
        let (id, version) = (map.insurer.to_string(), map.version.into());
        self.keep_rule("codes", id, version, map).await
    }

    async fn keep_rule(
        &self,
        kind: &'static str,
        id: String,
        version: i64,
        document: &impl Serialize,
    ) -> Result<Upserted, StoreError> {
        let document = rendered(document)?;
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let kept = db
            .fetch_optional(
                "select document from rule where kind = $1 and id = $2 and version = $3",
                &[kind.into(), (&id).into(), version.into()],
            )
            .await?;
        match kept {
            Some(kept) if kept.text("document")? == document => return Ok(Upserted::Same),
            Some(_) => return Err(StoreError::RuleDiffers { kind, id }),
            None => {}
        }
        let revision = next_revision(&mut db).await?;
        db.execute(
            "insert into rule (kind, id, version, document, revision) values ($1, $2, $3, $4, $5)",
            &[
                kind.into(),
                (&id).into(),
                version.into(),
                (&document).into(),
                revision.0.into(),
            ],
        )
        .await?;
        transaction.commit().await?;
        Ok(Upserted::New(revision))
    }
}
