//! What the engine keeps in memory: participants, plans, base plans and tariffs, each change with a revision.
//!
//! Versions are kept for ever: a decision names the version that it rests on. Where the dates of two versions
//! overlap, the higher version counts from its first day on; whoever reads decides by date, and takes the
//! highest version that is in force.

use serde::Serialize;
use serde::de::DeserializeOwned;
use takmil_domain::code_map::CodeMap;
use takmil_domain::exchange::ExchangeRate;
use takmil_domain::ids::{ParticipantId, PlanId};
use takmil_domain::lint::{Remarks, Versioned as _};
use takmil_domain::participant::Participant;
use takmil_domain::plan::{BasePlan, Plan, Regulation};
use takmil_domain::tariff::{self, Tariff};

use crate::db::Db;
use crate::error::StoreError;
use crate::local_map::Judged;
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
    /// Every rate of exchange, in the order of their days.
    pub exchange: Vec<ExchangeRate>,
    /// Every version of the regulator's rules on plans, in the order of id and version.
    pub regulations: Vec<Regulation>,
    /// Every version of insurers' own codes, in the order of insurer and version.
    pub code_maps: Vec<CodeMap>,
    /// Everything that was judged of codes that no table knows.
    pub judged: Vec<Judged>,
}

const BASE: &str = "base";
const SUPPLEMENTARY: &str = "supplementary";

impl Store {
    /// Keeps a version of a plan. The caller has checked that it has no faults.
    ///
    /// # Errors
    /// [`StoreError::PlanDiffers`] if the version is kept with other contents; [`StoreError::PlanOutOfLine`] if it
    /// does not follow the versions that are kept; [`StoreError::NotFound`] if the
    /// insurer's plans are not the scope's to change, or the plan's id is another insurer's;
    /// [`crate::Constraint::Reference`] if there is no such insurer.
    pub async fn upsert_plan(&self, scope: &Scope, plan: &Plan) -> Result<Upserted, StoreError> {
        let differs = StoreError::PlanDiffers {
            plan: plan.id.clone(),
            version: plan.version,
        };
        let out_of_line =
            |earlier: &[Plan]| plan_out_of_line(&plan.id, plan.version, plan.faults_after(earlier));
        let row = PlanRow {
            role: SUPPLEMENTARY,
            id: plan.id.as_str(),
            version: plan.version,
            insurer: &plan.insurer,
            document: rendered(plan)?,
        };
        self.keep_plan(scope, row, differs, out_of_line).await
    }

