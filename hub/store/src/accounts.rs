//! Members as messages ask for them: who is meant, and which covers they have.

use std::collections::{BTreeSet, HashMap};

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::ids::{AccountId, Identifier, MemberId};

use crate::column::Columns;
use crate::enrol::named;
use crate::error::StoreError;
use crate::rows::{Id, over};
use crate::scope::Scope;
use crate::store::Store;
use crate::turn::ask;

/// Whom identifiers name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// One member.
    Known(MemberId),
    /// Nobody whom the hub knows.
    Unknown,
    /// Several members, in the order of their ids: somebody is wrong, and it is not the hub's to say who.
    Ambiguous(Vec<MemberId>),
}

impl Resolution {
    fn of(members: BTreeSet<MemberId>) -> Resolution {
        let members: Vec<_> = members.into_iter().collect();
        match members.as_slice() {
            [] => Resolution::Unknown,
            [one] => Resolution::Known(*one),
            _ => Resolution::Ambiguous(members),
        }
    }
}

/// A member with what the rules need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMember {
    /// The member.
    pub id: MemberId,
    /// The person.
    pub person: Person,
    /// The covers, base first, in the order in which insurers are asked, later ones after earlier ones.
    pub covers: Vec<Cover>,
}

impl Store {
    /// Whom each of many lists of identifiers names, in the order asked. Identifiers without a system mean
    /// something to their sender alone, and are left aside.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn resolve_members(
        &self,
        lists: &[Vec<Identifier>],
    ) -> Result<Vec<Resolution>, StoreError> {
        let wanted: Vec<Vec<_>> = lists.iter().map(|list| named(list).collect()).collect();
        let all: Vec<_> = wanted.iter().flatten().cloned().collect();
        let mut reader = self.readers.acquire().await?;
        let known = members_named(&mut reader, &all).await?;
        let resolve = |list: &Vec<_>| {
            let members = list.iter().filter_map(|identifier| known.get(identifier));
            Resolution::of(members.copied().collect())
        };
        Ok(wanted.iter().map(resolve).collect())
    }

    /// Whom identifiers name.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn resolve_member(
        &self,
        identifiers: &[Identifier],
    ) -> Result<Resolution, StoreError> {
        let resolved = self.resolve_members(&[identifiers.to_vec()]).await?;
        Ok(resolved.into_iter().next().unwrap_or(Resolution::Unknown))
    }

    /// Members with their persons and covers, in the order of their ids; unknown ones are left out.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn known_members(
        &self,
        members: &[MemberId],
    ) -> Result<Vec<KnownMember>, StoreError> {
        const PERSONS: &str = over!(
            member bytes;
            "select distinct m.id, m.birth_date, m.sex
             from batch join member m on m.id = batch.member order by m.id"
        );
        const COVERS: &str = over!(
            member bytes;
            "select distinct c.member, c.account, c.plan, c.start_on, c.end_on, c.insurer, c.role,
                 c.asked, c.relationship, c.suspended, c.prior_cover, c.group_size
             from batch join cover c on c.member = batch.member
             order by c.member, c.role, c.asked, c.start_on, c.account, c.plan"
        );
        let rows: Vec<_> = members.iter().map(|member| (Id::from(*member),)).collect();
        // One snapshot for both questions.
        let mut reader = self.readers.begin().await?;
        let mut known = Vec::with_capacity(members.len());
        for row in ask(&mut reader, PERSONS, &rows).await? {
            known.push(KnownMember {
                id: MemberId(row.uuid("id")?),
                person: person(&row)?,
                covers: Vec::new(),
            });
        }
        for row in ask(&mut reader, COVERS, &rows).await? {
            let cover = cover(&row)?;
            if let Ok(at) = known.binary_search_by_key(&cover.member, |known| known.id)
                && let Some(known) = known.get_mut(at)
            {
                known.covers.push(cover);
            }
        }
        Ok(known)
    }

    /// What the rules need to know of a person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown member, for a provider, and for an insurer without a cover of it.
    pub async fn person(&self, scope: &Scope, member: MemberId) -> Result<Person, StoreError> {
        let mut reader = self.readers.begin().await?;
        check_seen(&mut reader, scope, member).await?;
        let row = sqlx::query("select birth_date, sex from member where id = $1")
            .bind(member.0)
            .fetch_one(&mut *reader)
            .await?;
        person(&row)
    }

    /// A member's covers, base first, in the order in which insurers are asked; an insurer sees its own.
    ///
    /// # Errors
    /// As [`Store::person`].
    pub async fn covers(&self, scope: &Scope, member: MemberId) -> Result<Vec<Cover>, StoreError> {
        let mut reader = self.readers.begin().await?;
        check_seen(&mut reader, scope, member).await?;
        let rows = sqlx::query(
            "select member, account, plan, start_on, end_on, insurer, role, asked,
                 relationship, suspended, prior_cover, group_size
             from cover where member = $1 and ($2 is null or insurer = $2)
             order by role, asked, start_on, account, plan",
        )
        .bind(member.0)
        .bind(scope.insurer())
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(cover).collect()
    }
}

/// The members whom identifiers name, in the spelling that is compared.
pub(crate) async fn members_named(
    connection: &mut SqliteConnection,
    identifiers: &[(String, String)],
) -> Result<HashMap<(String, String), MemberId>, StoreError> {
    const SQL: &str = over!(
        system text, value text;
        "select batch.place, i.member
         from batch join member_identifier i on i.system = batch.system and i.value = batch.value"
    );
    let mut members = HashMap::new();
    for row in ask(connection, SQL, identifiers).await? {
        if let Some(identifier) = identifiers.get(row.number::<usize>("place")?) {
            members.insert(identifier.clone(), MemberId(row.uuid("member")?));
        }
    }
    Ok(members)
}

/// Whether the scope may see the member at all.
pub(crate) async fn check_seen(
    connection: &mut SqliteConnection,
    scope: &Scope,
    member: MemberId,
) -> Result<(), StoreError> {
    if matches!(scope, Scope::Provider(_)) {
        return Err(StoreError::NotFound);
    }
    let seen = sqlx::query(
        "select 1 from member
         where id = $1 and ($2 is null or exists (
             select 1 from cover where cover.member = member.id and cover.insurer = $2))",
    )
    .bind(member.0)
    .bind(scope.insurer())
    .fetch_optional(connection)
    .await?;
    seen.map(|_| ()).ok_or(StoreError::NotFound)
}

fn person(row: &SqliteRow) -> Result<Person, StoreError> {
    Ok(Person {
        birth_date: row.named_maybe("birth_date")?,
        sex: row.named_maybe("sex")?,
    })
}

fn cover(row: &SqliteRow) -> Result<Cover, StoreError> {
    Ok(Cover {
        account: AccountId(row.uuid("account")?),
        member: MemberId(row.uuid("member")?),
        insurer: row.named("insurer")?,
        role: row.named("role")?,
        order: row.number("asked")?,
        relationship: row.named("relationship")?,
        plan: row.named("plan")?,
        start: row.named("start_on")?,
        end: row.named_maybe("end_on")?,
        suspended: row.yes("suspended")?,
        prior_cover: row.yes("prior_cover")?,
        group_size: row.number_maybe("group_size")?,
    })
}
