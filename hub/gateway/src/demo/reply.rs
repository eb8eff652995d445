//! What a provider reads in the hub's replies: which messages were taken, under which ids, and why others were
//! not. Like a provider's program it knows the wire formats and nothing of the hub.

use serde_json::Value;
use takmil_conformance::provider::Reply;
use takmil_domain::ids::MessageId;

/// What a provider was told of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// It was taken.
    Taken {
        /// The hub's id of it.
        id: MessageId,
        /// Whether somebody has still to decide.
        pended: bool,
    },
    /// It was refused.
    Refused {
        /// The public code.
        code: String,
        /// Where in the body: a pointer, or a path of FHIR.
        place: String,
    },
}

/// The code system of the hub's problems in FHIR.
const PROBLEMS: &str = "urn:takmil:problem";

/// The FHIR resources that answer a message.
const ANSWERS: &[&str] = &[
    "ClaimResponse",
    "CoverageEligibilityResponse",
    "OperationOutcome",
];

/// What a reply says of each message of the body that it answers.
pub(super) fn read(reply: &Reply) -> Vec<Told> {
    match reply.media_type.as_str() {
        "application/fhir+xml" => told(xml(&String::from_utf8_lossy(&reply.bytes))),
        "application/fhir+json" => {
            let mut parts = Vec::new();
            json(&reply.json(), &mut parts);
            told(parts)
        }
        _ => native(&reply.json()),
    }
}

fn native(body: &Value) -> Vec<Told> {
    if let Some(results) = body.get("results").and_then(Value::as_array) {
        let one = |result: &Value| match result.get("answer") {
            Some(answer) => taken(answer),
            None => Some(refused(
                result.pointer("/problems/0").unwrap_or(&Value::Null),
            )),
        };
        return results.iter().filter_map(one).collect();
    }
    taken(body).map_or_else(|| vec![refused(body)], |taken| vec![taken])
}

fn taken(answer: &Value) -> Option<Told> {
    let id = MessageId::parse(answer.get("id")?.as_str()?)?;
    let pended = answer.get("state").and_then(Value::as_str) == Some("pended");
    Some(Told::Taken { id, pended })
}

fn refused(problem: &Value) -> Told {
    let text = |key| problem.get(key).and_then(Value::as_str).unwrap_or_default();
    Told::Refused {
        code: text("code").to_owned(),
        place: text("pointer").to_owned(),
    }
}

/// What matters of one resource.
#[derive(Debug, Default)]
struct Part {
    kind: String,
    id: String,
    outcome: String,
    severity: String,
    code: String,
    place: String,
}

fn told(parts: Vec<Part>) -> Vec<Told> {
    let answers = parts
        .into_iter()
        .filter(|part| ANSWERS.contains(&part.kind.as_str()));
    let one = |part: Part| match part.severity.as_str() {
        "error" | "fatal" => Some(Told::Refused {
            code: part.code,
            place: part.place,
        }),
        _ => Some(Told::Taken {
            id: MessageId::parse(&part.id)?,
            pended: part.outcome == "queued",
        }),
    };
    answers.filter_map(one).collect()
}

fn json(value: &Value, parts: &mut Vec<Part>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| json(item, parts)),
        Value::Object(members) => {
            let text = |pointer| {
                value
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let codings = value
                .pointer("/issue/0/details/coding")
                .and_then(Value::as_array);
            let own =
                |coding: &&Value| coding.get("system").and_then(Value::as_str) == Some(PROBLEMS);
            let code = codings
                .into_iter()
                .flatten()
                .find(own)
                .and_then(|coding| coding.get("code"));
            if members.contains_key("resourceType") {
                parts.push(Part {
                    kind: text("/resourceType"),
                    id: text("/id"),
                    outcome: text("/outcome"),
                    severity: text("/issue/0/severity"),
                    code: code.and_then(Value::as_str).unwrap_or_default().to_owned(),
                    place: text("/issue/0/expression/0"),
                });
            }
            members.values().for_each(|inner| json(inner, parts));
        }
        _ => {}
    }
}

