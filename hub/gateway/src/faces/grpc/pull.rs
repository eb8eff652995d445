//! Deliveries one request at a time, for insurers that can neither be called nor hold a stream.

use takmil_domain::ids::DeliveryId;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_insurers::grpc::{decision, delivery};
use takmil_proto::v1::{self, AckOutcome};
use takmil_proto::{MAX_DELIVERY_BYTES, Message};
use tonic::Status;

use super::{wire_failure, wire_problem};
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::faces::App;
use crate::faces::acks::{Ack, MAX_ACKS, Said, Unheard, acknowledge};

/// The most deliveries that one request gives.
const MAX_PULLED: u32 = 1_000;

/// What a response may have beside its deliveries, and each of them beside itself.
const MARGIN_BYTES: usize = 64;

/// Gives what is owed now. What would make the response too large is left for the next request.
pub(super) async fn pull(
    app: &App,
    identity: &Identity,
    most: u32,
) -> Result<v1::PullResponse, Status> {
    if !(1..=MAX_PULLED).contains(&most) {
        return Err(Failure::new(Code::Parameter, "most is 1 to 1,000").into());
    }
    let due = app.engine.due(&identity.participant.id, most).await;
    let (mut deliveries, mut room) = (Vec::new(), MAX_DELIVERY_BYTES);
    for owed in due.map_err(Failure::from)? {
        let wire = delivery::to_wire(&owed).map_err(Failure::internal)?;
        let bytes = wire.encoded_len().saturating_add(MARGIN_BYTES);
        if bytes > room && !deliveries.is_empty() {
            break;
        }
        room = room.saturating_sub(bytes);
        deliveries.push(wire);
    }
    Ok(v1::PullResponse { deliveries })
}

/// Takes what became of deliveries.
pub(super) async fn acknowledged(
    app: &App,
    identity: &Identity,
    acks: Vec<v1::DeliveryAck>,
) -> Result<v1::AcknowledgeResponse, Status> {
    if acks.len() > MAX_ACKS {
        let detail = format!("a request brings at most {MAX_ACKS} acknowledgements");
        return Err(Failure::new(Code::Invalid, detail).into());
    }
    let (mut rows, mut sound) = (Vec::with_capacity(acks.len()), Vec::new());
    for ack in acks {
        let read = read(&ack).map(|ack| sound.push(ack));
        rows.push((ack.delivery_id, read));
    }
    let mut heard = acknowledge(app, identity, sound).await?.into_iter();
    let results = rows.into_iter().map(|(delivery_id, read)| {
        let problem = match read.map(|()| heard.next()) {
            Err(problem) => Some(wire_problem(&problem)),
            Ok(Some(Ok(()))) => None,
            Ok(Some(Err(Unheard::Decision(failure)))) => {
                let problem = wire_failure(&failure);
                Some(v1::Problem {
                    pointer: format!("/decision{}", problem.pointer),
                    ..problem
                })
            }
            Ok(Some(Err(Unheard::NotOwed)) | None) => Some(wire_problem(&not_owed())),
        };
        v1::AckResult {
            delivery_id,
            problem,
        }
    });
    Ok(v1::AcknowledgeResponse {
        results: results.collect(),
    })
}

fn not_owed() -> Problem {
    let detail = "no such delivery is owed to the insurer";
    Problem::new(ProblemCode::DanglingReference, "/delivery_id", detail)
}

fn read(ack: &v1::DeliveryAck) -> Result<Ack, Problem> {
    let unsaid = || {
        let detail = "an acknowledgement says what became of it";
        Problem::new(ProblemCode::Missing, "/outcome", detail)
    };
    Ok(Ack {
        delivery: DeliveryId::parse(&ack.delivery_id).ok_or_else(not_owed)?,
        said: said(ack).ok_or_else(unsaid)?,
        decision: ack.decision.as_ref().map(decision::read),
    })
}

/// What an acknowledgement says, where it says anything.
pub(super) fn said(ack: &v1::DeliveryAck) -> Option<Said> {
    match ack.outcome() {
        AckOutcome::Taken => Some(Said::Taken),
        AckOutcome::Later => Some(Said::Later),
        AckOutcome::Refused => Some(Said::Refused),
        AckOutcome::Unspecified => None,
    }
}
