//! Taking covers from insurers: members found or made, accounts found or made, covers put in their place.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use takmil_domain::coverage::Enrolment;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{AccountId, Identifier, MemberId, ParticipantId, PlanId, RegistrationId};
use takmil_domain::participant::Participant;
use takmil_domain::party::InsurerRole;
use takmil_domain::registration::EndorsedCover;
use uuid::Uuid;

use crate::accounts::members_named;
use crate::blind::Blind;
use crate::column::Row;
use crate::db::Db;
use crate::enrol_rows::{AccountRow, CoverRow, IdentifierRow, PersonRow};
use crate::error::StoreError;
use crate::participants::DOCUMENT;
use crate::put::put;
use crate::registrations::{NewRegistration, NewSubject, RegistrationRow};
use crate::rows::{Id, over};
use crate::scope::Scope;
use crate::store::Store;

/// A cover that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolled {
    /// The member.
    pub member: MemberId,
    /// The account of the certificate.
    pub account: AccountId,
    /// Whether the cover is new, or other than before.
    pub changed: bool,
}

/// Why a cover was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolRefusal {
    /// No identifier of the member names its system.
    Unidentified,
    /// The identifiers name several members. They are not merged.
    Ambiguous(Vec<MemberId>),
    /// The insurer has no such plan in that role, or is not the caller's to enrol for.
    NoSuchPlan,
    /// It ends before it begins.
    EndsBeforeStart,
}

impl Store {
    /// Takes covers, each on its own, all in one transaction, and answers in their order.
    ///
    /// A repeat changes nothing; a cover of the same member, certificate, plan and first day is brought up to
    /// date. What is told of a person later counts over what was told before; what is not told stays. Where the
    /// insurer's contract says so, a new certificate is to be registered, and every change of one.
    ///
    /// # Errors
    /// If the database cannot serve. Nothing was taken then.
    pub async fn enrol(
        &self,
        scope: &Scope,
        enrolments: &[Enrolment],
        at: Instant,
    ) -> Result<Vec<Result<Enrolled, EnrolRefusal>>, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let fresh = || self.fresh_id(at);
        let mut desk = Desk::open(&mut db, enrolments, &fresh, self.keys.blind()).await?;
        let taken = enrolments.iter();
        let mut answers: Vec<_> = taken
            .map(|enrolment| desk.take(scope, enrolment, at))
            .collect();
        desk.leave_what_is_same(&mut db).await?;
        for (answer, enrolment) in answers.iter_mut().zip(enrolments) {
            if let Ok(own) = answer {
                let key = (own.member, own.account, &enrolment.plan, enrolment.start);
                own.changed = desk.covers.contains_key(&key);
            }
        }
        let registrations = desk.registrations(&mut db, at).await?;
        let new = std::mem::take(&mut desk.new_members);
        let keys: Vec<_> = new.into_iter().map(|one| (one, self.fresh_key())).collect();
        desk.write(&mut db).await?;
        put(&mut db, &RegistrationRow::of(&registrations)).await?;
        self.keys.keep(&mut db, &keys).await?;
        transaction.commit().await?;
        Ok(answers)
    }
}

/// What is known before a list of enrolments, and what they add to it.
struct Desk<'a> {
    fresh: &'a (dyn Fn() -> Uuid + Sync),
    plans: HashSet<(bool, PlanId, ParticipantId)>,
    members: HashMap<Id, MemberId>,
    blind: &'a Blind,
    accounts: HashMap<Certificate<'a>, AccountId>,
    persons: BTreeMap<MemberId, PersonRow<'a>>,
    new_members: Vec<MemberId>,
    new_identifiers: Vec<IdentifierRow>,
    new_accounts: Vec<AccountRow<'a>>,
    /// The covers among `covers` that were there before.
    known_covers: BTreeSet<CoverKey<'a>>,
    covers: BTreeMap<CoverKey<'a>, CoverRow<'a>>,
}

/// Member, account, plan and first day: what a cover is known by.
type CoverKey<'a> = (MemberId, AccountId, &'a PlanId, Date);

/// Insurer, policy and certificate: what an account is known by.
type Certificate<'a> = (&'a ParticipantId, &'a str, &'a str);

fn certificate(enrolment: &Enrolment) -> Certificate<'_> {
    (
        &enrolment.insurer,
        &enrolment.policy,
        &enrolment.certificate,
    )
}

