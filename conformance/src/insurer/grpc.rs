//! The gRPC face of a simulated insurer.

use std::sync::Arc;

use axum::Router;
use takmil_proto::v1::insurer_service_server::{InsurerService, InsurerServiceServer};
use takmil_proto::{MAX_DELIVERY_BYTES, v1};
use tonic::{Request, Response, Status};

use super::records::{Notice, ProposedLine};
use super::{Declined, Insurer};

pub(super) fn app(insurer: Arc<Insurer>) -> Router {
    let service = InsurerServiceServer::new(Face(insurer));
    let service = service.max_decoding_message_size(MAX_DELIVERY_BYTES);
    tonic::service::Routes::new(service).into_axum_router()
}

struct Face(Arc<Insurer>);

#[tonic::async_trait]
impl InsurerService for Face {
    async fn decide(
        &self,
        request: Request<v1::DecideRequest>,
    ) -> Result<Response<v1::DecideResponse>, Status> {
        let notice = read(&self.0, request.into_inner().delivery)?;
        let decision = self.0.decide(notice).await.map_err(status)?;
        Ok(Response::new(v1::DecideResponse {
            decision: Some(decision),
        }))
    }

    async fn deliver(
        &self,
        request: Request<v1::DeliverRequest>,
    ) -> Result<Response<v1::DeliverResponse>, Status> {
        let notice = read(&self.0, request.into_inner().delivery)?;
        let delivery_id = notice.delivery_id.clone();
        let repeated = self.0.keep(notice).await.map_err(status)?;
        Ok(Response::new(v1::DeliverResponse {
            receipt: Some(v1::DeliveryReceipt {
                reference: format!("{}-{delivery_id}", self.0.id),
                delivery_id,
                repeated,
            }),
        }))
    }

    async fn clarify(
        &self,
        request: Request<v1::ClarifyRequest>,
    ) -> Result<Response<v1::ClarifyResponse>, Status> {
        let request = request.into_inner();
        if request.clarification.is_none() {
            return Err(Status::invalid_argument("nothing is clarified"));
        }
        let delivery = request.delivery;
        let kept = self.deliver(Request::new(v1::DeliverRequest { delivery }));
        let receipt = kept.await?.into_inner().receipt;
        Ok(Response::new(v1::ClarifyResponse { receipt }))
    }

    async fn eligibility(
        &self,
        request: Request<v1::EligibilityRequest>,
    ) -> Result<Response<v1::EligibilityResponse>, Status> {
        let notice = read(&self.0, request.into_inner().delivery)?;
        let statement = self.0.cover(notice).await.map_err(status)?;
        Ok(Response::new(v1::EligibilityResponse {
            statement: Some(statement),
        }))
    }
}

fn status(declined: Declined) -> Status {
    match declined.permanent {
        true => Status::failed_precondition("this insurer never takes this"),
        false => Status::unavailable("this insurer takes nothing now"),
    }
}

fn read(insurer: &Insurer, delivery: Option<v1::Delivery>) -> Result<Notice, Status> {
    let incomplete = || Status::invalid_argument("the delivery is not complete");
    let delivery = delivery.ok_or_else(incomplete)?;
    let answer = delivery.answer.as_ref().ok_or_else(incomplete)?;
    let decision = answer.decision.as_ref();
    let shares = decision.map_or(&[][..], |decision| &decision.lines);
    let billed = shares.first().and_then(|line| line.billed.as_ref());
    let decided_by = decision.map(|decision| decision.decided_by().as_str_name());
    Ok(Notice {
        purpose: plain(delivery.purpose().as_str_name(), "PURPOSE_"),
        kind: plain(delivery.kind().as_str_name(), "MESSAGE_KIND_"),
        decided_by: plain(decided_by.unwrap_or_default(), "DECIDED_BY_"),
        currency: billed.map_or(String::new(), |money| money.currency_code.clone()),
        lines: shares.iter().map(|line| proposed(insurer, line)).collect(),
        delivery_id: delivery.delivery_id,
        message_id: delivery.message_id,
        sequence: delivery.sequence,
        document: delivery.document_json,
    })
}

fn proposed(insurer: &Insurer, line: &v1::LineShare) -> ProposedLine {
    let units = |money: &Option<v1::Money>| money.as_ref().map_or(0, |money| money.units);
    let own = line.supplementary.iter();
    let own = own.filter(|share| share.insurer_id == insurer.id);
    let own = own.map(|share| units(&share.amount));
    // Whoever is no supplementary insurer of the bill is its base insurer.
    let base = || units(&line.base).saturating_sub(units(&line.subsidy));
    ProposedLine {
        seq: line.seq,
        billed: units(&line.billed),
        share: own.reduce(i64::saturating_add).unwrap_or_else(base),
    }
}

/// The name of a value of an enum, as the JSON of the REST wire spells it.
fn plain(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .unwrap_or(name)
        .to_ascii_lowercase()
}
