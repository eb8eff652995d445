//! Who is calling: decided here and nowhere else, from what a request presents, into one [`Identity`]; and held
//! against the table of who may call what ([`crate::access`]) before any face sees the request.

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::server::ParsedCertificate;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use takmil_domain::digest::sha256;
use takmil_domain::participant::{Participant, Role};
use takmil_store::{Caller, Scope, Staff, Store, StoreError};
use tonic::Status;

use crate::access::{self, Operation};
use crate::code::{Code, Failure};
use crate::config::ApiKeys;
use crate::faces::App;
use crate::listener::Peer;

/// How every API key begins, so that scanners for leaked secrets find it.
const KEY_PREFIX: &str = "tk_";

/// A fresh API key and its hash. The hash is kept; the key is shown once.
pub(crate) fn fresh_key() -> (String, [u8; 32]) {
    let bits: [u8; 32] = rand::random();
    let key = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bits));
    let hash = sha256(key.as_bytes());
    (key, hash)
}

/// A fresh secret to sign webhooks with, as the Standard Webhooks spell it.
pub(crate) fn fresh_secret() -> String {
    let bits: [u8; 32] = rand::random();
    format!("whsec_{}", STANDARD.encode(bits))
}

/// By what a sender is known. Its hash is what the store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Credential {
    /// An API key.
    ApiKey([u8; 32]),
    /// The public key of a client certificate.
    Certificate([u8; 32]),
}

impl Credential {
    /// A key as its holder writes it. It has 256 random bits, so a plain hash keeps it secret; looking it up by its
    /// hash takes the same time whichever key is near.
    ///
    /// `None` where it does not begin as keys do. So no public key, which everybody may know and whose DER begins
    /// with 0x30, can pass for an API key of the same hash.
    pub(crate) fn of_key(key: &str) -> Option<Credential> {
        let is_key = key.starts_with(KEY_PREFIX);
        is_key.then(|| Credential::ApiKey(sha256(key.as_bytes())))
    }

    /// A client certificate, known by its public key: that is what a handshake proves the possession of, while
    /// authority, dates and revocation were judged by the handshake itself. A certificate that is renewed on its key
    /// is therefore known at once; one on another key is registered beside the old one.
    ///
    /// # Errors
    /// If it is no certificate.
    pub(crate) fn of_certificate(
        certificate: &CertificateDer<'_>,
    ) -> Result<Credential, rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        Ok(Self::of_public_key(&parsed.subject_public_key_info()))
    }

    /// A public key, as certificates hold it.
    pub(crate) fn of_public_key(key: &SubjectPublicKeyInfoDer<'_>) -> Credential {
        Credential::Certificate(sha256(key.as_ref()))
    }

    /// What the store keeps of it.
    pub(crate) fn hash(&self) -> &[u8; 32] {
        match self {
            Credential::ApiKey(hash) | Credential::Certificate(hash) => hash,
        }
    }

    fn unknown(self) -> Failure {
        Failure::from(match self {
            Credential::ApiKey(_) => Code::Credentials,
            Credential::Certificate(_) => Code::Certificate,
        })
    }
}

/// Who is calling.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The participant.
    pub(crate) participant: Arc<Participant>,
    /// The person of it, where the credentials are a person's.
    pub(crate) person: Option<Arc<Staff>>,
    /// What may be seen.
    pub(crate) scope: Scope,
    /// By what it is known: the certificate, where a key came with one.
    credential: Credential,
}

impl Identity {
    fn of(caller: Caller, credential: Credential) -> Identity {
        let id = caller.participant.id.clone();
        let scope = match caller.participant.role {
            // The register calls nothing: whatever it could would show it nothing.
            Role::Provider | Role::Register => Scope::Provider(id),
            Role::Insurer => Scope::Insurer(id),
            Role::Regulator => Scope::Regulator,
            Role::Operator => Scope::Hub,
        };
        Identity {
            participant: Arc::new(caller.participant),
            person: caller.staff.map(Arc::new),
            scope,
            credential,
        }
    }

    /// A participant of this name that sees so much, for tests.
    #[cfg(test)]
    pub(crate) fn sample(name: &str, scope: Scope) -> Identity {
        let participant = serde_json::json!({"id": name, "title": name, "role": "operator"});
        #[expect(clippy::expect_used, reason = "a test fails by panicking")]
        let participant = serde_json::from_value(participant).expect("a participant");
        Identity {
            participant: Arc::new(participant),
            person: None,
            scope,
            credential: Credential::ApiKey([0; 32]),
        }
    }