impl<'a> Desk<'a> {
    async fn open(
        db: &mut Db<'_>,
        enrolments: &'a [Enrolment],
        fresh: &'a (dyn Fn() -> Uuid + Sync),
        blind: &'a Blind,
    ) -> Result<Desk<'a>, StoreError> {
        Ok(Desk {
            fresh,
            plans: known_plans(db).await?,
            members: known_identifiers(db, enrolments, blind).await?,
            blind,
            accounts: known_accounts(db, enrolments).await?,
            persons: BTreeMap::new(),
            new_members: Vec::new(),
            new_identifiers: Vec::new(),
            new_accounts: Vec::new(),
            known_covers: BTreeSet::new(),
            covers: BTreeMap::new(),
        })
    }

    fn take(
        &mut self,
        scope: &Scope,
        enrolment: &'a Enrolment,
        at: Instant,
    ) -> Result<Enrolled, EnrolRefusal> {
        let Enrolment {
            role,
            plan,
            insurer,
            start,
            ..
        } = enrolment;
        let base = *role == InsurerRole::Base;
        let promised = self.plans.contains(&(base, plan.clone(), insurer.clone()));
        if !scope.may_change(insurer) || !promised {
            return Err(EnrolRefusal::NoSuchPlan);
        }
        if enrolment.end.is_some_and(|end| end < *start) {
            return Err(EnrolRefusal::EndsBeforeStart);
        }
        let member = self.member(&enrolment.member.identifiers)?;
        let person = self.persons.entry(member);
        person
            .or_insert_with(|| PersonRow::unknown(member, at))
            .learn(&enrolment.member);
        let account = self.account(enrolment, at);
        let cover = CoverRow::of(member, account, enrolment, at);
        self.covers.insert((member, account, plan, *start), cover);
        Ok(Enrolled {
            member,
            account,
            changed: true,
        })
    }

    /// The member whom the identifiers name, or a new one; all of them name it from now on.
    fn member(&mut self, identifiers: &[Identifier]) -> Result<MemberId, EnrolRefusal> {
        let identifiers: BTreeSet<_> = self.blind.of_persons(identifiers).collect();
        if identifiers.is_empty() {
            return Err(EnrolRefusal::Unidentified);
        }
        let known: BTreeSet<MemberId> = identifiers
            .iter()
            .filter_map(|identifier| self.members.get(identifier).copied())
            .collect();
        if known.len() > 1 {
            return Err(EnrolRefusal::Ambiguous(known.into_iter().collect()));
        }
        let member = known.first().copied();
        let member = member.unwrap_or_else(|| {
            let member = MemberId((self.fresh)());
            self.new_members.push(member);
            member
        });
        for digest in identifiers {
            if self.members.insert(digest, member).is_none() {
                let member = member.into();
                self.new_identifiers.push(IdentifierRow { digest, member });
            }
        }
        Ok(member)
    }

    fn account(&mut self, enrolment: &'a Enrolment, at: Instant) -> AccountId {
        let certificate = certificate(enrolment);
        if let Some(account) = self.accounts.get(&certificate) {
            return *account;
        }
        let account = AccountId((self.fresh)());
        self.accounts.insert(certificate, account);
        self.new_accounts
            .push(AccountRow::of(account, enrolment, at));
        account
    }

    /// Takes out the covers that are kept already as they are.
    async fn leave_what_is_same(&mut self, db: &mut Db<'_>) -> Result<(), StoreError> {
        let sql = over!(
            member id, account id, plan text, start_on text;
            "select batch.place, c.end_on, c.role, c.asked, c.relationship, c.suspended, c.prior_cover,
                 c.group_size
             from batch
             join cover c on c.member = batch.member and c.account = batch.account
                 and c.plan = batch.plan and c.start_on = batch.start_on"
        );
        let places: Vec<_> = self.covers.keys().copied().collect();
        let key = |(member, account, plan, start): &CoverKey<'a>| {
            (Id::from(*member), Id::from(*account), *plan, *start)
        };
        let keys: Vec<_> = places.iter().map(key).collect();
        for row in db.ask(sql, &keys).await? {
            let Some(place) = places.get(row.number::<usize>("place")?) else {
                continue;
            };
            let is_same = match self.covers.get(place) {
                Some(cover) => cover.is_kept_as(&row)?,
                None => false,
            };
            match is_same {
                true => drop(self.covers.remove(place)),
                false => drop(self.known_covers.insert(*place)),
            }
        }
        Ok(())
    }

    /// What is to be registered of what changes: certificates, and what becomes of those that were there.
    async fn registrations(
        &self,
        db: &mut Db<'_>,
        at: Instant,
    ) -> Result<Vec<NewRegistration>, StoreError> {
        let insurers: BTreeSet<&ParticipantId> = self
            .covers
            .values()
            .filter(|cover| cover.role == InsurerRole::Supplementary)
            .map(|cover| cover.insurer)
            .collect();
        let mut registering = BTreeSet::new();
        for insurer in insurers {
            let named = [insurer.as_str().into()];
            let Some(known) = db.fetch_optional(DOCUMENT, &named).await? else {
                continue;
            };
            let known: Participant = known.document("document")?;
            if known.contract.is_some_and(|own| own.registers) {
                registering.insert(insurer);
            }
        }
        let mut changes: BTreeMap<(AccountId, &ParticipantId), Vec<EndorsedCover>> =
            BTreeMap::new();
        for (place, cover) in &self.covers {
            let (member, account, plan, start) = *place;
            if !registering.contains(cover.insurer) {
                continue;
            }
            let own = changes.entry((account, cover.insurer)).or_default();
            own.push(EndorsedCover {
                member,
                plan: plan.clone(),
                relationship: cover.relationship,
                start,
                end: cover.end_on,
                suspended: cover.suspended != 0,
                added: !self.known_covers.contains(place),
            });
        }
        let fresh: BTreeSet<Id> = self.new_accounts.iter().map(|new| new.id).collect();
        let mut registrations = Vec::new();
        for ((account, insurer), covers) in changes {
            let mut register = |what| {
                registrations.push(NewRegistration {
                    id: RegistrationId((self.fresh)()),
                    insurer: insurer.clone(),
                    account,
                    what,
                    at,
                });
            };
            register(NewSubject::Policy);
            if !fresh.contains(&account.into()) {
                register(NewSubject::Endorsement(covers));
            }
        }
        Ok(registrations)
    }

    async fn write(self, to: &mut Db<'_>) -> Result<(), StoreError> {
        let persons: Vec<_> = self.persons.into_values().collect();
        let covers: Vec<_> = self.covers.into_values().collect();
        put(to, &persons).await?;
        put(to, &self.new_identifiers).await?;
        put(to, &self.new_accounts).await?;
        put(to, &covers).await
    }
}

