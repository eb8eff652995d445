//! A hub with one or two insurers, a clock that can be told to pass days, and messages to send.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use std::time::SystemTime;

use serde_json::{Value, json};
use takmil_conformance::insurer::{Setup, Simulator, Wire};
use takmil_domain::audit::{Algorithm, KeyName, Signer};
use takmil_domain::clinical;
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{DeliveryId, Identifier, MemberId, MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::message::Kind;
use takmil_domain::participant::{Participant, Purpose};
use takmil_engine::{
    Config, Engine, MoneyStanding, Outcome, Parts, Refusal, Seen, Settlement, Spoken, Submission,
    Taken,
};
use takmil_insurers::Transports;
use takmil_mappings::Tables;
use takmil_store::{
    Batch, FileKeys, KeyProvider as _, NewDelivery, NewMessage, OwnerKey, Place, Resolution, Scope,
    Sent, Store, StoreConfig,
};

/// What every rig's clinical rules go by.
static CLINICAL: LazyLock<Arc<clinical::Tables>> = LazyLock::new(|| {
    let tables = takmil_mappings::clinical::tables(&Tables::shipped());
    Arc::new(tables.unwrap())
});

/// A hub under test.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    clock: Arc<AtomicI64>,
    provider: Arc<Participant>,
    keys: Arc<FileKeys>,
    /// What was last added up of what is owed and late.
    pub(crate) money: Arc<Mutex<Option<MoneyStanding>>>,
    /// Of the members' keys, and of the list of those who were erased.
    _folder: tempfile::TempDir,
}

