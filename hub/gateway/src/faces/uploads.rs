//! Files that were uploaded, taken part by part as if each had come in a request of its own. Of several hubs on one database
//! one does it; where two do it at once, or one falls over in the middle, the key of a part gives it one effect.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use takmil_domain::ids::MessageId;
use takmil_domain::life::State;
use takmil_domain::message::Kind;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_engine::{Error, Outage, Outcome, Refusal, Submission};
use takmil_formats::recognise;
use takmil_store::{Constraint, DonePart, StoreError, UploadPart};

use super::{App, Phase, reached, submit};
use crate::code::Code;

/// The lease of the hub that takes uploads.
const LEASE: &str = "uploads";

/// For how long the lease is taken. Parts that wait longer for an insurer may be taken by another hub too, which is
/// answered as this one is; after a hub that died, uploads go on so much later.
const LEASE_MS: u64 = 15_000;

/// How often it is looked for what has come, and how long a failure is waited out.
const LOOK: Duration = Duration::from_millis(500);

/// How many parts of one file are taken at once: so many that waiting for insurers does not hold it up, and so few that
/// whoever stands at a counter does not feel them.
const AT_ONCE: u32 = 32;

/// What became of one message, as it is told.
#[derive(Serialize)]
struct Told {
    /// Where it stands in its part: a JSON pointer, empty where it is the whole of it.
    place: String,
    #[serde(flatten)]
    what: What,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What {
    Taken {
        message: MessageId,
        kind: Kind,
        state: State,
        repeated: bool,
    },
    Changed {
        code: &'static str,
        earlier: MessageId,
    },
    Refused {
        code: &'static str,
        problems: Vec<Problem>,
    },
}

impl Told {
    fn of(outcome: &Outcome) -> Told {
        let what = match &outcome.result {
            Ok(taken) => What::Taken {
                message: taken.answer.id,
                kind: taken.answer.kind,
                state: taken.answer.state,
                repeated: taken.repeated,
            },
            Err(Refusal::Changed { earlier }) => What::Changed {
                code: Code::Changed.code(),
                earlier: *earlier,
            },
            Err(Refusal::Invalid(problems)) => What::refused(problems.clone()),
        };
        Told {
            place: outcome.place.clone(),
            what,
        }
    }
}

impl What {
    fn refused(problems: Vec<Problem>) -> What {
        let first = problems
            .first()
            .map_or(ProblemCode::BadValue, |first| first.code);
        What::Refused {
            code: first.code(),
            problems,
        }
    }
}

/// Takes what was uploaded, for as long as the hub runs.
pub(crate) async fn run(app: App) {
    let outage = Outage::new("uploads cannot be taken; it is tried again");
    let holder = uuid::Builder::from_random_bytes(rand::random())
        .into_uuid()
        .to_string();
    let mut phase = app.phase.clone();
    let working = async {
        loop {
            let rest = match round(&app, &holder).await {
                Ok(rest) => {
                    outage.went_well();
                    rest
                }
                Err(error) => {
                    outage.failed(&error);
                    Some(LOOK)
                }
            };
            if let Some(rest) = rest {
                tokio::time::sleep(rest).await;
            }
        }
    };
    tokio::select! {
        () = working => {}
        () = reached(&mut phase, Phase::Stopping) => {}
    }
    // Another hub, or this one again, need not wait for the end of the lease.
    if let Err(error) = app.store.release(LEASE, &holder).await {
        tracing::debug!(%error, "the lease of uploads ends by itself");
    }
}

/// Takes the next parts, and says how long to rest before those after them.
async fn round(app: &App, holder: &str) -> Result<Option<Duration>, Error> {
    let (store, now) = (&app.store, app.engine.now());
    if !store.lease(LEASE, holder, now, LEASE_MS).await? {
        return Ok(Some(LOOK));
    }
    let parts = store.open_parts(AT_ONCE).await?;
    if parts.is_empty() {
        return Ok(Some(LOOK));
    }
    let taken = join_all(parts.into_iter().map(|part| take(app, part))).await;
    let (mut done, mut rest, mut failed) = (Vec::new(), None, None);
    for outcome in taken {
        match outcome {
            Ok(part) => done.push(part),
            Err(Error::TooMany { retry_after_ms } | Error::Overloaded { retry_after_ms }) => {
                rest = rest.max(Some(Duration::from_millis(retry_after_ms)));
            }
            Err(error) => failed = Some(error),
        }
    }
    match store.record_parts(&done, app.engine.now()).await {
        // Another hub was quicker: what it recorded stands.
        Ok(())
        | Err(StoreError::Broken {
            constraint: Constraint::UploadPart | Constraint::UploadDone,
        }) => {}
        Err(error) => return Err(error.into()),
    }
    failed.map_or(Ok(rest), Err)
}

/// Takes one part.
async fn take(app: &App, part: UploadPart) -> Result<DonePart, Error> {
    let UploadPart {
        upload,
        number,
        sender,
        body,
    } = part;
    let done = |told: &[Told]| {
        let refused = told
            .iter()
            .filter(|own| !matches!(own.what, What::Taken { .. }))
            .count();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(DonePart {
            upload,
            number,
            taken: count(told.len().saturating_sub(refused)),
            refused: count(refused),
            results: serde_json::to_string(told).map_err(|_| Error::Unwritable)?,
        })
    };
    let whole = |problem: Problem| Told {
        place: String::new(),
        what: What::refused(vec![problem]),
    };
    let catalog = app.engine.catalog();
    // A sender that has left the hub meanwhile sends nothing more.
    let Some(sender) = catalog.participant(&sender).map(Arc::clone) else {
        let detail = "the sender is no participant any more";
        return done(&[whole(Problem::new(
            ProblemCode::DanglingReference,
            "",
            detail,
        ))]);
    };
    let Some(format) = recognise(None, &body) else {
        let code = ProblemCode::UnknownFormat;
        return done(&[whole(Problem::new(code, "", code.meaning()))]);
    };
    let submission = Submission {
        sender,
        format,
        expect: None,
        body,
        idempotency_key: Some(format!("upload:{upload}:{number}")),
        received_at: app.engine.now(),
    };
    match app.engine.submit(submission).await {
        Ok(outcomes) => {
            outcomes
                .iter()
                .for_each(|outcome| submit::count(app, format, outcome));
            done(&outcomes.iter().map(Told::of).collect::<Vec<_>>())
        }
        Err(Error::UnreadableBody(problem)) => done(&[whole(problem)]),
        Err(error) => Err(error),
    }
}
