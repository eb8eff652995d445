//! What connections ask of a server, and whether what comes back is an answer to it.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::bodies::{Bodies, Sent};
use crate::error::Error;
use crate::wire::Reply;

/// The header that says that an answer was given before.
const REPLAYED: &str = "idempotency-replayed";

/// One answer of a connection in so many is read as a whole: reading each would cost the generator more than sending.
const READ_EVERY: usize = 256;

/// How many limits every admission must at least have touched.
const LEAST_LIMITS: usize = 3;

/// Of so many stays one is called off, and its admission taken back.
const STAYS_PER_CANCEL: usize = 10;

/// What one request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Is this member covered? Recorded, nothing reserved.
    Check,
    /// An admission: decided, reserved, recorded.
    Admission,
    /// The answer to a message, asked for again.
    Read,
    /// The claim of an admission: decided, what was reserved is used.
    Claim,
    /// An admission is taken back.
    Cancel,
    /// A claim in FHIR: decided, drawn from limits, recorded.
    FhirClaim,
    /// An admission, read and validated and nothing more.
    Validation,
    /// An admission, thrown away by a server that does nothing else.
    Hello,
    /// A claim in FHIR, kept by a server that does no more than that.
    Stored,
}

impl Ask {
    /// The name of a row of figures.
    pub fn name(self) -> &'static str {
        match self {
            Ask::Check => "checks of cover",
            Ask::Admission => "admissions",
            Ask::Read => "answers read again",
            Ask::Claim => "claims",
            Ask::Cancel => "cancels",
            Ask::FhirClaim => "FHIR claims",
            Ask::Validation => "read and validated alone",
            Ask::Hello => "hello alone",
            Ask::Stored => "FHIR claims stored alone",
        }
    }

    /// Whether each is a message that the hub decides, and counts as such.
    pub fn is_decided(self) -> bool {
        matches!(self, Ask::Admission | Ask::Claim | Ask::FhirClaim)
    }

    /// Where messages of this kind are sent to.
    fn path(self) -> &'static str {
        match self {
            Ask::Check => "/v1/eligibility",
            Ask::Admission | Ask::Cancel => "/v1/admissions",
            Ask::Read => "/v1/messages",
            Ask::Claim => "/v1/claims",
            Ask::FhirClaim => "/fhir/Claim/$submit",
            Ask::Validation => "/v1/messages/$validate",
            Ask::Hello => "/",
            Ask::Stored => "/Claim",
        }
    }

    /// Whether the sender's key goes with it, as with everything that the hub takes.
    fn is_keyed(self) -> bool {
        !matches!(self, Ask::Validation | Ask::Hello | Ask::Stored | Ask::Read)
    }

    fn media_type(self) -> &'static str {
        match self {
            Ask::FhirClaim | Ask::Stored => "application/fhir+json",
            _ => "application/json",
        }
    }

    fn good(self) -> StatusCode {
        match self {
            Ask::Stored => StatusCode::CREATED,
            _ => StatusCode::OK,
        }
    }
}

/// What the connections of a run ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// The same again and again. Reads, claims and cancels, which need an earlier message, are part of stays alone.
    One(Ask),
    /// Stays: is the member covered, the admission, its answer read, the claim, its answer read; one admission in
    /// ten is taken back instead of being claimed.
    Stays,
}

impl Errand {
    /// The name of a row of figures.
    pub fn name(self) -> &'static str {
        match self {
            Errand::One(ask) => ask.name(),
            Errand::Stays => "stays, all requests",
        }
    }
}

/// A request, ready to be sent.
#[derive(Debug)]
pub struct Request {
    /// What it asks for.
    pub ask: Ask,
    /// Where.
    pub path: Cow<'static, str>,
    /// What its body is.
    pub media_type: &'static str,
    /// The sender's own key of it.
    pub key: Option<String>,
    /// The body; none where something is read.
    pub body: Option<String>,
}

/// Where a stay is.
#[derive(Debug)]
enum Stay {
    /// Nobody has asked yet.
    Begins,
    /// The member is covered.
    Covered,
    /// The admission was answered, under this id of the hub.
    Admitted(Sent, String),
    /// The admission's answer was read.
    Treated(Sent, String),
    /// The claim or cancel was answered, under this id.
    Over(String),
}

/// Somebody at a counter: asks one thing after the other, over one connection.
#[derive(Debug)]
pub struct Desk {
    errand: Errand,
    bodies: Arc<Bodies>,
    stay: Stay,
    /// What was sent last, where the next request needs it.
    sent: Option<Sent>,
    stays: usize,
    answers: usize,
}

impl Desk {
    /// A desk on an errand.
    pub fn new(errand: Errand, bodies: Arc<Bodies>) -> Desk {
        Desk {
            errand,
            bodies,
            stay: Stay::Begins,
            sent: None,
            stays: 0,
            answers: 0,
        }
    }

