//! Answers to a body that holds several resources, in the bundle that its sender expects.
//!
//! | body | answer |
//! |---|---|
//! | message | message: a header that names the request's, then the answers |
//! | transaction, batch | transaction-response, batch-response: an entry for each of the request's, in its order |
//! | any other bundle; Parameters with several messages | collection of the answers |
//! | Parameters with one message | the answer alone, as an operation returns it |
//!
//! A bad message sinks no other, not even in a transaction: each entry says what became of it.

use takmil_domain::date::Instant;

use super::outcome;
use crate::fhir::datatypes::{Object, primitive, words};
use crate::fhir::r4::Primitive;
use crate::fhir::tree::Node;
use crate::{Cause, Outcome, Reply};

/// The event of an answer where the request names none that can be repeated.
const ANSWER_EVENT: &str = "urn:takmil:event:answer";

/// The hub's address where it has none that FHIR takes.
const NO_ADDRESS: &str = "urn:takmil:hub";

/// The longest part of a request's id that an id can take in with a number behind it.
const MAX_STEM: usize = 56;

/// The request's id, as far as an id of FHIR can be it; perhaps empty.
pub(super) fn stem(reply: &Reply<'_>) -> String {
    let fits = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
    reply.request.chars().filter(fits).take(MAX_STEM).collect()
}

/// The answer to `body`, which is the whole of the sender's body.
pub(super) fn answer(reply: &Reply<'_>, body: &Node<'_>) -> Node<'static> {
    let mut sheet = Sheet::new(reply, body);
    let (container, place) = container(body);
    let kind = container.resource_type().zip(container.text("type"));
    match kind {
        Some(("Bundle", "message")) => sheet.message(container),
        Some(("Bundle", "transaction")) => sheet.entries("transaction-response", container, &place),
        Some(("Bundle", "batch")) => sheet.entries("batch-response", container, &place),
        _ => match (container.resource_type(), reply.outcomes) {
            (Some("Parameters"), [one]) => sheet.answer(one).resource,
            _ => {
                let answers: Vec<Sent> =
                    reply.outcomes.iter().map(|one| sheet.answer(one)).collect();
                sheet.bundle("collection", answers.into_iter().map(Sent::entry))
            }
        },
    }
}

/// Answers to messages that a question found, each given before; where there are more, that is told after them.
pub(super) fn found(reply: &Reply<'_>, is_cut: bool) -> Node<'static> {
    let mut sheet = Sheet::new(reply, &Node::Null);
    let answers: Vec<Sent> = reply.outcomes.iter().map(|one| sheet.answer(one)).collect();
    let more = is_cut.then(|| Sent {
        url: None,
        resource: outcome::more(),
        cause: None,
    });
    sheet.bundle(
        "collection",
        answers.into_iter().chain(more).map(Sent::entry),
    )
}

/// The bundle that answers are to resemble, and the pointer to it: one that is all that Parameters hold
/// counts as the body.
fn container<'b>(body: &'b Node<'b>) -> (&'b Node<'b>, String) {
    let inner = match body.list("parameter") {
        [only] if body.resource_type() == Some("Parameters") => only.get("resource"),
        _ => None,
    };
    match inner.filter(|inner| inner.resource_type() == Some("Bundle")) {
        Some(inner) => (inner, "/parameter/0/resource".to_owned()),
        None => (body, String::new()),
    }
}

/// One answer with the address that it is referred to by, where it has one of its own.
struct Sent {
    url: Option<String>,
    resource: Node<'static>,
    cause: Option<Cause>,
}

impl Sent {
    fn entry(self) -> Node<'static> {
        Object::new()
            .maybe("fullUrl", self.url)
            .put("resource", self.resource)
            .into()
    }
}

/// The answers as they are put together.
struct Sheet<'r> {
    reply: &'r Reply<'r>,
    body: &'r Node<'r>,
    hub: &'r str,
    stem: String,
    refused: usize,
    known: Vec<String>,
}

