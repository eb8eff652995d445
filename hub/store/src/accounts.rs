//! Members as messages ask for them: who is meant, and which covers they have.

use std::collections::{BTreeSet, HashMap};

use takmil_domain::coverage::{Cover, Person};
use takmil_domain::ids::{AccountId, Identifier, MemberId};

use crate::column::Row;
use crate::db::Db;
use crate::error::StoreError;
use crate::rows::{Id, over};
use crate::scope::Scope;
use crate::seal::OwnerKey;
use crate::store::Store;

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
    /// The key under which what is sent of the member is sealed.
    pub key: OwnerKey,
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
        let named = |list: &Vec<Identifier>| self.keys.blind().of_persons(list).collect();
        let wanted: Vec<Vec<Id>> = lists.iter().map(named).collect();
        let all: Vec<_> = wanted.iter().flatten().copied().collect();
        let known = members_named(&mut self.readers.acquire().await?.db(), &all).await?;
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

    /// Members with their persons and covers, in the order of their ids; unknown and erased ones are left out.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn known_members(
        &self,
        members: &[MemberId],
    ) -> Result<Vec<KnownMember>, StoreError> {
        // One statement, and so one moment, without the cost of a transaction on the way of every message.
        let sql = over!(
            member id;
            "select m.id, m.birth_date, m.sex, c.member, c.account, c.plan, c.start_on, c.end_on,
                 c.insurer, c.role, c.asked, c.relationship, c.suspended, c.prior_cover, c.group_size,
                 k.wrapped, case when c.relationship <> 'principal' then (
                     select p.birth_date from cover o join member p on p.id = o.member
                     where o.account = c.account and o.relationship = 'principal'
                     order by o.start_on desc, o.member limit 1) end as principal_born
             from batch join member m on m.id = batch.member
             left join data_key k on k.owner = m.id
             left join cover c on c.member = m.id
             order by m.id, c.role, c.asked, c.start_on, c.account, c.plan"
        );
        let distinct: BTreeSet<_> = members.iter().copied().collect();
        let rows: Vec<_> = distinct.into_iter().map(|id| (Id::from(id),)).collect();
        let mut known: Vec<KnownMember> = Vec::with_capacity(rows.len());
        for row in self.readers.acquire().await?.db().ask(sql, &rows).await? {
            let id = MemberId(row.uuid("id")?);
            if known.last().is_none_or(|last| last.id != id) {
                let key = match self.keys.unwrapped(id.0, row.bytes_maybe("wrapped")?).await {
                    Err(StoreError::Erased) => continue,
                    key => key?,
                };
                known.push(KnownMember {
                    id,
                    key,
                    person: person(&row)?,
                    covers: Vec::new(),
                });
            }
            if let Some(member) = known.last_mut().filter(|last| last.id == id)
                && row.uuid_maybe("member")?.is_some()
            {
                let principal_born = row.named_maybe("principal_born")?;
                member.covers.push(Cover {
                    principal_born,
                    ..cover(&row)?
                });
            }
        }
        Ok(known)
    }

    /// What the rules need to know of a person.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown member, for a provider, and for an insurer without a cover of it.
    pub async fn person(&self, scope: &Scope, member: MemberId) -> Result<Person, StoreError> {
        let mut reader = self.read(scope).await?;
        let mut db = reader.db();
        check_seen(&mut db, scope, member).await?;
        let row = db
            .fetch_one(
                "select birth_date, sex from member where id = $1",
                &[member.0.into()],
            )
            .await?;
        person(&row)
    }

    /// A member's covers, base first, in the order in which insurers are asked; an insurer sees its own.
    ///
    /// # Errors
    /// As [`Store::person`].
    pub async fn covers(&self, scope: &Scope, member: MemberId) -> Result<Vec<Cover>, StoreError> {
        let mut reader = self.read(scope).await?;
        let mut db = reader.db();
        check_seen(&mut db, scope, member).await?;
        let rows = db
            .fetch_all(
                "select member, account, plan, start_on, end_on, insurer, role, asked,
                     relationship, suspended, prior_cover, group_size
                 from cover where member = $1 and ($2 is null or insurer = $2)
                 order by role, asked, start_on, account, plan",
                &[member.0.into(), scope.insurer().into()],
            )
            .await?;
        rows.iter().map(cover).collect()
    }
}

/// The members whom identifiers name, by the identifiers' digests.
pub(crate) async fn members_named(
    db: &mut Db<'_>,
    identifiers: &[Id],
) -> Result<HashMap<Id, MemberId>, StoreError> {
    let sql = over!(
        digest id;
        "select i.digest, i.member
         from batch join member_identifier i on i.digest = batch.digest"
    );
    let rows: Vec<_> = identifiers.iter().map(|digest| (*digest,)).collect();
    let found = db.ask(sql, &rows).await?;
    let named = |row: &Row| Ok((row.uuid("digest")?.into(), MemberId(row.uuid("member")?)));
    found.iter().map(named).collect()
}

/// Whether the scope may see the member at all.
pub(crate) async fn check_seen(
    db: &mut Db<'_>,
    scope: &Scope,
    member: MemberId,
) -> Result<(), StoreError> {
    if matches!(scope, Scope::Provider(_)) {
        return Err(StoreError::NotFound);
    }
    let seen = db
        .fetch_optional(
            "select 1 from member
             where id = $1 and ($2 is null or exists (
                 select 1 from cover where cover.member = member.id and cover.insurer = $2))",
            &[member.0.into(), scope.insurer().into()],
        )
        .await?;
    seen.map(|_| ()).ok_or(StoreError::NotFound)
}

fn person(row: &Row) -> Result<Person, StoreError> {
    Ok(Person {
        birth_date: row.named_maybe("birth_date")?,
        sex: row.named_maybe("sex")?,
    })
}

fn cover(row: &Row) -> Result<Cover, StoreError> {
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
        principal_born: None,
    })
}
