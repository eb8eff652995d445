//! Versions of plans that an insurer's plan author proposes over a stream.

use takmil_proto::v1::{self, submit_plans_response};
use tonic::Status;

use super::{wire_failure, wire_problem};
use crate::auth::Identity;
use crate::code::Failure;
use crate::documents;
use crate::faces::App;
use crate::faces::rest::{Proposed, propose_version};

/// Proposes one version. What is wrong with it is its own result; what is wrong with the hub ends the stream.
pub(super) async fn take(
    app: App,
    identity: Identity,
    row: u64,
    received: v1::SubmitPlansRequest,
) -> Result<v1::SubmitPlansResponse, Status> {
    let proposed = match documents::json(&received.plan_json) {
        Ok(document) => propose_version(&app, &identity, None, &document).await,
        Err(problem) => Err(Failure::from(problem)),
    };
    let result = match proposed {
        Ok(proposal) => submit_plans_response::Result::Proposed(shown(proposal)),
        Err(failure) if failure.code.http().is_server_error() => return Err(failure.into()),
        Err(failure) => submit_plans_response::Result::Refused(v1::PlanRefused {
            problems: match failure.problems.is_empty() {
                true => vec![wire_failure(&failure)],
                false => failure.problems.iter().map(wire_problem).collect(),
            },
        }),
    };
    Ok(v1::SubmitPlansResponse {
        row,
        result: Some(result),
    })
}

fn shown(proposal: Proposed) -> v1::PlanProposed {
    let remarks = proposal.remarks.into_iter().map(|remark| v1::Remark {
        pointer: remark.pointer,
        detail: remark.detail,
    });
    v1::PlanProposed {
        approval_id: proposal.id.to_string(),
        subject: proposal.subject,
        remarks: remarks.collect(),
    }
}