    /// The next request.
    pub fn request(&mut self) -> Request {
        match self.errand {
            Errand::One(ask) => self.one(ask),
            Errand::Stays => self.next_of_stay(),
        }
    }

    fn one(&self, ask: Ask) -> Request {
        match ask {
            Ask::FhirClaim | Ask::Stored => request(ask, self.bodies.fhir_claim()),
            Ask::Check => request(ask, self.bodies.check()),
            Ask::Validation | Ask::Hello => request(ask, self.bodies.admission()),
            Ask::Admission | Ask::Read | Ask::Claim | Ask::Cancel => {
                request(Ask::Admission, self.bodies.admission())
            }
        }
    }

    fn next_of_stay(&mut self) -> Request {
        match &self.stay {
            Stay::Begins => self.one(Ask::Check),
            Stay::Covered => {
                let admission = self.bodies.admission();
                self.sent = Some(admission.clone());
                request(Ask::Admission, admission)
            }
            Stay::Admitted(_, id) | Stay::Over(id) => Request {
                ask: Ask::Read,
                path: format!("{}/{id}", Ask::Read.path()).into(),
                media_type: "application/json",
                key: None,
                body: None,
            },
            Stay::Treated(admission, id) if self.stays.is_multiple_of(STAYS_PER_CANCEL) => {
                Request {
                    ask: Ask::Cancel,
                    path: format!("{}/{id}/cancel", Ask::Cancel.path()).into(),
                    media_type: "application/json",
                    key: Some(format!("{}-x", admission.number)),
                    body: Some("{}".to_owned()),
                }
            }
            Stay::Treated(admission, _) => request(Ask::Claim, self.bodies.claim(admission)),
        }
    }

    /// Takes what came back, and says whether it is a good answer. After any other a stay begins anew.
    ///
    /// # Errors
    /// [`Error::Answer`] where it has the status of a good one, and is none.
    pub fn heard(&mut self, ask: Ask, reply: &Reply) -> Result<bool, Error> {
        if reply.status != ask.good() {
            self.stay = Stay::Begins;
            return Ok(false);
        }
        inspect(ask, reply, self.answers.is_multiple_of(READ_EVERY))?;
        self.answers += 1;
        if self.errand == Errand::Stays {
            self.go_on(ask, reply)?;
        }
        Ok(true)
    }

    fn go_on(&mut self, ask: Ask, reply: &Reply) -> Result<(), Error> {
        let before = std::mem::replace(&mut self.stay, Stay::Begins);
        self.stay = match (before, ask) {
            (Stay::Begins, _) => Stay::Covered,
            (Stay::Covered, _) => match self.sent.take() {
                Some(admission) => Stay::Admitted(admission, id(reply)?),
                None => Stay::Begins,
            },
            (Stay::Admitted(admission, id), _) => {
                self.stays += 1;
                Stay::Treated(admission, id)
            }
            (Stay::Treated(..), _) => Stay::Over(id(reply)?),
            (Stay::Over(_), _) => Stay::Begins,
        };
        Ok(())
    }
}

/// A message on its way, under its number as key where the server keeps what it is sent.
pub(crate) fn request(ask: Ask, sent: Sent) -> Request {
    Request {
        ask,
        path: ask.path().into(),
        media_type: ask.media_type(),
        key: ask.is_keyed().then_some(sent.number),
        body: Some(sent.body),
    }
}

fn wrong<T>(ask: Ask, what: &str) -> Result<T, Error> {
    Err(Error::Answer(format!("{}: {what}", ask.name())))
}

/// The hub's id of the message that was answered.
pub(crate) fn id(reply: &Reply) -> Result<String, Error> {
    // The id stands near the front: finding it costs less than reading all.
    let body = std::str::from_utf8(&reply.body).unwrap_or_default();
    let found = body
        .split_once("\"id\":\"")
        .and_then(|(_, rest)| rest.split_once('"'));
    match found {
        Some((id, _)) => Ok(id.to_owned()),
        None => Err(Error::Answer("it has no id".to_owned())),
    }
}

