//! Where providers send messages: one address for each kind, one for all, and the taking back.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::message::{Attachment, Kind};
use takmil_engine::{Appealing, Question};
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder, Schema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::{App, Id};
use crate::auth::Identity;
use crate::code::Failure;
use crate::documents::{self, Document};
use crate::faces::request::{Payload, RequestId, idempotency_key};
use crate::faces::submit::{answer, format_of, submit};

/// The address of each kind, and what a caller is told of it.
pub(super) const ADDRESSES: &[(Kind, &str, &str, &str)] = &[
    (
        Kind::Eligibility,
        "eligibility",
        "Asks whether a member is covered, and for what.",
        ELIGIBILITY,
    ),
    (
        Kind::Estimate,
        "estimates",
        "Computes the shares of a bill; nothing is reserved.",
        ESTIMATE,
    ),
    (
        Kind::Admission,
        "admissions",
        "Begins a visit or stay: shares, and limits reserved for them.",
        ADMISSION,
    ),
    (
        Kind::Prescription,
        "prescriptions",
        "Records what was ordered.",
        PRESCRIPTION,
    ),
    (
        Kind::Dispense,
        "dispenses",
        "Records what was handed out; with prices it is a pharmacy's claim.",
        DISPENSE,
    ),
    (
        Kind::Claim,
        "claims",
        "Sends a bill: shares, and what was reserved is used.",
        CLAIM,
    ),
    (
        Kind::Preauthorization,
        "preauthorizations",
        "Asks for leave to treat at the insurer's cost.",
        PREAUTHORIZATION,
    ),
];

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../../adapters/formats/samples/native/",
            $name,
            ".json"
        ))
    };
}

const ELIGIBILITY: &str = sample!("eligibility-casablanca");
const ESTIMATE: &str = sample!("estimate-maputo-maternity");
const ADMISSION: &str = sample!("admission-shiraz-surgery");
const PRESCRIPTION: &str = sample!("prescription-tehran");
const DISPENSE: &str = sample!("dispense-shiraz-pharmacy");
const CLAIM: &str = sample!("claim-casablanca-dental");
const PREAUTHORIZATION: &str = sample!("preauthorization-sanaa");

/// The media types that messages come in.
const MEDIA_TYPES: &[&str] = &[
    "application/json",
    "application/fhir+json",
    "application/fhir+xml",
];

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    let of_kinds = ADDRESSES.iter().fold(
        OpenApiRouter::default(),
        |router, (kind, address, summary, sample)| {
            router
                .routes(send_kind(*kind, address, summary, sample))
                .routes(take_back(*kind, address))
        },
    );
    of_kinds
        .routes(routes!(send))
        .routes(routes!(reply))
        .routes(routes!(appeal))
}

/// Sends messages of any kind, in any format.
///
/// A body may hold several messages. Each is taken or refused for itself, and answered in order.
#[utoipa::path(
    post, path = "/v1/messages", tag = "messages", operation_id = "send_messages",
    params(("Idempotency-Key" = Option<String>, Header, description = KEY_MEANING)),
    request_body(description = "A message, or a list of them.", content(
        (Value = "application/json"), ("application/fhir+json"), ("application/fhir+xml"),
    )),
    responses(
        (status = 200, description = "The answer to the one message of the body.", body = ref("#/components/schemas/answer")),
        (status = 207, description = "What became of each message of a body that held several.", body = ref("#/components/schemas/results")),
    ),
)]
async fn send(
    State(app): State<App>,
    identity: Identity,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
    payload: Payload,
) -> Result<Response, Failure> {
    let format = format_of(&payload)?;
    Ok(submit(
        &app,
        (&identity, &id, &headers),
        format,
        None,
        payload.bytes,
    )
    .await)
}

const KEY_MEANING: &str = "Your own key of this request, 1 to 255 visible characters. A repeat under the same key has one effect and gets the same answer; another body under it is refused.";

/// `POST /v1/{address}`: messages of one kind.
fn send_kind(kind: Kind, address: &str, summary: &str, sample: &str) -> UtoipaMethodRouter<App> {
    let handler = move |State(app): State<App>,
                        identity: Identity,
                        Extension(id): Extension<RequestId>,
                        headers: HeaderMap,
                        payload: Payload| async move {
        let format = format_of(&payload)?;
        let expect = Some(kind);
        Ok::<_, Failure>(
            submit(
                &app,
                (&identity, &id, &headers),
                format,
                expect,
                payload.bytes,
            )
            .await,
        )
    };
    let schema = reference(&format!("{}_message", kind.as_str()));
    let sample: Value = serde_json::from_str(sample).unwrap_or_default();
    let example = utoipa::openapi::example::ExampleBuilder::new()
        .value(Some(sample))
        .build();
    let native = ContentBuilder::new()
        .schema(Some(schema))
        .examples_from_iter([(kind.as_str(), RefOr::from(example))])
        .build();
    let body = MEDIA_TYPES
        .iter()
        .skip(1)
        .fold(RequestBodyBuilder::new(), |body, media_type| {
            body.content(*media_type, ContentBuilder::new().build())
        });
    let body = body
        .content("application/json", native)
        .description(Some(
            "A message of this kind, in any format that the hub recognises.",
        ))
        .required(Some(Required::True))
        .build();
    let operation = OperationBuilder::new()
        .tag("messages")
        .operation_id(Some(format!("send_{}", kind.as_str())))
        .summary(Some(summary))
        .description(Some(
            "The format is recognised by content. A message of another kind is refused. The answer comes when the message is durable, in the form in which it was sent.",
        ))
        .parameter(key_parameter())
        .request_body(Some(body))
        .response("200", told("The answer."))
        .build();
    let path = format!("/v1/{address}");
    let paths = PathsBuilder::new()
        .path(path, PathItem::new(HttpMethod::Post, operation))
        .build();
    (Vec::new(), paths, post(handler))
}