/// How an insurer of the rig answers.
pub(crate) enum Insurer<'a> {
    /// The hub answers for it.
    Delegated,
    /// It is asked.
    Consulted(&'a Simulator),
    /// It is asked; while it is silent the hub answers up to an amount per visit and per day.
    StandIn(&'a Simulator, i64, i64),
}

impl Rig {
    /// A hub whose member "m-1" is covered by the given insurers "i-1", "i-2"… in this order, each with a
    /// franchise of 10 % and a yearly ceiling.
    pub(crate) async fn new(insurers: &[(Insurer<'_>, i64)]) -> Rig {
        let config = Config {
            retry_first_ms: 20,
            retry_most_ms: 100,
            retry_refused_ms: 100,
            ..Config::default()
        };
        Rig::with(insurers, config).await
    }

    /// The same, by other settings.
    pub(crate) async fn with(insurers: &[(Insurer<'_>, i64)], settings: Config) -> Rig {
        let bits = Arc::new(AtomicU64::new(1));
        let random = Arc::new(move || {
            let mut bytes = [0; 10];
            bytes[2..].copy_from_slice(&bits.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            bytes
        });
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("member.keys");
        FileKeys::make(&keys, [1; 32]).unwrap();
        let keys = FileKeys::read(&keys, folder.path().join("erased")).unwrap();
        let keys = Arc::new(keys);
        let config = StoreConfig {
            place: Place::Temporary,
            readers: 4,
            random: random.clone(),
            keys: Arc::<FileKeys>::clone(&keys),
        };
        let store = Store::open(&config).await.unwrap();
        // The wall clock: simulated insurers refuse webhooks that were signed at another time than theirs.
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_micros();
        let start = Instant(i64::try_from(wall).unwrap());
        let clock = Arc::new(AtomicI64::new(start.0));
        let provider: Participant = from(
            json!({"id": "clinic", "title": "Clinic", "role": "provider", "currency": "IRR", "networks": ["i-1", "i-2"]}),
        );
        store.upsert_participant(&provider).await.unwrap();
        for (at, (insurer, ceiling)) in insurers.iter().enumerate() {
            let id = format!("i-{}", at + 1);
            let participant = json!({"id": id, "title": id, "role": "insurer", "contract": contract(insurer, at)});
            store.upsert_participant(&from(participant)).await.unwrap();
            store
                .upsert_plan(&Scope::Hub, &from(plan(&id, *ceiling)))
                .await
                .unwrap();
            let enrolments = ["m-1", "m-2"].map(|member| from(enrolment(&id, at + 1, member)));
            for enrolled in store.enrol(&Scope::Hub, &enrolments, start).await.unwrap() {
                enrolled.unwrap();
            }
        }
        let money = Arc::new(Mutex::new(None));
        let told = Arc::clone(&money);
        let (now, started) = (Arc::clone(&clock), std::time::Instant::now());
        let parts = Parts {
            store,
            tables: Tables::shipped(),
            clinical: Arc::clone(&CLINICAL),
            transports: Transports::new(),
            clock: Arc::new(move || {
                Instant(
                    now.load(Ordering::Relaxed)
                        + i64::try_from(started.elapsed().as_micros()).unwrap(),
                )
            }),
            random,
            log: Signer::of_seed(
                KeyName::parse("rig.example/audit").unwrap(),
                Algorithm::Ed25519,
                &[7; 32],
            )
            .unwrap(),
            config: Config {
                clock_ms: 20,
                ..settings
            },
            settlement: Settlement::default(),
            observe: Arc::new(move |seen| {
                if let Seen::Money(standing) = seen {
                    *told.lock().unwrap() = Some(standing.clone());
                }
            }),
        };
        Rig {
            engine: Engine::start(parts).await.unwrap(),
            clock,
            provider: Arc::new(provider),
            keys,
            money,
            _folder: folder,
        }
    }

    /// Lets an insurer listen at a simulator's from now on, by terms of its contract; delegated where they say nothing else.
    pub(crate) async fn listens(&self, insurer: &str, simulator: &Simulator, terms: Value) {
        let url = simulator.url();
        let transport = if insurer == "i-1" { "grpc" } else { "rest" };
        let mut contract = json!({
            "mode": "delegated",
            "endpoint": {"transport": transport, "url": url, "secret": SECRET},
        });
        let terms = terms.as_object().cloned().unwrap_or_default();
        contract.as_object_mut().unwrap().extend(terms);
        let entry =
            json!({"id": insurer, "title": insurer, "role": "insurer", "contract": contract});
        let store = self.engine.store();
        store.upsert_participant(&from(entry)).await.unwrap();
        self.engine.refresh().await.unwrap();
    }

    /// Gives the member "m-1" a base insurer, "b-1", whose tariff prices "S1" at 100 and which pays 40 % of that; it is asked
    /// by a contract.
    pub(crate) async fn has_base_insurer(&self, simulator: &Simulator, deadline_ms: u64) {
        let contract = json!({
            "mode": "consulted", "deadline_ms": deadline_ms,
            "endpoint": {"transport": "grpc", "url": simulator.url()},
        });
        let entry = json!({"id": "b-1", "title": "b-1", "role": "insurer", "contract": contract});
        let tariff = json!({
            "id": "b-1-tariff", "version": 1, "title": "Test", "currency": "IRR", "from": "2026-01-01",
            "prices": [{"code": {"system": "urn:test:services", "code": "S1"}, "price": 100}],
        });
        let plan = json!({
            "id": "b-1-plan", "version": 1, "insurer": "b-1", "title": "Test", "currency": "IRR",
            "from": "2026-01-01", "tariff": "b-1-tariff",
            "rates": [{"codes": {"prefix": ""}, "rate": "40%"}],
        });
        let mut cover = enrolment("b-1", 1, "m-1");
        cover["role"] = json!("base");
        let store = self.engine.store();
        store.upsert_participant(&from(entry)).await.unwrap();
        store
            .upsert_tariff(&Scope::Hub, &from(tariff))
            .await
            .unwrap();
        store
            .upsert_base_plan(&Scope::Hub, &from(plan))
            .await
            .unwrap();
        let now = self.engine.now();
        let enrolled = store.enrol(&Scope::Hub, &[from(cover)], now).await.unwrap();
        enrolled[0].as_ref().unwrap();
        self.engine.refresh().await.unwrap();
    }

    /// Gives the member "m-1" a supplementary cover of its base insurer, too, before all others.
    pub(crate) async fn completes_itself(&self, insurer: &str) {
        let mut document = plan(insurer, 1_000);
        document["id"] = json!(format!("{insurer}-more"));
        let mut cover = enrolment(insurer, 0, "m-1");
        (cover["plan"], cover["certificate"]) = (document["id"].clone(), json!("C-more"));
        let (store, now) = (self.engine.store(), self.engine.now());
        store
            .upsert_plan(&Scope::Hub, &from(document))
            .await
            .unwrap();
        let enrolled = store.enrol(&Scope::Hub, &[from(cover)], now).await.unwrap();
        enrolled[0].as_ref().unwrap();
        self.engine.refresh().await.unwrap();
    }

    /// Lets the provider be told at an address, from now on, how its messages go on.
    pub(crate) async fn provider_listens(&self, url: &str) {
        let mut provider = Participant::clone(&self.provider);
        provider.callback = Some(from(
            json!({"transport": "rest", "url": url, "secret": SECRET}),
        ));
        let store = self.engine.store();
        store.upsert_participant(&provider).await.unwrap();
        self.engine.refresh().await.unwrap();
    }

    /// Publishes a version of the first insurer's plan with another ceiling.
    pub(crate) async fn publish_version(&self, version: u32, ceiling: i64) {
        let mut document = plan("i-1", ceiling);
        document["version"] = json!(version);
        let first: Date = from(document["from"].clone());
        document["from"] = json!(first.add_days(version - 1));
        self.publish(document).await;
    }

    /// Gives an insurer's plan clinical terms, from its second version on.
    pub(crate) async fn publish_terms(&self, insurer: &str, terms: Value) {
        let mut document = plan(insurer, 1_000_000);
        document["version"] = json!(2);
        document["from"] = json!("2026-01-02");
        document["clinical"] = terms;
        self.publish(document).await;
    }

    async fn publish(&self, document: Value) {
        let store = self.engine.store();
        store
            .upsert_plan(&Scope::Hub, &from(document))
            .await
            .unwrap();
        self.engine.refresh().await.unwrap();
    }

    /// Who sends the messages.
    pub(crate) fn provider(&self) -> &Arc<Participant> {
        &self.provider
    }

    /// Lets days pass.
    pub(crate) fn pass_days(&self, days: i64) {
        self.clock
            .fetch_add(days * 86_400_000_000, Ordering::Relaxed);
    }

    /// Sends a message.
    pub(crate) async fn send(&self, message: Value) -> Outcome {
        self.send_with(message, None).await
    }

    pub(crate) async fn send_with(&self, message: Value, key: Option<&str>) -> Outcome {
        let mut outcomes = self.try_send(message, key).await.unwrap();
        outcomes.pop().unwrap()
    }

    /// Sends a message that the hub itself may fail on.
    pub(crate) async fn try_send(
        &self,
        message: Value,
        key: Option<&str>,
    ) -> Result<Vec<Outcome>, takmil_engine::Error> {
        self.engine.submit(self.submission(&message, key)).await
    }

    fn submission(&self, message: &Value, key: Option<&str>) -> Submission {
        Submission {
            sender: Arc::clone(&self.provider),
            format: &takmil_formats::native::FORMAT,
            expect: None,
            body: serde_json::to_vec(message).unwrap(),
            idempotency_key: key.map(str::to_owned),
            received_at: self.engine.now(),
        }
    }

    /// Another provider sends a message that is taken.
    pub(crate) async fn take_of(&self, provider: &str, message: Value) -> Arc<Spoken> {
        let provider: Participant = from(
            json!({"id": provider, "title": provider, "role": "provider", "currency": "IRR", "networks": ["i-1", "i-2"]}),
        );
        let store = self.engine.store();
        store.upsert_participant(&provider).await.unwrap();
        let submission = Submission {
            sender: Arc::new(provider),
            ..self.submission(&message, None)
        };
        let mut outcomes = self.engine.submit(submission).await.unwrap();
        taken(outcomes.pop().unwrap()).answer
    }

    /// Sends a message that is taken.
    pub(crate) async fn take(&self, message: Value) -> Arc<Spoken> {
        taken(self.send(message).await).answer
    }

    /// Leaves a claim in the store whose answer nobody can read back, as a fault of the disk might, and which is owed
    /// to insurers.
    pub(crate) async fn spoil(&self, number: &str, owed_to: &[&str]) -> MessageId {
        let key = self.engine.store().own_key().clone();
        self.leave(number, None, key, owed_to).await
    }

    /// Leaves a claim of the member "m-2", who is forgotten while it is owed to insurers: another hub was as fast as the
    /// erasure.
    pub(crate) async fn erase_meanwhile(&self, number: &str, owed_to: &[&str]) -> MessageId {
        let store = self.engine.store();
        let named = [Identifier::new("urn:test:member", "m-2")];
        let Resolution::Known(member) = store.resolve_member(&named).await.unwrap() else {
            panic!("the member is known")
        };
        let known = store.known_members(&[member]).await.unwrap().remove(0);
        let message = self.leave(number, Some(member), known.key, owed_to).await;
        self.keys.forget(member.0).await.unwrap();
        message
    }

    async fn leave(
        &self,
        number: &str,
        member: Option<MemberId>,
        key: OwnerKey,
        owed_to: &[&str],
    ) -> MessageId {
        let now = self.engine.now();
        let mut bits = [number.bytes().fold(0, u8::wrapping_add); 10];
        let id = MessageId::new(now, bits);
        let left = NewMessage {
            id,
            sender: self.provider.id.clone(),
            kind: Kind::Claim,
            format: "native".into(),
            state: State::Decided,
            received_at: now,
            answered_at: now,
            member,
            key,
            insurers: Vec::new(),
            deadline: None,
            digest: [0; 32],
            sent: Sent::new(b"{}", b"{}").unwrap(),
            identifiers: vec![Identifier::new("urn:test:messages", number)],
            prescription: Vec::new(),
            past: None,
            keys: Vec::new(),
            answer: "{}".to_owned(),
            legs: Vec::new(),
        };
        let owe = |insurer: &&str| {
            bits[9] = bits[9].wrapping_add(1);
            NewDelivery {
                id: DeliveryId::new(now, bits),
                insurer: insurer_id(insurer),
                claim: id,
                message: id,
                turn: 1,
                kind: Kind::Claim,
                purpose: Purpose::Decided,
                created_at: now,
                due_at: now,
            }
        };
        let batch = Batch {
            outbox: owed_to.iter().map(owe).collect(),
            messages: vec![left],
            ..Batch::default()
        };
        let mut turn = self.engine.store().begin().await.unwrap();
        turn.write(&batch).await.unwrap();
        turn.commit().await.unwrap();
        id
    }

    /// What is left of an insurer's yearly ceiling for the member, in the ledger.
    pub(crate) async fn left(&self, insurer: &str) -> i64 {
        let store = self.engine.store();
        let known = store
            .resolve_member(&[Identifier::new("urn:test:member", "m-1")])
            .await
            .unwrap();
        let Resolution::Known(member) = known else {
            panic!("the member is known")
        };
        let standings = store
            .standings_of_member(&Scope::Hub, member)
            .await
            .unwrap();
        let own = standings
            .iter()
            .find(|own| own.key.insurer == insurer_id(insurer) && own.key.code.as_str() == "year");
        own.map(|own| own.standing.left())
            .expect("the limit has been used")
    }

    /// Σ entries = standings, whatever has happened.
    pub(crate) async fn assert_ledger_is_sound(&self) {
        assert_eq!(
            self.engine.store().check_ledger().await.unwrap(),
            Vec::new()
        );
        assert_eq!(self.engine.store().check_book().await.unwrap(), Vec::new());
    }
}

pub(crate) fn insurer_id(id: &str) -> ParticipantId {
    ParticipantId::parse(id).unwrap()
}

pub(crate) fn taken(outcome: Outcome) -> Taken {
    outcome.result.unwrap()
}

pub(crate) fn refusal(outcome: Outcome) -> Refusal {
    outcome.result.unwrap_err()
}

/// Starts an insurer.
pub(crate) async fn insurer(id: &str, wire: Wire) -> Simulator {
    Simulator::start(Setup::new(id, wire)).await.unwrap()
}

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn contract(insurer: &Insurer<'_>, at: usize) -> Value {
    let endpoint = |simulator: &Simulator| {
        let url = simulator.url();
        // Insurer 1 of a test speaks gRPC, insurer 2 webhooks.
        json!({"transport": if at == 0 { "grpc" } else { "rest" }, "url": url, "secret": SECRET})
    };
    match insurer {
        Insurer::Delegated => json!({"mode": "delegated"}),
        Insurer::Consulted(simulator) => {
            json!({"mode": "consulted", "deadline_ms": 400, "endpoint": endpoint(simulator)})
        }
        Insurer::StandIn(simulator, per_visit, per_day) => json!({
            "mode": "stand_in", "deadline_ms": 400, "endpoint": endpoint(simulator),
            "stand_in": {"per_visit": per_visit, "per_day": per_day},
        }),
    }
}

fn plan(insurer: &str, ceiling: i64) -> Value {
    json!({
        "id": format!("{insurer}-plan"), "version": 1, "insurer": insurer, "title": "Test", "currency": "IRR", "from": "2026-01-01",
        "benefits": [
            {"id": "all", "title": "All", "codes": [{"prefix": ""}], "rate": "10%", "limits": ["year"]},
            {"id": "scan", "title": "Scans", "codes": [{"prefix": "MRI"}], "rate": "10%", "limits": ["year"], "authorisation": {"without": "refuse"}},
            {"id": "therapy", "title": "Therapy", "codes": [{"prefix": "PHY"}], "rate": "10%", "limits": ["year"], "authorisation": {"without": "pend"}},
        ],
        "exclusions": [{"title": "Cosmetic", "codes": [{"prefix": "COS"}]}],
        "limits": [{"id": "year", "title": "Year", "ceiling": ceiling}],
    })
}

fn enrolment(insurer: &str, order: usize, member: &str) -> Value {
    json!({
        "insurer": insurer, "role": "supplementary", "order": order, "policy": "P", "certificate": format!("C-{member}"),
        "member": {"identifiers": [{"system": "urn:test:member", "value": member}], "birth_date": "1980-01-01", "sex": "female"},
        "plan": format!("{insurer}-plan"), "start": "2026-01-01",
    })
}

/// A bill of one line.
pub(crate) fn bill(code: &str, billed: i64) -> Value {
    json!({"lines": [{"seq": 1, "item": {"source": {"system": "urn:test:services", "code": code}}, "billed": billed}]})
}

/// A message of a kind, with the sender's own number.
pub(crate) fn message(kind: &str, number: &str, body: Value) -> Value {
    json!({
        "kind": kind, "occurred_on": "2026-11-21", "currency": "IRR",
        "identifiers": [{"system": "urn:test:messages", "value": number}],
        "member": {"identifiers": [{"system": "urn:test:member", "value": "m-1"}]},
        kind: body,
    })
}

/// The same, belonging to an earlier one.
pub(crate) fn following(mut message: Value, relation: &str, number: &str) -> Value {
    message["correlates"] = json!([{"relation": relation, "identifier": {"system": "urn:test:messages", "value": number}}]);
    message
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}
