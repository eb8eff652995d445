//! A store with two insurers, two providers, a plan and an enrolled family; and messages to put into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use takmil_domain::coverage::{EnrolledMember, Enrolment};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{
    AccountId, DeliveryId, Identifier, LimitCode, MemberId, MessageId, ParticipantId, PlanId,
};
use takmil_domain::life::{self, Event, State};
use takmil_domain::limit::{EntryKind, LimitKey};
use takmil_domain::message::Kind;
use takmil_domain::participant::{Participant, Purpose, Role};
use takmil_domain::party::InsurerRole;
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit, Plan, Relationship};
use takmil_store::{
    Batch, Constraint, Enrolled, Leg, MessageUpdate, NewDelivery, NewEntry, NewLimit, NewMessage,
    OwnerKey, Random, ReservationChange, ReservationState, Scope, Sent, Store, StoreError,
};

use crate::bench::{Backend, Bench};

pub(crate) const NOW: Instant = Instant(1_760_000_000_000_000);

/// Different at every call, the same in every run.
pub(crate) fn random() -> Random {
    let count = AtomicU64::new(1);
    Arc::new(move || {
        let mut bits = [0; 10];
        bits[2..].copy_from_slice(&count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        bits
    })
}

pub(crate) fn id(name: &str) -> ParticipantId {
    ParticipantId::parse(name).unwrap()
}

pub(crate) fn insurer(name: &str) -> Scope {
    Scope::Insurer(id(name))
}

pub(crate) fn provider(name: &str) -> Scope {
    Scope::Provider(id(name))
}

pub(crate) fn participant(name: &str, role: Role) -> Participant {
    Participant {
        id: id(name),
        title: format!("{name} (sample)"),
        role,
        identifiers: vec![Identifier::new("urn:licence", name)],
        currency: None,
        sector: None,
        networks: Vec::new(),
        contract: None,
        callback: None,
    }
}

pub(crate) fn plan(name: &str, version: u32, owner: &str) -> Plan {
    let text = format!(
        r#"{{"id":"{name}","version":{version},"insurer":"{owner}","title":"Sample plan",
            "currency":"IRR","from":"2025-01-01","benefits":[],
            "limits":[{{"id":"year","title":"Yearly","ceiling":1000}}]}}"#
    );
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

pub(crate) fn enrolment(owner: &str, certificate: &str, national_id: &str) -> Enrolment {
    Enrolment {
        insurer: id(owner),
        role: InsurerRole::Supplementary,
        order: 1,
        policy: "policy-1".to_owned(),
        certificate: certificate.to_owned(),
        member: EnrolledMember {
            identifiers: vec![Identifier::new("urn:national", national_id)],
            name: Some("Sample Person".to_owned()),
            birth_date: Some(day("1980-05-17")),
            sex: None,
        },
        relationship: Relationship::Principal,
        plan: PlanId::parse(&format!("{owner}-plan")).unwrap(),
        start: day("2025-03-21"),
        end: None,
        suspended: false,
        prior_cover: false,
        group_size: None,
    }
}

/// A store to work with.
pub(crate) struct House {
    pub(crate) store: Store,
    /// Where the store is.
    pub(crate) bench: Bench,
    /// Enrolled with `alpha`.
    pub(crate) member: MemberId,
    pub(crate) account: AccountId,
    /// The member's key.
    pub(crate) owner_key: OwnerKey,
    messages: AtomicU64,
}

/// Insurers `alpha` and `beta`, providers `clinic` and `pharmacy`, one member of `alpha`.
pub(crate) async fn house(on: Backend) -> House {
    let bench = Bench::new(on).await;
    let store = bench.open().await;
    for name in ["alpha", "beta"] {
        let insurer = participant(name, Role::Insurer);
        store.upsert_participant(&insurer).await.unwrap();
        let plan = plan(&format!("{name}-plan"), 1, name);
        store.upsert_plan(&Scope::Hub, &plan).await.unwrap();
    }
    for name in ["clinic", "pharmacy"] {
        let provider = participant(name, Role::Provider);
        store.upsert_participant(&provider).await.unwrap();
    }
    let enrolments = [enrolment("alpha", "certificate-1", "0012345679")];
    let enrolled = store.enrol(&Scope::Hub, &enrolments, NOW).await.unwrap();
    let Enrolled {
        member, account, ..
    } = enrolled[0].clone().unwrap();
    let known = store.known_members(&[member]).await.unwrap();
    House {
        owner_key: known[0].key.clone(),
        store,
        bench,
        member,
        account,
        messages: AtomicU64::new(1),
    }
}

impl House {
    pub(crate) fn fresh(&self) -> MessageId {
        let mut bits = [0; 10];
        let count = self.messages.fetch_add(1, Ordering::Relaxed);
        bits[2..].copy_from_slice(&count.to_be_bytes());
        // A millisecond apart, so that they sort as they were made.
        MessageId::new(NOW.plus_ms(count), bits)
    }