/// `POST /v1/{address}/{id}/cancel`: takes a message of one kind back.
fn take_back(kind: Kind, address: &str) -> UtoipaMethodRouter<App> {
    let handler = move |State(app): State<App>,
                        identity: Identity,
                        Id(id): Id<MessageId>,
                        headers: HeaderMap,
                        payload: Payload| async move {
        cancel(&app, &identity, kind, id, &headers, &payload).await
    };
    let id = ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The hub's id of the message."));
    let body = ContentBuilder::new()
        .schema(Some(reference("cancellation")))
        .build();
    let operation = OperationBuilder::new()
        .tag("messages")
        .operation_id(Some(format!("cancel_{}", kind.as_str())))
        .summary(Some(format!(
            "Takes a message of kind {} back.",
            kind.as_str()
        )))
        .description(Some(
            "What it reserved or used is given back, and its insurers are told.",
        ))
        .parameter(id)
        .parameter(key_parameter())
        .request_body(Some(
            RequestBodyBuilder::new()
                .content("application/json", body)
                .required(Some(Required::False))
                .build(),
        ))
        .response("200", told("The answer to the taking back."))
        .build();
    let path = format!("/v1/{address}/{{id}}/cancel");
    let paths = PathsBuilder::new()
        .path(path, PathItem::new(HttpMethod::Post, operation))
        .build();
    (Vec::new(), paths, post(handler))
}

async fn cancel(
    app: &App,
    identity: &Identity,
    kind: Kind,
    id: MessageId,
    headers: &HeaderMap,
    payload: &Payload,
) -> Result<Response, Failure> {
    let sender = &identity.participant;
    let value = match payload.bytes.is_empty() {
        true => json!({}),
        false => documents::json(&payload.bytes)?,
    };
    let cancellation: Cancellation = documents::read(Document::Cancellation, &value, "")?;
    // The address names the kind: under another one there is no such message.
    if app.store.envelope(&identity.scope, id).await?.kind != kind {
        return Err(Failure::from(crate::code::Code::NotFound));
    }
    answer(
        app.engine
            .cancel(sender, id, cancellation.reason, idempotency_key(headers)?)
            .await?,
    )
}

#[derive(serde::Deserialize)]
struct Cancellation {
    reason: Option<String>,
}

/// A reply to an insurer's question.
#[derive(serde::Deserialize)]
struct ReplySent {
    reference: String,
    text: String,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

/// Replies to a question that an insurer has asked to a message, and puts the message before the insurer again.
///
/// Sending the same reply again has no further effect.
#[utoipa::path(
    post, path = "/v1/messages/{id}/replies", tag = "messages",
    params(("id" = String, Path, description = "The hub's id of the message.")),
    request_body(description = "The reply.", content = ref("#/components/schemas/reply")),
    responses((status = 200, description = "The answer as it stands.", body = ref("#/components/schemas/answer"))),
)]
async fn reply(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<MessageId>,
    payload: Payload,
) -> Result<Response, Failure> {
    let value = documents::json(&payload.bytes)?;
    let sent: ReplySent = documents::read(Document::Reply, &value, "")?;
    let question = Question {
        reference: sent.reference,
        reply: sent.text,
        attachments: sent.attachments,
    };
    let sender = &identity.participant;
    answer(app.engine.reply(sender, id, question).await?)
}

/// An appeal against an insurer's part in a decision.
#[derive(serde::Deserialize)]
struct AppealSent {
    insurer: Option<ParticipantId>,
    reference: String,
    text: String,
    #[serde(default)]
    lines: Vec<u32>,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

/// Appeals against an insurer's part in a decision, and puts the message before that insurer again.
///
/// What was decided stands meanwhile; the member never pays more for it. Sending the same appeal again has no further
/// effect.
#[utoipa::path(
    post, path = "/v1/messages/{id}/appeals", tag = "messages",
    params(("id" = String, Path, description = "The hub's id of the message.")),
    request_body(description = "The appeal.", content = ref("#/components/schemas/appeal")),
    responses((status = 200, description = "The answer as it stands.", body = ref("#/components/schemas/answer"))),
)]
async fn appeal(
    State(app): State<App>,
    identity: Identity,
    Id(id): Id<MessageId>,
    payload: Payload,
) -> Result<Response, Failure> {
    let value = documents::json(&payload.bytes)?;
    let sent: AppealSent = documents::read(Document::Appeal, &value, "")?;
    let appealing = Appealing {
        insurer: sent.insurer,
        reference: sent.reference,
        text: sent.text,
        lines: sent.lines,
        attachments: sent.attachments,
    };
    let sender = &identity.participant;
    answer(app.engine.appeal(sender, id, appealing).await?)
}

fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

fn key_parameter() -> ParameterBuilder {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(KEY_MEANING))
}

fn told(description: &str) -> utoipa::openapi::Response {
    let content = ContentBuilder::new()
        .schema(Some(reference("answer")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build()
}
