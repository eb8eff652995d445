//! The people who work for participants, and what they may do.

use serde::{Deserialize, Serialize};
use takmil_domain::date::Instant;
use takmil_domain::ids::ParticipantId;

use crate::catalogue::rendered;
use crate::column::Row;
use crate::error::StoreError;
use crate::ids::StaffId;
use crate::participants::found;
use crate::store::Store;

/// A person who works for a participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staff {
    /// The person.
    pub id: StaffId,
    /// For whom.
    pub participant: ParticipantId,
    /// The name.
    pub name: String,
    /// What the person may do.
    pub roles: Vec<StaffRole>,
}

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffRole {
    /// Judges cases for an insurer.
    Assessor,
    /// Pays and reconciles.
    Finance,
    /// Writes plans and price lists.
    PlanAuthor,
    /// Approves what others propose.
    Approver,
    /// Admits members at a provider.
    Desk,
    /// Bills for a provider.
    Billing,
    /// Reads everything, for the regulator.
    Auditor,
    /// Runs the hub.
    Operator,
}

impl StaffRole {
    /// Every role.
    pub const ALL: &'static [StaffRole] = &[
        StaffRole::Assessor,
        StaffRole::Finance,
        StaffRole::PlanAuthor,
        StaffRole::Approver,
        StaffRole::Desk,
        StaffRole::Billing,
        StaffRole::Auditor,
        StaffRole::Operator,
    ];

    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            StaffRole::Assessor => "assessor",
            StaffRole::Finance => "finance",
            StaffRole::PlanAuthor => "plan_author",
            StaffRole::Approver => "approver",
            StaffRole::Desk => "desk",
            StaffRole::Billing => "billing",
            StaffRole::Auditor => "auditor",
            StaffRole::Operator => "operator",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<StaffRole> {
        StaffRole::ALL
            .iter()
            .copied()
            .find(|role| role.as_str() == text)
    }
}

impl Store {
    /// Takes a person on.
    ///
    /// # Errors
    /// [`crate::Constraint::Reference`] if there is no such participant.
    pub async fn add_staff(
        &self,
        participant: &ParticipantId,
        name: &str,
        roles: &[StaffRole],
        at: Instant,
    ) -> Result<StaffId, StoreError> {
        let id = StaffId(self.fresh_id(at));
        self.writers
            .execute(
                "insert into staff (id, participant, name, roles, created_at) values ($1, $2, $3, $4, $5)",
                &[
                    id.0.into(),
                    participant.as_str().into(),
                    name.into(),
                    (&rendered(&roles)?).into(),
                    at.into(),
                ],
            )
            .await?;
        Ok(id)
    }

    /// Changes what a person may do.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such person.
    pub async fn set_staff_roles(
        &self,
        person: StaffId,
        roles: &[StaffRole],
    ) -> Result<(), StoreError> {
        let changed = self
            .writers
            .execute(
                "update staff set roles = $2 where id = $1",
                &[person.0.into(), (&rendered(&roles)?).into()],
            )
            .await?;
        found(changed)
    }

    /// The people of a participant, in the order in which they were taken on.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn staff_of(&self, participant: &ParticipantId) -> Result<Vec<Staff>, StoreError> {
        let rows = self
            .readers
            .fetch_all(
                "select id, participant, name, roles from staff where participant = $1 order by id",
                &[participant.as_str().into()],
            )
            .await?;
        rows.iter().map(staff).collect()
    }
}

pub(crate) fn staff(row: &Row) -> Result<Staff, StoreError> {
    Ok(Staff {
        id: StaffId(row.uuid("id")?),
        participant: row.named("participant")?,
        name: row.text("name")?.to_owned(),
        roles: row.document("roles")?,
    })
}