    /// A claim of `sender` of which `alpha` owes a share.
    pub(crate) fn claim(&self, sender: &str) -> NewMessage {
        let id = self.fresh();
        NewMessage {
            id,
            sender: self::id(sender),
            kind: Kind::Claim,
            format: "native".into(),
            state: State::Decided,
            received_at: NOW,
            answered_at: NOW.plus_ms(3),
            member: Some(self.member),
            key: self.owner_key.clone(),
            insurers: vec![self::id("alpha")],
            deadline: None,
            digest: [7; 32],
            sent: Sent::new(b"{\"the\":\"original\"}", b"{\"the\":\"canonical\"}").unwrap(),
            identifiers: vec![Identifier::new("urn:claims", id.to_string())],
            prescription: Vec::new(),
            past: None,
            keys: vec![format!("key:{id}")],
            answer: format!("{{\"answer\":\"{id} پاسخ\"}}"),
            legs: vec![leg("received", None), leg("decided", None)],
        }
    }

    pub(crate) fn key(&self, code: &str) -> LimitKey {
        LimitKey {
            account: self.account,
            member: Some(self.member),
            insurer: id("alpha"),
            code: LimitCode::parse(code).unwrap(),
            stretch: "2025-03-21".into(),
        }
    }

    pub(crate) fn limit(&self, code: &str, ceiling: i64, message: MessageId) -> NewLimit {
        NewLimit {
            key: self.key(code),
            kind: LimitKind::Ceiling,
            unit: LimitUnit::Money,
            per: LimitPer::Year,
            ceiling,
            version: 1,
            message,
        }
    }

    pub(crate) fn entry(
        &self,
        code: &str,
        message: MessageId,
        kind: EntryKind,
        amount: i64,
    ) -> NewEntry {
        let reserves = matches!(kind, EntryKind::Reserve | EntryKind::Release);
        NewEntry {
            key: self.key(code),
            message,
            turn: 1,
            line: 1,
            kind,
            amount,
            reservation: reserves.then_some(message),
            at: NOW,
        }
    }

    /// Writes a batch in a turn of its own.
    pub(crate) async fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut turn = self.store.begin().await?;
        turn.write(batch).await?;
        turn.commit().await
    }

    /// Takes a claim that consumes `amount` of a new limit `code`.
    pub(crate) async fn consumed(&self, code: &str, ceiling: i64, amount: i64) -> MessageId {
        let claim = self.claim("clinic");
        let message = claim.id;
        let batch = Batch {
            limits: vec![self.limit(code, ceiling, message)],
            entries: vec![self.entry(code, message, EntryKind::Consume, amount)],
            messages: vec![claim],
            ..Batch::default()
        };
        self.write(&batch).await.unwrap();
        message
    }

    /// Takes an admission that reserves `amount` of a new limit `code` until `until`.
    pub(crate) async fn reserved(
        &self,
        code: &str,
        ceiling: i64,
        amount: i64,
        until: &str,
    ) -> MessageId {
        let admission = self.claim("clinic");
        let message = admission.id;
        let batch = Batch {
            limits: vec![self.limit(code, ceiling, message)],
            reservations: vec![reservation(message, until, ReservationState::Open)],
            entries: vec![self.entry(code, message, EntryKind::Reserve, amount)],
            messages: vec![admission],
            ..Batch::default()
        };
        self.write(&batch).await.unwrap();
        message
    }

    /// Another hub in the same database.
    pub(crate) async fn neighbour(&self) -> Store {
        self.bench.open().await
    }

    pub(crate) async fn in_order(&self) {
        assert_eq!(self.store.check_ledger().await.unwrap(), []);
        assert_eq!(self.store.check_book().await.unwrap(), []);
    }
}

pub(crate) fn reservation(
    message: MessageId,
    until: &str,
    state: ReservationState,
) -> ReservationChange {
    ReservationChange {
        message,
        expires_on: day(until),
        state,
    }
}

pub(crate) fn leg(what: &'static str, who: Option<&str>) -> Leg {
    Leg {
        at: NOW,
        what: what.into(),
        who: who.map(id),
        detail: None,
    }
}

pub(crate) fn update(message: MessageId, from: State, to: State, turn: u32) -> MessageUpdate {
    let leads = |event: &&Event| life::may(Some(from), **event, to, Kind::Claim);
    MessageUpdate {
        id: message,
        kind: Kind::Claim,
        from,
        event: *Event::ALL.iter().find(leads).unwrap_or(&Event::Heard),
        to,
        turn,
        at: NOW.plus_ms(1_000),
        deadline: None,
        answer: Some(format!("{{\"turn\":{turn}}}")),
        legs: vec![leg("went on", None)],
    }
}

pub(crate) fn delivery(number: u8, to: &str, claim: MessageId, message: MessageId) -> NewDelivery {
    NewDelivery {
        id: DeliveryId::new(NOW, [number; 10]),
        insurer: id(to),
        claim,
        message,
        turn: 1,
        kind: Kind::Claim,
        purpose: Purpose::Decided,
        created_at: NOW,
        due_at: NOW,
    }
}

/// The constraint that was broken.
pub(crate) fn broken(error: StoreError) -> Constraint {
    match error {
        StoreError::Broken { constraint } => constraint,
        other => panic!("{other}"),
    }
}