/// Whether an answer is one to what was asked, for the first time, with decisions and limits where there must be.
pub(crate) fn inspect(ask: Ask, reply: &Reply, wholly: bool) -> Result<(), Error> {
    if reply.headers.contains_key(REPLAYED) {
        return wrong(ask, "it had been sent before");
    }
    if !wholly || ask == Ask::Hello {
        return Ok(());
    }
    let Ok(answer) = serde_json::from_slice::<Value>(&reply.body) else {
        return wrong(ask, "the answer is no JSON");
    };
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let is_long = |pointer: &str| {
        let rows = answer.pointer(pointer).and_then(Value::as_array);
        rows.is_some_and(|rows| !rows.is_empty())
    };
    let is_good = match ask {
        Ask::Admission => text("state") == Some("decided") && reserved(&answer) >= LEAST_LIMITS,
        Ask::Claim => text("state") == Some("decided") && is_long("/decision/lines"),
        Ask::Check => is_long("/covers"),
        Ask::Cancel => text("kind") == Some("cancel"),
        Ask::FhirClaim => {
            text("resourceType") == Some("ClaimResponse")
                && text("outcome") == Some("complete")
                && is_long("/item/0/adjudication")
        }
        Ask::Stored => text("resourceType") == Some("Claim"),
        Ask::Read | Ask::Validation | Ask::Hello => answer.is_object(),
    };
    match is_good {
        true => Ok(()),
        false => wrong(ask, "the answer is not what it must be"),
    }
}

/// How many limits a decision has drawn on.
fn reserved(answer: &Value) -> usize {
    let remainders = answer
        .pointer("/decision/remainders")
        .and_then(Value::as_array);
    let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_i64);
    let drawn = |row: &&Value| number(row, "before") > number(row, "after");
    remainders.map_or(0, |rows| rows.iter().filter(drawn).count())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Ask, Bodies, Desk, Errand, inspect};
    use crate::wire::Reply;
    use hyper::header::{HeaderMap, HeaderValue};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use takmil_domain::date::Date;

    fn reply(answer: &Value, replayed: bool) -> Reply {
        let mut headers = HeaderMap::new();
        if replayed {
            headers.insert(super::REPLAYED, HeaderValue::from_static("true"));
        }
        Reply {
            status: hyper::StatusCode::OK,
            headers,
            body: answer.to_string().into_bytes(),
        }
    }

    #[test]
    fn only_a_fresh_decided_admission_with_reserved_limits_is_one() {
        let row = |after: i64| json!({"before": 10, "after": after});
        let answer = |state: &str, rows: &[i64]| {
            let remainders: Vec<Value> = rows.iter().map(|after| row(*after)).collect();
            json!({"state": state, "decision": {"remainders": remainders}})
        };
        let check = |answer: &Value, replayed: bool, wholly: bool| {
            inspect(Ask::Admission, &reply(answer, replayed), wholly).is_ok()
        };
        let good = answer("decided", &[4, 3, 2]);
        assert!(check(&good, false, true));
        assert!(!check(&good, true, false));
        assert!(!check(&answer("pended", &[4, 3, 2]), false, true));
        assert!(!check(&answer("decided", &[4, 3, 10]), false, true));
        assert!(!check(&json!("text"), false, true));
    }

    /// What a desk asks for in a hundred stays, where everything is answered as it must be.
    #[test]
    fn stays_have_the_mix_that_is_told() {
        let day = Date::parse("2026-11-21").unwrap();
        let mut desk = Desk::new(Errand::Stays, Arc::new(Bodies::new("r", day, 10)));
        let mut asked: BTreeMap<Ask, usize> = BTreeMap::new();
        for at in 0..500 {
            let request = desk.request();
            *asked.entry(request.ask).or_default() += 1;
            let read = request.path.strip_prefix("/v1/messages/");
            let earlier = format!("id-{}", at - 1);
            assert!(read.is_none_or(|id| id == earlier), "{read:?} at {at}");
            let row = json!({"before": 2, "after": 1});
            let answer = json!({
                "id": format!("id-{at}"), "kind": "cancel", "state": "decided", "covers": [{}],
                "decision": {"lines": [{}], "remainders": [row, row, row]},
            });
            assert!(desk.heard(request.ask, &reply(&answer, false)).unwrap());
        }
        let expected = [
            (Ask::Check, 100),
            (Ask::Admission, 100),
            (Ask::Read, 200),
            (Ask::Claim, 90),
            (Ask::Cancel, 10),
        ];
        assert_eq!(asked, BTreeMap::from(expected));
    }

    #[test]
    fn after_a_refusal_a_stay_begins_anew() {
        let day = Date::parse("2026-11-21").unwrap();
        let mut desk = Desk::new(Errand::Stays, Arc::new(Bodies::new("r", day, 10)));
        let request = desk.request();
        let covered = reply(&json!({"id": "1", "covers": [{}]}), false);
        assert!(desk.heard(request.ask, &covered).unwrap());
        assert_eq!(desk.request().ask, Ask::Admission);
        let mut busy = reply(&json!({}), false);
        busy.status = hyper::StatusCode::SERVICE_UNAVAILABLE;
        assert!(!desk.heard(Ask::Admission, &busy).unwrap());
        assert_eq!(desk.request().ask, Ask::Check);
    }
}
