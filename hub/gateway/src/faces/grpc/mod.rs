//! The gRPC face: the hub's service for insurers, health and reflection, on the same port as the others.

mod deliveries;
pub(crate) mod desks;
mod history;
mod plans;
mod pull;
mod settlement;

use futures::StreamExt;
use takmil_domain::audit::Receipt;
use takmil_domain::problem::Problem;
use takmil_formats::MAX_BODY_BYTES;
use takmil_insurers::grpc::{coverage, decision, delivery};
use takmil_proto::v1::hub_service_server::{HubService, HubServiceServer};
use takmil_proto::v1::settlement_service_server::SettlementServiceServer;
use takmil_proto::v1::{self, submit_decisions_response, upsert_coverages_response};
use takmil_proto::{FILE_DESCRIPTOR_SET, MAX_DELIVERY_BYTES};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::decisions::decide;
use super::rest::enrol_problem;
use super::{App, Phase, reached};
use crate::auth::{self, Identity};
use crate::code::{Code, Failure};

/// How many rows are taken in one transaction: enough to share it widely, few enough to answer soon.
const BATCH: usize = 500;

/// How many answers may wait for a slow insurer to read them before its rows wait, too.
const UNREAD: usize = 2 * BATCH;

/// Adds the services to the routes of the other faces.
///
/// # Errors
/// If the descriptors for reflection cannot be read.
pub(crate) async fn add(
    routes: Routes,
    app: &App,
) -> Result<Routes, tonic_reflection::server::Error> {
    let hub = HubServiceServer::new(Hub { app: app.clone() })
        .max_decoding_message_size(MAX_BODY_BYTES)
        .max_encoding_message_size(MAX_DELIVERY_BYTES);
    let book = SettlementServiceServer::new(settlement::Book { app: app.clone() })
        .max_decoding_message_size(MAX_BODY_BYTES);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<HubServiceServer<Hub>>().await;
    health
        .set_serving::<SettlementServiceServer<settlement::Book>>()
        .await;
    let mut phase = app.phase.clone();
    tokio::spawn(async move {
        reached(&mut phase, Phase::Leaving).await;
        health.set_not_serving::<HubServiceServer<Hub>>().await;
        health
            .set_not_serving::<SettlementServiceServer<settlement::Book>>()
            .await;
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    Ok(routes
        .add_service(hub)
        .add_service(book)
        .add_service(health_service)
        .add_service(reflection))
}

/// The hub's service for insurers.
struct Hub {
    app: App,
}

/// The insurer that calls, as it was let in.
fn insurer<T>(request: &Request<T>) -> Result<Identity, Failure> {
    let admitted = request.extensions().get::<Identity>().cloned();
    admitted.ok_or_else(|| Failure::from(Code::Credentials))
}

/// Answers each row of a stream, in their order, while whoever sends them may. An error, which is the last answer,
/// ends it.
fn one_by_one<Q, A, F>(
    app: &App,
    identity: Identity,
    mut rows: Streaming<Q>,
    take: impl Fn(App, Identity, u64, Q) -> F + Send + 'static,
) -> Response<ReceiverStream<Result<A, Status>>>
where
    Q: Send + 'static,
    A: Send + 'static,
    F: Future<Output = Result<A, Status>> + Send,
{
    let (tell, told) = mpsc::channel(UNREAD);
    let app = app.clone();
    tokio::spawn(async move {
        let mut row = 0;
        while let Some(received) = rows.next().await {
            row += 1;
            let answer = match (received, auth::still(&app, &identity).await) {
                (Ok(received), Ok(())) => take(app.clone(), identity.clone(), row, received).await,
                (Err(status), _) => Err(status),
                (_, Err(failure)) => Err(failure.into()),
            };
            let is_last = answer.is_err();
            if tell.send(answer).await.is_err() || is_last {
                return;
            }
        }
    });
    Response::new(ReceiverStream::new(told))
}

#[tonic::async_trait]
impl HubService for Hub {
    type UpsertCoveragesStream = ReceiverStream<Result<v1::UpsertCoveragesResponse, Status>>;
    type SubmitDecisionsStream = ReceiverStream<Result<v1::SubmitDecisionsResponse, Status>>;
    type DeliveriesStream = ReceiverStream<Result<v1::DeliveriesResponse, Status>>;
    type SubmitPlansStream = ReceiverStream<Result<v1::SubmitPlansResponse, Status>>;
    type HistoryStream = ReceiverStream<Result<v1::HistoryResponse, Status>>;

    async fn upsert_coverages(
        &self,
        request: Request<Streaming<v1::UpsertCoveragesRequest>>,
    ) -> Result<Response<Self::UpsertCoveragesStream>, Status> {
        let identity = insurer(&request)?;
        let (tell, told) = mpsc::channel(UNREAD);
        let app = self.app.clone();
        tokio::spawn(async move {
            let mut batches = request.into_inner().ready_chunks(BATCH);
            let mut row = 0;
            while let Some(batch) = batches.next().await {
                let answers = match auth::still(&app, &identity).await {
                    Ok(()) => take_covers(&app, &identity, batch, &mut row).await,
                    Err(failure) => vec![Err(failure.into())],
                };
                for answer in answers {
                    let is_last = answer.is_err();
                    if tell.send(answer).await.is_err() || is_last {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(told)))
    }

    async fn submit_decisions(
        &self,
        request: Request<Streaming<v1::SubmitDecisionsRequest>>,
    ) -> Result<Response<Self::SubmitDecisionsStream>, Status> {
        let identity = insurer(&request)?;
        Ok(one_by_one(
            &self.app,
            identity,
            request.into_inner(),
            take_decision,
        ))
    }

    async fn deliveries(
        &self,
        request: Request<Streaming<v1::DeliveriesRequest>>,
    ) -> Result<Response<Self::DeliveriesStream>, Status> {
        let identity = insurer(&request)?;
        let desk = self.app.desks.open(&identity.participant.id)?;
        let (tell, told) = mpsc::channel(deliveries::UNREAD);
        tokio::spawn(deliveries::serve(
            self.app.clone(),
            identity,
            desk,
            request.into_inner(),
            tell,
        ));
        Ok(Response::new(ReceiverStream::new(told)))
    }

    async fn pull(
        &self,
        request: Request<v1::PullRequest>,
    ) -> Result<Response<v1::PullResponse>, Status> {
        let identity = insurer(&request)?;
        let most = request.into_inner().most;
        let pulled = pull::pull(&self.app, &identity, most).await?;
        Ok(Response::new(pulled))
    }

    async fn acknowledge(
        &self,
        request: Request<v1::AcknowledgeRequest>,
    ) -> Result<Response<v1::AcknowledgeResponse>, Status> {
        let identity = insurer(&request)?;
        let acks = request.into_inner().acks;
        let noted = pull::acknowledged(&self.app, &identity, acks).await?;
        Ok(Response::new(noted))
    }

    async fn submit_plans(
        &self,
        request: Request<Streaming<v1::SubmitPlansRequest>>,
    ) -> Result<Response<Self::SubmitPlansStream>, Status> {
        let identity = insurer(&request)?;
        Ok(one_by_one(
            &self.app,
            identity,
            request.into_inner(),
            plans::take,
        ))
    }

    async fn history(
        &self,
        request: Request<v1::HistoryRequest>,
    ) -> Result<Response<Self::HistoryStream>, Status> {
        let identity = insurer(&request)?;
        let (tell, told) = mpsc::channel(UNREAD);
        let after = request.into_inner().updated_after;
        tokio::spawn(history::tell(self.app.clone(), identity, after, tell));
        Ok(Response::new(ReceiverStream::new(told)))
    }
}

type CoverAnswers = Vec<Result<v1::UpsertCoveragesResponse, Status>>;

/// Takes the covers of a batch in one transaction. An error, which is the last answer, ends the stream.
async fn take_covers(
    app: &App,
    identity: &Identity,
    batch: Vec<Result<v1::UpsertCoveragesRequest, Status>>,
    row: &mut u64,
) -> CoverAnswers {
    let insurer = &identity.participant.id;
    let read: Vec<_> = batch
        .into_iter()
        .map(|received| {
            Ok(coverage::read(
                &received?.coverage.unwrap_or_default(),
                insurer,
            ))
        })
        .collect();
    let sound: Vec<_> = read.iter().flatten().flatten().cloned().collect();
    let mut taken = match app
        .store
        .enrol(&identity.scope, &sound, app.engine.now())
        .await
    {
        Ok(taken) => taken.into_iter(),
        Err(error) => return vec![Err(Failure::from(error).into())],
    };
    let mut answer = |received| {
        *row += 1;
        let enrolled = match received {
            Err(status) => return Err(status),
            Ok(Err(problem)) => Err(problem),
            Ok(Ok(_)) => match taken.next() {
                Some(enrolled) => enrolled.map_err(|refusal| enrol_problem(&refusal, "")),
                None => return Err(Failure::from(Code::Internal).into()),
            },
        };
        let result = match enrolled {
            Ok(enrolled) => upsert_coverages_response::Result::Taken(v1::CoverageTaken {
                account_id: enrolled.account.to_string(),
                member_id: enrolled.member.to_string(),
                changed: enrolled.changed,
            }),
            Err(problem) => upsert_coverages_response::Result::Problem(wire_problem(&problem)),
        };
        Ok(v1::UpsertCoveragesResponse {
            row: *row,
            result: Some(result),
        })
    };
    read.into_iter().map(&mut answer).collect()
}

async fn take_decision(
    app: App,
    identity: Identity,
    row: u64,
    received: v1::SubmitDecisionsRequest,
) -> Result<v1::SubmitDecisionsResponse, Status> {
    let wire = received.decision.unwrap_or_default();
    let message_id = wire.message_id.clone();
    let taken = decide(&app, &identity, decision::read(&wire)).await;
    let result = match taken {
        Ok(receipt) => submit_decisions_response::Result::Taken(v1::DecisionTaken {
            state: delivery::state(receipt.answer.state).into(),
            repeated: receipt.repeated,
            under_review: receipt.under_review,
            superseded: receipt.superseded,
            receipt: receipt.receipt.as_deref().map_or_else(String::new, written),
        }),
        // What is wrong with one decision is its own result; what is wrong with the hub ends the stream.
        Err(failure) if failure.code.http().is_server_error() => return Err(failure.into()),
        Err(failure) => submit_decisions_response::Result::Problem(wire_failure(&failure)),
    };
    Ok(v1::SubmitDecisionsResponse {
        row,
        message_id,
        result: Some(result),
    })
}

/// A receipt as JSON.
fn written(receipt: &Receipt) -> String {
    serde_json::to_string(receipt).unwrap_or_default()
}

fn wire_failure(failure: &Failure) -> v1::Problem {
    let first = failure.problems.first();
    v1::Problem {
        code: failure.public_code().to_owned(),
        pointer: first.map_or_else(String::new, |problem| problem.pointer.clone()),
        detail: failure.sentence().to_owned(),
    }
}

fn wire_problem(problem: &Problem) -> v1::Problem {
    v1::Problem {
        code: problem.code.code().to_owned(),
        pointer: problem.pointer.clone(),
        detail: problem.detail.clone(),
    }
}
