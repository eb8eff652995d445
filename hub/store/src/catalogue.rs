//! What the engine keeps in memory: participants, plans, base plans and tariffs, each change with a revision.
//!
//! Versions are kept for ever: a decision names the version that it rests on. Where the dates of two versions
//! overlap, the higher version counts from its first day on; whoever reads decides by date, and takes the
//! highest version that is in force.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Sqlite, SqliteConnection, Transaction};
use takmil_domain::ids::ParticipantId;
use takmil_domain::participant::Participant;
use takmil_domain::plan::{BasePlan, Plan};
use takmil_domain::tariff::Tariff;

use crate::column::Columns;
use crate::error::StoreError;
use crate::scope::Scope;
use crate::store::Store;

/// How often the catalogue has changed. It only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

/// What an upsert did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upserted {
    /// It was kept already, word for word.
    Same,
    /// It is new or changed, as of this revision.
    New(Revision),
}

/// What has changed since a revision. From the first revision on, it is everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    /// As of when.
    pub revision: Revision,
    /// Participants.
    pub participants: Vec<Participant>,
    /// Every version of plans, in the order of id and version.
    pub plans: Vec<Plan>,
    /// Every version of base insurers' plans, in the order of id and version.
    pub base_plans: Vec<BasePlan>,
    /// Every version of tariffs and price lists, in the order of id and version.
    pub tariffs: Vec<Tariff>,
}

const BASE: &str = "base";
const SUPPLEMENTARY: &str = "supplementary";

impl Store {
    /// Keeps a version of a plan. The caller has checked that it has no faults.
    ///
    /// # Errors
    /// [`StoreError::PlanDiffers`] if the version is kept with other contents; [`StoreError::NotFound`] if the
    /// insurer's plans are not the scope's to change, or the plan's id is another insurer's;
    /// [`crate::Constraint::Reference`] if there is no such insurer.
    pub async fn upsert_plan(&self, scope: &Scope, plan: &Plan) -> Result<Upserted, StoreError> {
        let differs = StoreError::PlanDiffers {
            plan: plan.id.clone(),
            version: plan.version,
        };
        let row = PlanRow {
            role: SUPPLEMENTARY,
            id: plan.id.as_str(),
            version: plan.version,
            insurer: &plan.insurer,
            document: rendered(plan)?,
        };
        self.keep_plan(scope, row, differs).await
    }

    /// Keeps a version of a base insurer's plan.
    ///
    /// # Errors
    /// As [`Store::upsert_plan`].
    pub async fn upsert_base_plan(
        &self,
        scope: &Scope,
        plan: &BasePlan,
    ) -> Result<Upserted, StoreError> {
        let differs = StoreError::PlanDiffers {
            plan: plan.id.clone(),
            version: plan.version,
        };
        let row = PlanRow {
            role: BASE,
            id: plan.id.as_str(),
            version: plan.version,
            insurer: &plan.insurer,
            document: rendered(plan)?,
        };
        self.keep_plan(scope, row, differs).await
    }

    async fn keep_plan(
        &self,
        scope: &Scope,
        row: PlanRow<'_>,
        differs: StoreError,
    ) -> Result<Upserted, StoreError> {
        if !scope.may_change(row.insurer) {
            return Err(StoreError::NotFound);
        }
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        // A plan's id belongs to the insurer that used it first.
        let foreign =
            sqlx::query("select 1 from plan where role = $1 and id = $2 and insurer <> $3")
                .bind(row.role)
                .bind(row.id)
                .bind(row.insurer.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        if foreign.is_some() {
            return Err(StoreError::NotFound);
        }
        let kept: Option<String> = sqlx::query_scalar(
            "select document from plan where role = $1 and id = $2 and version = $3",
        )
        .bind(row.role)
        .bind(row.id)
        .bind(row.version)
        .fetch_optional(&mut *transaction)
        .await?;
        if let Some(kept) = kept {
            return same(kept == row.document, differs);
        }
        let revision = next_revision(&mut transaction).await?;
        sqlx::query(
            "insert into plan (role, id, version, insurer, document, revision)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(row.role)
        .bind(row.id)
        .bind(row.version)
        .bind(row.insurer.as_str())
        .bind(row.document)
        .bind(revision.0)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Upserted::New(revision))
    }

    /// Keeps a version of a tariff, or of a contract's price list.
    ///
    /// # Errors
    /// [`StoreError::TariffDiffers`] if the version is kept with other contents; [`StoreError::NotFound`] if it
    /// is a national tariff and the scope is not the hub's, or a contract of another insurer.
    pub async fn upsert_tariff(
        &self,
        scope: &Scope,
        tariff: &Tariff,
    ) -> Result<Upserted, StoreError> {
        let head = tariff.document();
        let insurer = head.contract.as_ref().map(|contract| &contract.insurer);
        if !insurer.map_or(*scope == Scope::Hub, |insurer| scope.may_change(insurer)) {
            return Err(StoreError::NotFound);
        }
        let document = rendered(tariff)?;
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        // A tariff's id belongs to whoever used it first.
        let foreign =
            sqlx::query("select 1 from tariff where id = $1 and insurer is distinct from $2")
                .bind(head.id.as_str())
                .bind(insurer.map(ParticipantId::as_str))
                .fetch_optional(&mut *transaction)
                .await?;
        if foreign.is_some() {
            return Err(StoreError::NotFound);
        }
        let kept: Option<String> =
            sqlx::query_scalar("select document from tariff where id = $1 and version = $2")
                .bind(head.id.as_str())
                .bind(head.version)
                .fetch_optional(&mut *transaction)
                .await?;
        if let Some(kept) = kept {
            let differs = StoreError::TariffDiffers {
                tariff: head.id.clone(),
                version: head.version,
            };
            return same(kept == document, differs);
        }
        let revision = next_revision(&mut transaction).await?;
        sqlx::query(
            "insert into tariff (id, version, insurer, document, revision)
             values ($1, $2, $3, $4, $5)",
        )
        .bind(head.id.as_str())
        .bind(head.version)
        .bind(insurer.map(ParticipantId::as_str))
        .bind(document)
        .bind(revision.0)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Upserted::New(revision))
    }

