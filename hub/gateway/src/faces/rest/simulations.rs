//! Rehearsals over HTTP: an insurer's plan author asks what a period would have cost under a changed plan. The answer comes
//! as it is found, a JSON object a line; nothing of it is kept, and it ends with the connection.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io::{self, BufRead, BufReader};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;
use takmil_domain::clinical::Tables;
use takmil_domain::date::Date;
use takmil_domain::ids::ParticipantId;
use takmil_domain::money::Amount;
use takmil_domain::plan::Plan;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::rehearsal::{Baseline, Change, Failed, History, Options};
use takmil_domain::tariff::Tariff;
use takmil_engine::{ExtractError, Wanted, extract};
use takmil_portal::explain::Language;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{App, json as read_json};
use crate::auth::Identity;
use crate::code::{Chain, Code, Failure};
use crate::documents::{self, Document};
use crate::faces::reading;
use crate::faces::request::Payload;
use crate::rehearsed::{self, Teller};

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(simulate))
}

/// How many of the largest differences are explained.
const LARGEST: usize = 10;

/// Lines that lie ready for a reader who is slower than the rehearsal.
const LINES_READY: usize = 64;

/// When to come back where as many run as may: a year of an insurer takes about so long.
const RETRY_S: u64 = 30;

/// What to rehearse.
#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    plan: Option<Plan>,
    #[serde(default)]
    plans: Vec<Plan>,
    #[serde(default)]
    tariffs: Vec<Tariff>,
    from: Date,
    to: Date,
    #[serde(default)]
    premium: Option<Amount>,
    #[serde(default)]
    baseline: Side,
    #[serde(default)]
    language: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    #[default]
    Recomputed,
    Recorded,
}

/// A line of the answer.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Told<'a> {
    /// So many messages are done of those there are, where that is known.
    Progress {
        read: u64,
        judged: u64,
    },
    Summary(&'a Value),
    Difference(&'a Value),
    Problem {
        code: &'a str,
        detail: &'a str,
    },
}

/// Judges a period of the insurer's history again under a changed plan, and tells what would have come of it.
///
/// The answer is a JSON object a line: `progress` while it runs, one `summary` with the ten largest differences
/// explained, then each `difference`; or a `problem`, where it cannot go on. Nothing is kept. It ends when the connection
/// is closed. Only so many run at once. Of other insurers the reader sees sums without a name. The key must be a plan
/// author's.
#[utoipa::path(
    post, path = "/v1/simulations", tag = "insurers",
    request_body(description = "What is changed, and the period.", content = ref("#/components/schemas/simulation")),
    responses((
        status = 200, description = "What comes of it, line by line.", content_type = "application/x-ndjson",
        body = ref("#/components/schemas/simulation_line"),
    )),
)]
async fn simulate(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Response, Failure> {
    let insurer = &identity.participant.id;
    let request: Request = documents::read(Document::Simulation, &read_json(&payload)?, "")?;
    let (change, wanted) = checked(&request, insurer, app.config.limits.simulation_messages)?;
    let run = app.simulations.clone().try_acquire_owned();
    let permit = run.map_err(|_| Failure::busy(RETRY_S))?;
    let period = format!("history {} to {}", request.from, request.to);
    reading::record(&app, &identity, "simulate", period).await?;
    let options = Options {
        baseline: match request.baseline {
            Side::Recomputed => Baseline::Recomputed,
            Side::Recorded => Baseline::Recorded,
        },
        // Others are served meanwhile.
        threads: NonZeroUsize::MIN,
        viewer: Some(insurer.clone()),
        premium: request.premium,
        from: None,
        to: None,
        largest: LARGEST,
    };
    let run = Run {
        change,
        wanted,
        options,
        language: (request.language.as_deref())
            .and_then(Language::parse)
            .unwrap_or(Language::En),
    };
    let (lines, told) = mpsc::channel(LINES_READY);
    tokio::spawn(async move { run.start(&app, lines, permit).await });
    let body = Body::from_stream(ReceiverStream::new(told).map(Ok::<Bytes, Infallible>));
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, body).into_response())
}

/// What is asked for, where it can be rehearsed by this insurer.
fn checked(
    request: &Request,
    insurer: &ParticipantId,
    most: u64,
) -> Result<(Change, Wanted), Failure> {
    let mut problems = Vec::new();
    let bad = |pointer: String, detail: &str| Problem::new(ProblemCode::BadValue, pointer, detail);
    let own = |plan: &Plan| plan.insurer == *insurer;
    let foreign = "a plan is rehearsed by its own insurer";
    if request.plan.as_ref().is_some_and(|plan| !own(plan)) {
        problems.push(bad("/plan/insurer".to_owned(), foreign));
    }
    for (at, _) in request
        .plans
        .iter()
        .enumerate()
        .filter(|(_, plan)| !own(plan))
    {
        problems.push(bad(format!("/plans/{at}/insurer"), foreign));
    }
    for (at, tariff) in request.tariffs.iter().enumerate() {
        let contract = tariff.document().contract.as_ref();
        if contract.is_some_and(|contract| contract.insurer != *insurer) {
            let detail = "a price list is rehearsed by its own insurer";
            problems.push(bad(format!("/tariffs/{at}/contract/insurer"), detail));
        }
    }
    if request.to < request.from {
        let detail = "the period ends before it begins";
        let problem = Problem::new(ProblemCode::DateOrder, "/to", detail);
        problems.push(problem);
    }
    let change = Change {
        plans: request.plan.iter().chain(&request.plans).cloned().collect(),
        base_plans: Vec::new(),
        tariffs: request.tariffs.clone(),
    };
    let of_change = change.problems().into_iter();
    problems.extend(of_change.map(|problem| placed(problem, request.plan.is_some())));
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let wanted = Wanted {
        from: request.from,
        to: request.to,
        insurer: Some(insurer.clone()),
        most: Some(most),
    };
    Ok((change, wanted))
}

