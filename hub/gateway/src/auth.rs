//! Who is calling: decided here and nowhere else, from what a request presents, into one [`Identity`].
//!
//! Today a request presents an API key. A client certificate or a token of an authorisation server becomes one
//! more way to the same identity.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use takmil_domain::ids::ParticipantId;
use takmil_domain::participant::{Participant, Role};
use takmil_store::{Caller, Scope, Staff, Store, StoreError};

use crate::code::{Code, Failure};
use crate::config::Limits;
use crate::faces::App;

/// How every API key begins, so that scanners for leaked secrets find it.
const KEY_PREFIX: &str = "tk_";

/// A fresh API key and its hash. The hash is kept; the key is shown once.
pub(crate) fn fresh_key() -> (String, [u8; 32]) {
    let bits: [u8; 32] = rand::random();
    let key = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bits));
    let hash = hash(&key);
    (key, hash)
}

/// The hash by which a key is known. A key has 256 random bits, so a plain hash keeps it secret; looking it up
/// by its hash takes the same time whichever key is near.
pub(crate) fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
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
}

impl Identity {
    fn of(caller: Caller) -> Identity {
        let id = caller.participant.id.clone();
        let scope = match caller.participant.role {
            Role::Provider => Scope::Provider(id),
            Role::Insurer => Scope::Insurer(id),
            Role::Regulator => Scope::Regulator,
            Role::Operator => Scope::Hub,
        };
        Identity {
            participant: Arc::new(caller.participant),
            person: caller.staff.map(Arc::new),
            scope,
        }
    }

    /// The participant, where it has one of the roles.
    ///
    /// # Errors
    /// [`Code::Forbidden`] where it has none of them.
    pub(crate) fn role(&self, roles: &[Role]) -> Result<&Arc<Participant>, Failure> {
        match roles.contains(&self.participant.role) {
            true => Ok(&self.participant),
            false => Err(Failure::from(Code::Forbidden)),
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

/// What a request presented, as far as it was looked at.
#[derive(Clone)]
enum Presented {
    Nothing,
    Unknown,
    Known(Identity),
    Unchecked(Arc<StoreError>),
}

/// Looks at what a request presents. It turns nobody away: each face says so in its own words.
pub(crate) async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let presented = match bearer(request.headers()) {
        None => Presented::Nothing,
        Some(key) => match app.keys.holder(&app.store, key).await {
            Ok(Some(identity)) => Presented::Known(identity),
            Ok(None) => Presented::Unknown,
            Err(error) => Presented::Unchecked(Arc::new(error)),
        },
    };
    request.extensions_mut().insert(presented);
    next.run(request).await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// Who is calling, counted against what the participant may send.
///
/// # Errors
/// [`Code::Credentials`] where nobody is known by what was presented; [`Code::Rate`] beyond the limit.
pub(crate) fn admit(app: &App, extensions: &Extensions) -> Result<Identity, Failure> {
    match extensions.get::<Presented>() {
        Some(Presented::Known(identity)) => {
            app.rates.take(&identity.participant.id)?;
            Ok(identity.clone())
        }
        Some(Presented::Unchecked(error)) => Err(Failure {
            cause: Some(Arc::clone(error) as _),
            ..Failure::busy(1)
        }),
        Some(Presented::Unknown) => Err(Failure::from(Code::Credentials)),
        Some(Presented::Nothing) | None => Err(Failure::new(
            Code::Credentials,
            "send Authorization: Bearer tk_…",
        )),
    }
}

impl FromRequestParts<App> for Identity {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Identity, Failure> {
        admit(app, &parts.extensions)
    }
}

/// How long a key's holder is remembered: so long a revoked key may still open.
const REMEMBERED: Duration = Duration::from_secs(5);

/// How many keys are remembered. Only keys that open are, so that guesses push none out.
const MAX_REMEMBERED: usize = 10_000;

/// The keys that were seen of late, so that not every request asks the database.
#[derive(Default)]
pub(crate) struct Keys {
    seen: Mutex<HashMap<[u8; 32], (Identity, Instant)>>,
}

impl Keys {
    async fn holder(&self, store: &Store, key: &str) -> Result<Option<Identity>, StoreError> {
        let hash = hash(key);
        if let Some(identity) = self.remembered(&hash) {
            return Ok(Some(identity));
        }
        let Some(caller) = store.participant_by_key(&hash).await? else {
            return Ok(None);
        };
        let identity = Identity::of(caller);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_REMEMBERED {
            seen.clear();
        }
        seen.insert(hash, (identity.clone(), Instant::now()));
        Ok(Some(identity))
    }

    fn remembered(&self, hash: &[u8; 32]) -> Option<Identity> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (identity, since) = seen.get(hash)?;
        (since.elapsed() < REMEMBERED).then(|| identity.clone())
    }
}

/// How many requests each participant may send.
pub(crate) struct Rates {
    limiter: DefaultKeyedRateLimiter<ParticipantId>,
    clock: DefaultClock,
}

impl Rates {
    /// The rates that a configuration allows.
    pub(crate) fn new(limits: &Limits) -> Rates {
        let count = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota =
            Quota::per_second(count(limits.requests_per_second)).allow_burst(count(limits.burst));
        Rates {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
        }
    }

    fn take(&self, participant: &ParticipantId) -> Result<(), Failure> {
        self.limiter.check_key(participant).map_err(|later| {
            let wait = later.wait_time_from(self.clock.now());
            Failure {
                retry_after_s: Some(wait.as_secs().saturating_add(1)),
                ..Failure::from(Code::Rate)
            }
        })
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
        assert_eq!(hash(&one), one_hash);
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

    #[test]
    fn one_participants_haste_leaves_the_others_alone() {
        let rates = Rates::new(&Limits {
            requests_per_second: 1,
            burst: 2,
            streams_per_insurer: 1,
        });
        let id = |text| ParticipantId::parse(text).unwrap();
        assert!(rates.take(&id("a")).is_ok() && rates.take(&id("a")).is_ok());
        let failure = rates.take(&id("a")).unwrap_err();
        assert_eq!((failure.code, failure.retry_after_s), (Code::Rate, Some(1)));
        assert!(rates.take(&id("b")).is_ok());
    }
}
