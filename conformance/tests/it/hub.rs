//! A hub of a few lines: it takes every second cover, every decision, and owes five deliveries.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use takmil_proto::v1;
use takmil_proto::v1::deliveries_request::Request as Said;
use takmil_proto::v1::hub_service_server::{HubService, HubServiceServer};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

pub(crate) const KEY: &str = "key-of-asia";
const OWED: usize = 5;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[derive(Clone, Default)]
pub(crate) struct Hub {
    pub(crate) decisions: Arc<Mutex<Vec<v1::InsurerDecision>>>,
    pub(crate) acks: Arc<Mutex<Vec<v1::DeliveryAck>>>,
    /// The most deliveries that were on the way at once.
    pub(crate) widest: Arc<Mutex<usize>>,
}

impl Hub {
    /// Runs on a free port and returns the address.
    pub(crate) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = HubServiceServer::new(self.clone());
        let app = tonic::service::Routes::new(service).into_axum_router();
        tokio::spawn(async { axum::serve(listener, app).await });
        url
    }
}

fn admitted<T>(request: &Request<T>) -> Result<(), Status> {
    let given = request.metadata().get("authorization");
    let known = given.is_some_and(|given| given == format!("Bearer {KEY}").as_str());
    known
        .then_some(())
        .ok_or_else(|| Status::unauthenticated("no such key"))
}

#[tonic::async_trait]
impl HubService for Hub {
    type SubmitPlansStream = Answers<v1::SubmitPlansResponse>;
    type HistoryStream = Answers<v1::HistoryResponse>;

    async fn pull(
        &self,
        _: Request<v1::PullRequest>,
    ) -> Result<Response<v1::PullResponse>, Status> {
        Err(Status::unimplemented("not this hub"))
    }

    async fn acknowledge(
        &self,
        _: Request<v1::AcknowledgeRequest>,
    ) -> Result<Response<v1::AcknowledgeResponse>, Status> {
        Err(Status::unimplemented("not this hub"))
    }

    async fn submit_plans(
        &self,
        _: Request<Streaming<v1::SubmitPlansRequest>>,
    ) -> Result<Response<Self::SubmitPlansStream>, Status> {
        Err(Status::unimplemented("not this hub"))
    }

    async fn history(
        &self,
        _: Request<v1::HistoryRequest>,
    ) -> Result<Response<Self::HistoryStream>, Status> {
        Err(Status::unimplemented("not this hub"))
    }

    type UpsertCoveragesStream = Answers<v1::UpsertCoveragesResponse>;

    async fn upsert_coverages(
        &self,
        request: Request<Streaming<v1::UpsertCoveragesRequest>>,
    ) -> Result<Response<Self::UpsertCoveragesStream>, Status> {
        use v1::upsert_coverages_response::Result as Outcome;
        admitted(&request)?;
        let mut row = 0;
        let results = request.into_inner().map(move |sent| {
            let policy = sent?.coverage.unwrap_or_default().policy;
            row += 1;
            let result = match row % 2 {
                1 => Outcome::Taken(v1::CoverageTaken {
                    account_id: policy,
                    ..v1::CoverageTaken::default()
                }),
                _ => Outcome::Problem(v1::Problem {
                    pointer: "/policy".into(),
                    ..v1::Problem::default()
                }),
            };
            let result = Some(result);
            Ok(v1::UpsertCoveragesResponse { row, result })
        });
        Ok(Response::new(Box::pin(results)))
    }

    type SubmitDecisionsStream = Answers<v1::SubmitDecisionsResponse>;

    async fn submit_decisions(
        &self,
        request: Request<Streaming<v1::SubmitDecisionsRequest>>,
    ) -> Result<Response<Self::SubmitDecisionsStream>, Status> {
        use v1::submit_decisions_response::Result as Outcome;
        admitted(&request)?;
        let decisions = Arc::clone(&self.decisions);
        let mut row = 0;
        let results = request.into_inner().map(move |sent| {
            let decision = sent?.decision.unwrap_or_default();
            let mut decisions = decisions.lock().unwrap();
            let known = decisions
                .iter()
                .any(|known| known.reference == decision.reference);
            row += 1;
            let message_id = decision.message_id.clone();
            decisions.push(decision);
            let result = Some(Outcome::Taken(v1::DecisionTaken {
                repeated: known,
                ..v1::DecisionTaken::default()
            }));
            Ok(v1::SubmitDecisionsResponse {
                row,
                message_id,
                result,
            })
        });
        Ok(Response::new(Box::pin(results)))
    }

    type DeliveriesStream = Answers<v1::DeliveriesResponse>;

    async fn deliveries(
        &self,
        request: Request<Streaming<v1::DeliveriesRequest>>,
    ) -> Result<Response<Self::DeliveriesStream>, Status> {
        admitted(&request)?;
        let (to_insurer, responses) = tokio::sync::mpsc::channel(1);
        let hub = self.clone();
        let mut said = request.into_inner();
        tokio::spawn(async move {
            let mut credit = 0;
            let mut sent = 0;
            let mut under_way: usize = 0;
            while let Ok(Some(request)) = said.message().await {
                match request.request.unwrap() {
                    Said::Subscribe(subscribe) => credit = subscribe.credit,
                    Said::Ack(ack) => {
                        hub.acks.lock().unwrap().push(ack);
                        credit += 1;
                        under_way -= 1;
                    }
                }
                while credit > 0 && sent < OWED {
                    sent += 1;
                    credit -= 1;
                    under_way += 1;
                    let widest = hub.widest.lock().unwrap().max(under_way);
                    *hub.widest.lock().unwrap() = widest;
                    let delivery = v1::Delivery {
                        delivery_id: sent.to_string(),
                        ..v1::Delivery::default()
                    };
                    let response = v1::DeliveriesResponse {
                        delivery: Some(delivery),
                        deadline_ms: 0,
                        refused: None,
                    };
                    to_insurer.send(Ok(response)).await.unwrap();
                }
                if hub.acks.lock().unwrap().len() == OWED {
                    break;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }
}