    /// The person, where the credentials are a person's.
    ///
    /// # Errors
    /// [`Code::Forbidden`] where they are the participant's own.
    pub(crate) fn person(&self) -> Result<&Staff, Failure> {
        let needs = || Failure::new(Code::Forbidden, "this needs the key of a person");
        self.person.as_deref().ok_or_else(needs)
    }
}

/// Why a request is turned away. The face that it came to says so in its own words.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) Failure);

/// The layer around every face: whoever may not call what a request asks for is turned away. What passes carries
/// its [`Identity`], unless the operation is open to all.
pub(crate) async fn admit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let admitted = match question(&app, &request) {
        Ok(Some((operation, presented))) => enter(&app, operation, presented).await.map(Some),
        Ok(None) => Ok(None),
        Err(failure) => Err(failure),
    };
    match admitted {
        Ok(None) => {}
        Ok(Some(identity)) => {
            request.extensions_mut().insert(identity);
        }
        Err(failure) if grpc_path(&request).is_some() => {
            return Status::from(failure).into_http();
        }
        Err(failure) => {
            request.extensions_mut().insert(Refused(failure));
        }
    }
    next.run(request).await
}

/// What the router writes behind the name of a service over gRPC, whose calls it does not know.
const ANY_CALL: &str = "{*rest}";

/// The service and name of a call over gRPC.
fn grpc_path(request: &Request) -> Option<&str> {
    let matched = request.extensions().get::<MatchedPath>()?;
    let is_grpc = matched.as_str().ends_with(ANY_CALL);
    is_grpc.then(|| request.uri().path())
}

/// What a request asks for and what it presents; `None` where nobody has to present anything, or there is no such
/// address, which the router says.
fn question(
    app: &App,
    request: &Request,
) -> Result<Option<(&'static Operation, Presented)>, Failure> {
    let Some(matched) = request.extensions().get::<MatchedPath>() else {
        return Ok(None);
    };
    let path = grpc_path(request).unwrap_or(matched.as_str());
    let operation = access::find(request.method().as_str(), path);
    let operation = operation.ok_or_else(|| Failure::from(Code::Method))?;
    if operation.is_open(app.config.telemetry.metrics) {
        return Ok(None);
    }
    Ok(Some((operation, Presented::by(request)?)))
}

/// What a request presents to be known by.
struct Presented {
    certificate: Option<Credential>,
    key: Option<Credential>,
    address: Option<IpAddr>,
}