impl<'r> Sheet<'r> {
    fn new(reply: &'r Reply<'r>, body: &'r Node<'r>) -> Self {
        let is_address = primitive(Primitive::Url, reply.hub).is_some();
        Self {
            reply,
            body,
            hub: if is_address { reply.hub } else { NO_ADDRESS },
            stem: stem(reply),
            refused: 0,
            known: Vec::new(),
        }
    }

    /// What became of one message. A repeat within the body gets the same answer again, which bears its
    /// address only once, as a bundle demands.
    fn answer(&mut self, told: &Outcome<'_>) -> Sent {
        let (resource, cause) = match told.result {
            Ok(answered) => (super::resource(&answered), None),
            Err(faults) => {
                self.refused = self.refused.saturating_add(1);
                let number = self.refused;
                let id = self.id().map(|stem| format!("{stem}-{number}"));
                let cause = faults.first().map_or(Cause::Internal, |fault| fault.cause);
                (
                    outcome::refused(faults, self.body, id.as_deref()),
                    Some(cause),
                )
            }
        };
        let url = self
            .address(&resource)
            .filter(|url| !self.known.contains(url));
        self.known.extend(url.clone());
        Sent {
            url,
            resource,
            cause,
        }
    }

    fn id(&self) -> Option<&str> {
        Some(self.stem.as_str()).filter(|stem| !stem.is_empty())
    }

    fn address(&self, resource: &Node<'_>) -> Option<String> {
        let (kind, id) = resource.resource_type().zip(resource.text("id"))?;
        Some(format!("{}/fhir/{kind}/{id}", self.hub))
    }

    fn bundle(
        &self,
        kind: &'static str,
        entries: impl Iterator<Item = Node<'static>>,
    ) -> Node<'static> {
        let times = self
            .reply
            .outcomes
            .iter()
            .filter_map(|told| told.result.ok());
        let latest = times.map(|answered| answered.answer.answered_at).max();
        Object::resource("Bundle")
            .maybe("id", self.id().map(str::to_owned))
            .put("type", kind)
            .maybe("timestamp", latest.as_ref().map(Instant::to_string))
            .list("entry", entries)
            .into()
    }

    /// An entry for each of the request's. A message's own bears its answer; where a message is made of
    /// several, the first. The others were read with them and are not kept as resources of their own.
    fn entries(&mut self, kind: &'static str, container: &Node<'_>, place: &str) -> Node<'static> {
        let mut entries = Vec::new();
        for index in 0..container.list("entry").len() {
            let at = format!("{place}/entry/{index}/resource");
            let stands_in = |told: &&Outcome<'_>| {
                told.place
                    .strip_prefix(&at)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let told: Vec<&Outcome<'_>> = self.reply.outcomes.iter().filter(stands_in).collect();
            let answers: Vec<Sent> = told.into_iter().map(|one| self.answer(one)).collect();
            entries.push(self.entry(answers));
        }
        self.bundle(kind, entries.into_iter())
    }

    fn entry(&self, mut answers: Vec<Sent>) -> Node<'static> {
        if answers.len() > 1 {
            // A bundle within the bundle: its messages' answers as one.
            let resource = self.nested(answers);
            return Object::new()
                .put("resource", resource)
                .put("response", status("200 OK"))
                .into();
        }
        match answers.pop() {
            None => Object::new().put("response", status("202 Accepted")).into(),
            Some(Sent {
                cause: Some(cause),
                resource,
                ..
            }) => {
                let response = status(refusal_status(cause)).put("outcome", resource);
                Object::new().put("response", response).into()
            }
            Some(Sent { url, resource, .. }) => Object::new()
                .maybe("fullUrl", url)
                .put("resource", resource)
                .put("response", status("200 OK"))
                .into(),
        }
    }

    fn nested(&self, answers: Vec<Sent>) -> Node<'static> {
        Object::resource("Bundle")
            .put("type", "collection")
            .list("entry", answers.into_iter().map(Sent::entry))
            .into()
    }

    /// A message that answers a message.
    fn message(&mut self, container: &Node<'_>) -> Node<'static> {
        let answers: Vec<Sent> = self
            .reply
            .outcomes
            .iter()
            .map(|one| self.answer(one))
            .collect();
        let resources = container.list("entry").iter();
        let mut headers = resources.filter(|entry| {
            entry.get("resource").and_then(Node::resource_type) == Some("MessageHeader")
        });
        let header = self.header(headers.next(), &answers);
        let url = self.address(&header);
        let header = Sent {
            url,
            resource: header,
            cause: None,
        };
        self.bundle(
            "message",
            [header].into_iter().chain(answers).map(Sent::entry),
        )
    }

    fn header(&self, asked: Option<&Node<'_>>, answers: &[Sent]) -> Node<'static> {
        let asked_header = asked.and_then(|entry| entry.get("resource"));
        let event = asked_header.and_then(event);
        let (key, event) = event.unwrap_or_else(|| ("eventUri", ANSWER_EVENT.into()));
        let endpoint = asked_header.and_then(|header| header.get("source")?.text("endpoint"));
        let destination = endpoint.and_then(|url| primitive(Primitive::Url, url));
        let destination = destination.map(|url| Object::new().put("endpoint", url).into());
        let focus = answers.iter().filter_map(|sent| sent.url.as_deref());
        let source = Object::new()
            .put("name", "Takmil")
            .put("endpoint", self.hub.to_owned());
        let response = asked.and_then(asked_id).map(|id| {
            let faults = answers.iter().find(|sent| sent.cause.is_some());
            let details = faults.and_then(|sent| sent.url.as_deref()).map(pointing);
            Object::new()
                .put("identifier", id)
                .put("code", response_code(answers))
                .maybe("details", details)
        });
        Object::resource("MessageHeader")
            .maybe("id", self.id().map(str::to_owned))
            .put(key, event)
            .list("destination", destination)
            .put("source", source)
            .maybe("response", response)
            .list("focus", focus.map(pointing))
            .into()
    }
}

fn pointing(url: &str) -> Node<'static> {
    Object::new().put("reference", url.to_owned()).into()
}