async fn known_plans(
    db: &mut Db<'_>,
) -> Result<HashSet<(bool, PlanId, ParticipantId)>, StoreError> {
    let rows = db
        .fetch_all("select distinct role, id, insurer from plan", &[])
        .await?;
    let read = |row: &Row| {
        let role: InsurerRole = row.named("role")?;
        Ok((
            role == InsurerRole::Base,
            row.named("id")?,
            row.named("insurer")?,
        ))
    };
    rows.iter().map(read).collect()
}

async fn known_identifiers(
    db: &mut Db<'_>,
    enrolments: &[Enrolment],
    blind: &Blind,
) -> Result<HashMap<Id, MemberId>, StoreError> {
    let all = enrolments
        .iter()
        .flat_map(|enrolment| &enrolment.member.identifiers);
    let distinct: BTreeSet<_> = blind.of_persons(all).collect();
    let distinct: Vec<_> = distinct.into_iter().collect();
    members_named(db, &distinct).await
}

async fn known_accounts<'a>(
    db: &mut Db<'_>,
    enrolments: &'a [Enrolment],
) -> Result<HashMap<Certificate<'a>, AccountId>, StoreError> {
    let sql = over!(
        insurer text, policy text, certificate text;
        "select batch.place, account.id
         from batch
         join account on account.insurer = batch.insurer and account.policy = batch.policy
             and account.certificate = batch.certificate"
    );
    let distinct: BTreeSet<_> = enrolments.iter().map(certificate).collect();
    let distinct: Vec<_> = distinct.into_iter().collect();
    let mut accounts = HashMap::new();
    for row in db.ask(sql, &distinct).await? {
        if let Some(certificate) = distinct.get(row.number::<usize>("place")?) {
            accounts.insert(*certificate, AccountId(row.uuid("id")?));
        }
    }
    Ok(accounts)
}