    /// Keeps a version of a base insurer's plan. The caller has checked that it has no faults.
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
        let out_of_line = |earlier: &[BasePlan]| {
            plan_out_of_line(&plan.id, plan.version, plan.faults_after(earlier))
        };
        self.keep_plan(scope, row, differs, out_of_line).await
    }

    async fn keep_plan<D: DeserializeOwned>(
        &self,
        scope: &Scope,
        row: PlanRow<'_>,
        differs: StoreError,
        out_of_line: impl Fn(&[D]) -> Option<StoreError>,
    ) -> Result<Upserted, StoreError> {
        if !scope.may_change(row.insurer) {
            return Err(StoreError::NotFound);
        }
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        // A plan's id belongs to the insurer that used it first.
        let foreign = db
            .fetch_optional(
                "select 1 from plan where role = $1 and id = $2 and insurer <> $3 limit 1",
                &[row.role.into(), row.id.into(), row.insurer.as_str().into()],
            )
            .await?;
        if foreign.is_some() {
            return Err(StoreError::NotFound);
        }
        let kept = db
            .fetch_optional(
                "select document from plan where role = $1 and id = $2 and version = $3",
                &[row.role.into(), row.id.into(), row.version.into()],
            )
            .await?;
        if let Some(kept) = kept {
            return same(kept.text("document")? == row.document, differs);
        }
        let versions = db
            .fetch_all(
                "select document from plan where role = $1 and id = $2 order by version",
                &[row.role.into(), row.id.into()],
            )
            .await?;
        let versions: Vec<D> = versions
            .iter()
            .map(|row| row.document("document"))
            .collect::<Result<_, _>>()?;
        if let Some(error) = out_of_line(&versions) {
            return Err(error);
        }
        let revision = next_revision(&mut db).await?;
        db.execute(
            "insert into plan (role, id, version, insurer, document, revision)
             values ($1, $2, $3, $4, $5, $6)",
            &[
                row.role.into(),
                row.id.into(),
                row.version.into(),
                row.insurer.as_str().into(),
                (&row.document).into(),
                revision.0.into(),
            ],
        )
        .await?;
        transaction.commit().await?;
        Ok(Upserted::New(revision))
    }

    /// Keeps a version of a tariff, or of a contract's price list. The caller has checked that it has no faults.
    ///
    /// # Errors
    /// [`StoreError::TariffDiffers`] if the version is kept with other contents; [`StoreError::TariffOutOfLine`] if it
    /// does not follow the versions that are kept; [`StoreError::NotFound`] if it
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
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let insurer = insurer.map(ParticipantId::as_str);
        // A tariff's id belongs to whoever used it first.
        let foreign = db
            .fetch_optional(
                "select 1 from tariff where id = $1 and insurer is distinct from $2 limit 1",
                &[head.id.as_str().into(), insurer.into()],
            )
            .await?;
        if foreign.is_some() {
            return Err(StoreError::NotFound);
        }
        let kept = db
            .fetch_optional(
                "select document from tariff where id = $1 and version = $2",
                &[head.id.as_str().into(), head.version.into()],
            )
            .await?;
        if let Some(kept) = kept {
            let differs = StoreError::TariffDiffers {
                tariff: head.id.clone(),
                version: head.version,
            };
            return same(kept.text("document")? == document, differs);
        }
        let versions = db
            .fetch_all(
                "select document from tariff where id = $1 order by version",
                &[head.id.as_str().into()],
            )
            .await?;
        let versions: Vec<tariff::Document> = versions
            .iter()
            .map(|row| row.document("document"))
            .collect::<Result<_, _>>()?;
        if let Some((pointer, detail)) = head.faults_after(&versions).into_iter().next() {
            return Err(StoreError::TariffOutOfLine {
                tariff: head.id.clone(),
                version: head.version,
                pointer,
                detail,
            });
        }
        let revision = next_revision(&mut db).await?;
        db.execute(
            "insert into tariff (id, version, insurer, document, revision)
             values ($1, $2, $3, $4, $5)",
            &[
                head.id.as_str().into(),
                head.version.into(),
                insurer.into(),
                (&document).into(),
                revision.0.into(),
            ],
        )
        .await?;
        transaction.commit().await?;
        Ok(Upserted::New(revision))
    }

    /// The catalogue's revision: cheap enough to ask before every message.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        held(&mut self.readers.acquire().await?.db()).await
    }

    /// What has changed since a revision, as of one moment.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn catalogue(&self, since: Revision) -> Result<Catalogue, StoreError> {
        let mut reader = self.snapshot().await?;
        let db = &mut reader.db();
        Ok(Catalogue {
            revision: held(db).await?,
            participants: changed(db, "select document from participant where revision > $1 order by id", since).await?,
            plans: changed(db, "select document from plan where role = 'supplementary' and revision > $1 order by id, version", since).await?,
            base_plans: changed(db, "select document from plan where role = 'base' and revision > $1 order by id, version", since).await?,
            tariffs: changed(db, "select document from tariff where revision > $1 order by id, version", since).await?,
            exchange: changed(db, "select document from rule where kind = 'exchange' and revision > $1 order by id, version", since).await?,
            regulations: changed(db, "select document from rule where kind = 'regulation' and revision > $1 order by id, version", since).await?,
            code_maps: changed(db, "select document from rule where kind = 'codes' and revision > $1 order by id, version", since).await?,
            judged: changed(db, "select document from rule where kind = 'local' and revision > $1 order by version", since).await?,
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
        let mut reader = self.read(scope).await?;
        let rows = reader
            .db()
            .fetch_all(
                "select document from plan where role = $1 and ($2 is null or insurer = $2)
                 order by id, version",
                &[role.into(), scope.insurer().into()],
            )
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

fn plan_out_of_line(plan: &PlanId, version: u32, faults: Remarks) -> Option<StoreError> {
    let (pointer, detail) = faults.into_iter().next()?;
    Some(StoreError::PlanOutOfLine {
        plan: plan.clone(),
        version,
        pointer,
        detail,
    })
}

fn same(same: bool, differs: StoreError) -> Result<Upserted, StoreError> {
    if same {
        Ok(Upserted::Same)
    } else {
        Err(differs)
    }
}

async fn changed<D: DeserializeOwned>(
    db: &mut Db<'_>,
    sql: &'static str,
    since: Revision,
) -> Result<Vec<D>, StoreError> {
    let rows = db.fetch_all(sql, &[since.0.into()]).await?;
    rows.iter().map(|row| row.document("document")).collect()
}

/// The revision of a change. Whoever changes the catalogue takes one; the row keeps them in their order.
pub(crate) async fn next_revision(db: &mut Db<'_>) -> Result<Revision, StoreError> {
    let row = db
        .fetch_one("update revision set value = value + 1 returning value", &[])
        .await?;
    Ok(Revision(row.number("value")?))
}

/// The revision that is in force.
async fn held(db: &mut Db<'_>) -> Result<Revision, StoreError> {
    let row = db.fetch_one("select value from revision", &[]).await?;
    Ok(Revision(row.number("value")?))
}

/// A document as it is kept and compared.
pub(crate) fn rendered<D: Serialize>(document: &D) -> Result<String, StoreError> {
    serde_json::to_string(document)
        .map_err(|error| StoreError::Database(sqlx::Error::Encode(error.into())))
}