/// The event that a header names, repeated: an answer is about the same.
fn event(header: &Node<'_>) -> Option<(&'static str, Node<'static>)> {
    if let Some(uri) = header.text("eventUri") {
        return Some(("eventUri", primitive(Primitive::Uri, uri)?));
    }
    let coding = header.get("eventCoding")?;
    let code = primitive(Primitive::Code, coding.text("code")?)?;
    let system = coding
        .text("system")
        .and_then(|uri| primitive(Primitive::Uri, uri));
    let repeated = Object::new()
        .maybe("system", system)
        .put("code", code)
        .maybe("display", coding.text("display").and_then(words));
    Some(("eventCoding", repeated.into()))
}

/// The id of a request's header: its own, else the UUID of its entry.
fn asked_id(entry: &Node<'_>) -> Option<Node<'static>> {
    let own = entry.get("resource").and_then(|header| header.text("id"));
    let of_entry = || entry.text("fullUrl")?.strip_prefix("urn:uuid:");
    primitive(Primitive::Id, own.or_else(of_entry)?)
}

fn response_code(answers: &[Sent]) -> &'static str {
    let causes: Vec<Cause> = answers.iter().filter_map(|sent| sent.cause).collect();
    match causes.as_slice() {
        [] => "ok",
        causes if causes.iter().all(|cause| cause.is_passing()) => "transient-error",
        _ => "fatal-error",
    }
}

fn status(text: &'static str) -> Object {
    Object::new().put("status", text)
}

/// What the entry of a refused message says, in HTTP's words.
fn refusal_status(cause: Cause) -> &'static str {
    match cause {
        Cause::Body(_) | Cause::Duplicate => "422 Unprocessable Entity",
        Cause::Request | Cause::Unsupported => "400 Bad Request",
        Cause::Credentials => "401 Unauthorized",
        Cause::Forbidden => "403 Forbidden",
        Cause::NotFound => "404 Not Found",
        Cause::Conflict => "409 Conflict",
        Cause::Throttled => "429 Too Many Requests",
        Cause::Timeout | Cause::Busy => "503 Service Unavailable",
        Cause::Internal => "500 Internal Server Error",
    }
}