    /// The catalogue's revision: cheap enough to ask before every message.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        let value = sqlx::query_scalar("select value from revision")
            .fetch_one(&self.readers)
            .await?;
        Ok(Revision(value))
    }

    /// What has changed since a revision, as of one moment.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn catalogue(&self, since: Revision) -> Result<Catalogue, StoreError> {
        let mut reader = self.readers.begin().await?;
        let revision = sqlx::query_scalar("select value from revision")
            .fetch_one(&mut *reader)
            .await?;
        Ok(Catalogue {
            revision: Revision(revision),
            participants: changed(&mut reader, "select document from participant where revision > $1 order by id", since).await?,
            plans: changed(&mut reader, "select document from plan where role = 'supplementary' and revision > $1 order by id, version", since).await?,
            base_plans: changed(&mut reader, "select document from plan where role = 'base' and revision > $1 order by id, version", since).await?,
            tariffs: changed(&mut reader, "select document from tariff where revision > $1 order by id, version", since).await?,
        })
    }

    /// Every version of the plans that the scope may see, in the order of id and version.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn plans(&self, scope: &Scope) -> Result<Vec<Plan>, StoreError> {
        self.plan_documents(scope, SUPPLEMENTARY).await
    }

    /// Every version of base insurers' plans that the scope may see, in the order of id and version.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn base_plans(&self, scope: &Scope) -> Result<Vec<BasePlan>, StoreError> {
        self.plan_documents(scope, BASE).await
    }

    async fn plan_documents<D: DeserializeOwned>(
        &self,
        scope: &Scope,
        role: &'static str,
    ) -> Result<Vec<D>, StoreError> {
        if matches!(scope, Scope::Provider(_)) {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "select document from plan where role = $1 and ($2 is null or insurer = $2)
             order by id, version",
        )
        .bind(role)
        .bind(scope.insurer())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| row.document("document")).collect()
    }
}

/// A version of a plan as it is kept.
struct PlanRow<'a> {
    role: &'static str,
    id: &'a str,
    version: u32,
    insurer: &'a ParticipantId,
    document: String,
}

fn same(same: bool, differs: StoreError) -> Result<Upserted, StoreError> {
    if same {
        Ok(Upserted::Same)
    } else {
        Err(differs)
    }
}

async fn changed<D: DeserializeOwned>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    since: Revision,
) -> Result<Vec<D>, StoreError> {
    let rows = sqlx::query(sql).bind(since.0).fetch_all(connection).await?;
    rows.iter().map(|row| row.document("document")).collect()
}

/// The revision of a change. Whoever changes the catalogue takes one; the row keeps them in their order.
pub(crate) async fn next_revision(
    transaction: &mut Transaction<'static, Sqlite>,
) -> Result<Revision, StoreError> {
    let value = sqlx::query_scalar("update revision set value = value + 1 returning value")
        .fetch_one(&mut **transaction)
        .await?;
    Ok(Revision(value))
}

/// A document as it is kept and compared.
pub(crate) fn rendered<D: Serialize>(document: &D) -> Result<String, StoreError> {
    serde_json::to_string(document)
        .map_err(|error| StoreError::Database(sqlx::Error::Encode(error.into())))
}