/// A problem of the change with its place in the request, where "plan" stands before "plans".
fn placed(mut problem: Problem, has_plan: bool) -> Problem {
    let Some(rest) = problem.pointer.strip_prefix("/plans/").filter(|_| has_plan) else {
        return problem;
    };
    let (at, rest) = match rest.split_once('/') {
        Some((at, rest)) => (at, format!("/{rest}")),
        None => (rest, String::new()),
    };
    problem.pointer = match at.parse::<usize>().ok().and_then(|at| at.checked_sub(1)) {
        Some(at) => format!("/plans/{at}{rest}"),
        None => format!("/plan{rest}"),
    };
    problem
}

/// A rehearsal that is to run.
struct Run {
    change: Change,
    wanted: Wanted,
    options: Options,
    language: Language,
}

impl Run {
    /// Reads the history, rehearses on it, and tells. Whoever waits for the permit waits for the end.
    async fn start(self, app: &App, lines: Sender<Bytes>, permit: OwnedSemaphorePermit) {
        let mut bytes = Vec::new();
        let secret = rand::random();
        let write = |ready, messages| {
            bytes.extend::<Vec<u8>>(ready);
            progress(&lines, messages, 0)
        };
        let tables = app.engine.clinical();
        match extract(&app.store, tables, None, &self.wanted, &secret, write).await {
            Ok(_) => {}
            // Nobody listens any more.
            Err(ExtractError::Write(_)) => return,
            Err(ExtractError::Full(most)) => {
                let detail =
                    format!("the period has more than {most} messages: ask for a shorter one");
                return tell_problem(&lines, Code::Size, &detail).await;
            }
            Err(error) => {
                tracing::error!("a rehearsal cannot read its history: {}", Chain(&error));
                return tell_problem(&lines, Code::Internal, Code::Internal.meaning()).await;
            }
        }
        let catalog = app.engine.catalog();
        let own = catalog.insurers();
        let names: Vec<(ParticipantId, String)> = own
            .filter(|own| self.wanted.insurer.as_ref() == Some(&own.id))
            .map(|own| (own.id.clone(), own.title.clone()))
            .collect();
        let engine = app.engine.clone();
        let work = move || {
            let _permit = permit;
            self.work(&bytes, engine.clinical(), &names, &lines)
        };
        // Where it panics, the stream ends without a summary.
        let _ = tokio::task::spawn_blocking(work).await;
    }

    fn work(
        &self,
        bytes: &[u8],
        tables: &Tables,
        names: &[(ParticipantId, String)],
        lines: &Sender<Bytes>,
    ) {
        let failed = |detail: &str| {
            let problem = Told::Problem {
                code: Code::Internal.code(),
                detail,
            };
            let _ = lines.blocking_send(line(&problem));
        };
        let history = match History::read(bytes) {
            Ok(history) => history,
            Err(corrupt) => {
                tracing::error!("a rehearsal cannot read its own extract: {corrupt}");
                return failed(Code::Internal.meaning());
            }
        };
        if let Some(problem) = self.change.problems_with(history.held()).first() {
            return failed(&problem.to_string());
        }
        let teller = Teller {
            language: self.language,
            insurers: names,
            change: &self.change,
            held: history.held(),
        };
        let all = history.messages();
        let done = rehearsed::run(
            &history,
            tables,
            &self.options,
            &teller,
            |done| match progress(lines, all, done) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            },
        );
        match done {
            Ok(mut done) => {
                let summary = done.summary();
                if lines.blocking_send(line(&Told::Summary(&summary))).is_ok() {
                    tell_differences(&mut done, lines);
                }
            }
            Err(rehearsed::Error::Failed(Failed::Stopped)) => {}
            Err(error) => {
                tracing::error!("a rehearsal failed: {}", Chain(&error));
                failed(Code::Internal.meaning());
            }
        }
    }
}

fn tell_differences(done: &mut rehearsed::Rehearsed, lines: &Sender<Bytes>) {
    for difference in BufReader::new(done).lines().map_while(Result::ok) {
        let Ok(difference) = serde_json::from_str(&difference) else {
            return;
        };
        if lines
            .blocking_send(line(&Told::Difference(&difference)))
            .is_err()
        {
            return;
        }
    }
}

async fn tell_problem(lines: &Sender<Bytes>, code: Code, detail: &str) {
    let problem = Told::Problem {
        code: code.code(),
        detail,
    };
    let _ = lines.send(line(&problem)).await;
}

/// Tells how far it is, where the reader is not behind; an error where nobody reads any more.
fn progress(lines: &Sender<Bytes>, read: u64, judged: u64) -> io::Result<()> {
    match lines.try_send(line(&Told::Progress { read, judged })) {
        Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

fn line(told: &Told<'_>) -> Bytes {
    let mut text = json!(told).to_string();
    text.push('\n');
    Bytes::from(text)
}

/// How many rehearsals run at once.
pub(crate) type Simulations = Arc<tokio::sync::Semaphore>;
