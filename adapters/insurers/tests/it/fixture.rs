//! One claim of two lines, what the hub proposes for it, and insurers to ask about it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use takmil_conformance::insurer::{Script, Setup, Simulator, Wire};
use takmil_domain::answer::Answer;
use takmil_domain::date::Instant;
use takmil_domain::ids::{DeliveryId, ParticipantId};
use takmil_domain::participant::{Delivery, Endpoint, InsurerDecision, Purpose, Transport};
use takmil_insurers::{TransportError, Transports};
use uuid::Uuid;

pub(crate) const INSURER: &str = "asia";
pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// Long enough for a busy machine, and short enough to notice a hang.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);

/// The hub's proposal: the insurer pays 243,609 and 9 of 1,118,000 rials.
pub(crate) fn proposal() -> Answer {
    let line = |seq, billed: i64, base: i64, share: i64| {
        json!({
            "seq": seq, "billed": billed, "allowed": billed, "base": base, "written_off": 0,
            "supplementary": [{"insurer": INSURER, "amount": share, "allowed": billed, "benefit": "drugs"}],
            "member": billed - base - share,
            "reasons": ["BASE-PAID"],
            "trace": [{"step": 11, "insurer": INSURER, "reason": "SHARE-PAID", "rule": "drugs@3",
                "before": 0, "after": share, "inputs": [["rate", "0.1"]]}]
        })
    };
    let decision = json!({
        "currency": "IRR",
        "lines": [line(1, 1_000_000, 700_000, 243_609), line(2, 118_000, 82_600, 9)],
        "totals": {"billed": 1_118_000, "allowed": 1_118_000, "base": 782_600,
            "supplementary": [[INSURER, 243_618]], "written_off": 0, "member": 91_782},
        "remainders": [{"key": {"account": Uuid::from_u128(5), "member": Uuid::from_u128(6), "insurer": INSURER,
            "code": "drugs", "stretch": "2026-03-21"}, "kind": "ceiling", "unit": "money", "per": "year",
            "ceiling": 10_000_000, "before": 9_000_000, "after": 8_756_382}],
        "basis": [{"insurer": INSURER, "plan": "gold", "version": 3}],
        "decided_by": "hub"
    });
    let answer = json!({
        "id": Uuid::from_u128(1), "kind": "claim", "state": "consulting",
        "received_at": 1_795_000_000_000_001_i64, "answered_at": 1_795_000_000_000_901_i64,
        "decision": decision
    });
    serde_json::from_value(answer).unwrap()
}

/// What the pharmacy sent.
fn message() -> serde_json::Value {
    json!({
        "kind": "claim", "schema": "1",
        "identifiers": [{"system": "urn:pharmacy", "value": "R-1"}],
        "correlates": [{"relation": "prescription", "identifier": {"value": "P-9"}}],
        "occurred_on": "2026-11-21", "currency": "IRR",
        "member": {"identifiers": [{"system": "urn:ir:national-id", "value": "0012345679"}], "name": "سارا",
            "birth_date": "1990-05", "sex": "female"},
        "provider": {"identifiers": [{"system": "urn:licence", "value": "77"}], "name": "داروخانه"},
        "claim": {"bill": {
            "class": "pharmacy",
            "encounter": {"class": "outpatient", "identifiers": [{"system": "urn:visit", "value": "V-3"}]},
            "diagnoses": [{"coded": {"source": {"system": "urn:icd10", "code": "E11.9"}}}],
            "lines": [
                {"seq": 1, "item": {"source": {"system": "urn:irc", "code": "123"}, "text": "insulin",
                    "common": {"system": "urn:rxnorm", "code": "5856"}}, "serviced": {"start": "2026-11-21"},
                    "quantity": "2.5", "unit": "vial", "unit_price": 400_000, "billed": 1_000_000,
                    "base": {"paid": 700_000}, "authorisation": "A-4"},
                {"seq": 2, "item": {"text": "needles"}, "unit_price": 59_000, "quantity": 2,
                    "details": [{"seq": 1, "item": {"text": "long"}}]}
            ],
            "total": 1_118_000
        }}
    })
}

pub(crate) fn delivery(number: u128, purpose: Purpose) -> Delivery {
    let document = json!({"message": message(), "answer": proposal()});
    Delivery {
        id: DeliveryId(Uuid::from_u128(number)),
        insurer: ParticipantId::parse(INSURER).unwrap(),
        purpose,
        message: proposal().id,
        kind: proposal().kind,
        sequence: 1,
        created_at: Instant(1_795_000_000_000_950),
        document: document.to_string(),
    }
}

pub(crate) fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Instant(i64::try_from(since.as_micros()).unwrap())
}

pub(crate) fn endpoint(transport: Transport, url: impl Into<String>) -> Endpoint {
    Endpoint {
        transport,
        url: url.into(),
        ca_pem: None,
        secret: (transport == Transport::Rest).then(|| SECRET.to_owned()),
        former: None,
    }
}

/// A simulated insurer and the hub's entry for it.
pub(crate) struct Insurer {
    pub(crate) simulator: Simulator,
    pub(crate) endpoint: Endpoint,
}

impl Insurer {
    pub(crate) async fn start(transport: Transport, script: Script) -> Insurer {
        let setup = setup(transport);
        let simulator = Simulator::start(Setup { script, ..setup }).await.unwrap();
        let endpoint = endpoint(transport, simulator.url());
        Insurer {
            simulator,
            endpoint,
        }
    }

    pub(crate) async fn ask(
        &self,
        transports: &Transports,
        deadline: Duration,
    ) -> Result<InsurerDecision, TransportError> {
        let delivery = delivery(7, Purpose::Decide);
        transports
            .decide(&self.endpoint, &delivery, &proposal(), deadline, now())
            .await
    }
}

pub(crate) fn setup(transport: Transport) -> Setup {
    let wire = match transport {
        Transport::Grpc => Wire::Grpc,
        Transport::Rest => Wire::Rest {
            secret: SECRET.to_owned(),
        },
    };
    Setup::new(INSURER, wire)
}

/// What every test is run over.
pub(crate) const WIRES: [Transport; 2] = [Transport::Grpc, Transport::Rest];