impl Presented {
    fn by(request: &Request) -> Result<Presented, Failure> {
        let peer = request.extensions().get::<Peer>();
        let key = bearer(request.headers()).map(|text| {
            let key = Credential::of_key(text);
            key.ok_or_else(|| Failure::from(Code::Credentials))
        });
        Ok(Presented {
            certificate: peer.and_then(|peer| peer.certificate),
            key: key.transpose()?,
            address: peer.map(|peer| peer.address),
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// Who is calling, counted against what the participant may send, and held against who may call the operation.
async fn enter(
    app: &App,
    operation: &Operation,
    presented: Presented,
) -> Result<Identity, Failure> {
    let identity = match (presented.certificate, presented.key) {
        (None, None) => {
            return Err(Failure::new(
                Code::Credentials,
                "send Authorization: Bearer tk_…, or come to the partner port with a certificate",
            ));
        }
        (Some(one), None) | (None, Some(one)) => app.holders.of(&app.store, one).await?,
        // A participant's system speaks for one of its people: the key is good on its own certificate's connection.
        (Some(certificate), Some(key)) => {
            let system = app.holders.of(&app.store, certificate).await?;
            let person = app.holders.of(&app.store, key).await?;
            if person.participant.id != system.participant.id {
                let detail = "the key is of another participant than the certificate";
                return Err(Failure::new(Code::Credentials, detail));
            }
            Identity {
                person: person.person,
                ..system
            }
        }
    };
    app.rates.take(&identity.participant.id).await?;
    operation.admit(&identity)?;
    let by_key = matches!(identity.credential, Credential::ApiKey(_));
    let lets_keys_in = lets_keys_in(app.config.listen.api_keys, presented.address);
    match by_key && operation.is_for_systems() && !lets_keys_in {
        true => Err(Failure::from(Code::NoCertificate)),
        false => Ok(identity),
    }
}

/// Whether an API key from there opens what is for systems.
fn lets_keys_in(api_keys: ApiKeys, address: Option<IpAddr>) -> bool {
    match api_keys {
        ApiKeys::Everywhere => true,
        ApiKeys::Loopback => address.is_some_and(|address| address.is_loopback()),
        ApiKeys::Never => false,
    }
}

impl FromRequestParts<App> for Identity {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Identity, Failure> {
        let admitted = parts.extensions.get::<Identity>().cloned();
        admitted.ok_or_else(|| Failure::from(Code::Credentials))
    }
}

/// Whether a caller is still who it was when it opened its stream: streams last for days, and credentials are
/// revoked meanwhile.
///
/// # Errors
/// As for a request that presents the credential now.
pub(crate) async fn still(app: &App, identity: &Identity) -> Result<(), Failure> {
    let credential = identity.credential;
    let holder = app.holders.of(&app.store, credential).await?;
    match holder.participant.id == identity.participant.id {
        true => Ok(()),
        false => Err(credential.unknown()),
    }
}

/// How long the holder of a credential is remembered: so long a revoked one may still open.
const REMEMBERED: Duration = Duration::from_secs(5);

/// How many credentials are remembered. Only such that open are, so that guesses push none out.
const MAX_REMEMBERED: usize = 10_000;

/// The holders that were seen of late, so that not every request asks the database.
#[derive(Default)]
pub(crate) struct Holders {
    seen: Mutex<HashMap<Credential, (Identity, Instant)>>,
}

impl Holders {
    /// Whom a credential opens for.
    ///
    /// # Errors
    /// [`Code::Credentials`] or [`Code::Certificate`] where it opens for nobody; [`Code::Busy`] where that cannot be
    /// found out now.
    async fn of(&self, store: &Store, credential: Credential) -> Result<Identity, Failure> {
        if let Some(identity) = self.remembered(credential) {
            return Ok(identity);
        }
        let caller = store.participant_by_key(credential.hash()).await;
        let unchecked = |error: StoreError| Failure {
            cause: Some(Arc::new(error)),
            ..Failure::busy(1)
        };
        let Some(caller) = caller.map_err(unchecked)? else {
            return Err(credential.unknown());
        };
        let identity = Identity::of(caller, credential);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_REMEMBERED {
            seen.clear();
        }
        seen.insert(credential, (identity.clone(), Instant::now()));
        Ok(identity)
    }

    /// Forgets all: another hub or a command may have changed what they may open.
    pub(crate) fn forget(&self) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn remembered(&self, credential: Credential) -> Option<Identity> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (identity, since) = seen.get(&credential)?;
        (since.elapsed() < REMEMBERED).then(|| identity.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn keys_are_long_distinct_and_known_by_their_hash() {
        let ((one, one_hash), (other, _)) = (fresh_key(), fresh_key());
        assert!(one.starts_with(KEY_PREFIX) && one.len() == KEY_PREFIX.len() + 43);
        assert_ne!(one, other);
        assert_eq!(Credential::of_key(&one), Some(Credential::ApiKey(one_hash)));
    }

    #[test]
    fn a_public_key_can_never_be_sent_as_an_api_key() {
        let made = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
        let certificate = Credential::of_certificate(made.cert.der()).unwrap();
        let parsed = ParsedCertificate::try_from(made.cert.der()).unwrap();
        let key = parsed.subject_public_key_info();
        assert_eq!(certificate, Credential::of_public_key(&key));
        assert_eq!(key.as_ref().first(), Some(&0x30), "DER of a sequence");
        assert_eq!(Credential::of_key(&String::from_utf8_lossy(&key)), None);
        assert_eq!(Credential::of_key("0"), None);
    }

    #[test]
    fn keys_open_what_is_for_systems_from_where_the_configuration_says() {
        for (address, everywhere, loopback) in [
            (Some("127.0.0.1"), true, true),
            (Some("::1"), true, true),
            (Some("10.0.0.7"), true, false),
            (Some("2001:db8::7"), true, false),
            (None, true, false),
        ] {
            let address = address.map(|address| address.parse().unwrap());
            assert_eq!(lets_keys_in(ApiKeys::Everywhere, address), everywhere);
            assert_eq!(lets_keys_in(ApiKeys::Loopback, address), loopback);
            assert!(!lets_keys_in(ApiKeys::Never, address));
        }
    }

    #[test]
    fn a_bearer_key_is_found_whatever_the_case_of_its_scheme() {
        let check = |value: &'static str, expected| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(bearer(&headers), expected, "{value}");
        };
        check("Bearer tk_x", Some("tk_x"));
        check("bearer  tk_x ", Some("tk_x"));
        check("Basic dGs=", None);
        check("tk_x", None);
    }
}