/// The same of XML. FHIR's resources are the elements that begin with a capital; the first of each element counts.
fn xml(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut system = String::new();
    for tag in text.split('<').skip(1) {
        let name = tag.split([' ', '>', '/']).next().unwrap_or_default();
        if name.starts_with(|first: char| first.is_ascii_uppercase()) {
            parts.push(Part {
                kind: name.to_owned(),
                ..Part::default()
            });
        }
        let (Some(part), Some(value)) = (parts.last_mut(), attribute(tag)) else {
            continue;
        };
        let slot = match name {
            "id" => &mut part.id,
            "outcome" => &mut part.outcome,
            "severity" => &mut part.severity,
            "code" if system == PROBLEMS => &mut part.code,
            "expression" => &mut part.place,
            "system" => {
                system = value;
                continue;
            }
            _ => continue,
        };
        if slot.is_empty() {
            *slot = value;
        }
    }
    parts
}

/// The attribute `value` of a tag, with its entities read.
fn attribute(tag: &str) -> Option<String> {
    let (_, rest) = tag.split_once(" value=\"")?;
    let (value, _) = rest.split_once('"')?;
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    let read = plain
        .iter()
        .fold(value.to_owned(), |text, (entity, plain)| {
            text.replace(entity, plain)
        });
    Some(read)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const ID: &str = "0191a2b3-0000-7000-8000-000000000001";

    fn reply(media_type: &str, body: &str) -> Vec<Told> {
        read(&Reply {
            status: 200,
            media_type: media_type.to_owned(),
            request_id: String::new(),
            bytes: body.as_bytes().to_vec(),
        })
    }

    fn is_taken(pended: bool) -> Told {
        let id = MessageId::parse(ID).unwrap();
        Told::Taken { id, pended }
    }

    fn is_refused(code: &str, place: &str) -> Told {
        let (code, place) = (code.to_owned(), place.to_owned());
        Told::Refused { code, place }
    }

    #[test]
    fn answers_are_read_in_every_form_that_the_hub_writes() {
        let check = |media_type, body: &str, expected: &[Told]| {
            assert_eq!(reply(media_type, body), expected, "{body}");
        };
        let native = format!(r#"{{"id":"{ID}","kind":"claim","state":"pended"}}"#);
        check("application/json", &native, &[is_taken(true)]);
        let list = format!(
            r#"{{"results":[{{"place":"/0","answer":{{"id":"{ID}","state":"decided"}}}},{{"place":"/1","problems":[{{"code":"VAL-MISSING","pointer":"/1/kind"}}]}}]}}"#
        );
        check(
            "application/json",
            &list,
            &[is_taken(false), is_refused("VAL-MISSING", "/1/kind")],
        );
        check(
            "application/problem+json",
            r#"{"status":422,"code":"VAL-DATE","pointer":"/occurred_on","problems":[]}"#,
            &[is_refused("VAL-DATE", "/occurred_on")],
        );
        let bundle = format!(
            r#"{{"resourceType":"Bundle","entry":[{{"resource":{{"resourceType":"ClaimResponse","id":"{ID}","outcome":"queued"}}}},{{"response":{{"outcome":{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"required","details":{{"coding":[{{"system":"urn:takmil:problem","code":"VAL-MISSING"}}]}},"expression":["Claim.patient"]}}]}}}}}}]}}"#
        );
        check(
            "application/fhir+json",
            &bundle,
            &[is_taken(true), is_refused("VAL-MISSING", "Claim.patient")],
        );
        let told = format!(
            r#"<OperationOutcome xmlns="http://hl7.org/fhir"><id value="{ID}"/><issue><severity value="information"/><code value="informational"/></issue></OperationOutcome>"#
        );
        check("application/fhir+xml", &told, &[is_taken(false)]);
        let refused = r#"<?xml version="1.0"?><OperationOutcome xmlns="http://hl7.org/fhir"><issue><severity value="error"/><code value="value"/><details><coding><system value="urn:takmil:problem"/><code value="VAL-VALUE"/></coding></details><expression value="Claim.item[0].where(a=&quot;b&quot;)"/></issue></OperationOutcome>"#;
        check(
            "application/fhir+xml",
            refused,
            &[is_refused("VAL-VALUE", "Claim.item[0].where(a=\"b\")")],
        );
        check("text/html", "<p>no</p>", &[is_refused("", "")]);
    }
}
