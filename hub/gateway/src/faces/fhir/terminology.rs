//! What a terminology server answers, from the hub's code tables: what a code is, whether it is one, what it is called
//! elsewhere, and which codes a list has. Answers are JSON.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use takmil_domain::text;
use takmil_engine::Error;
use takmil_mappings::table::{Row, Table};
use takmil_mappings::{Lookup, Tables, Translation};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::documents;
use crate::faces::request::Payload;

/// The routes of this file.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(lookup, lookup_posted))
        .routes(routes!(validate_code, validate_code_posted))
        .routes(routes!(translate, translate_posted))
        .routes(routes!(expand, expand_posted))
        .routes(routes!(validate_in_set, validate_in_set_posted))
}

/// How many codes an expansion has where the request does not say, and at most.
const PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;

/// How the address of the set of all codes of a system ends, after the system's own.
const ALL_CODES: &str = "?fhir_vs";

/// What maps are called: this, and their names.
const MAP: &str = "urn:takmil:map:";

type Answer = ([(&'static str, &'static str); 1], Json<Value>);
type Asking = Result<Query<Asked>, QueryRejection>;

/// What these operations are asked with.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The code system; of a set, the system's address followed by `?fhir_vs`; of a translation, the map.
    url: Option<String>,
    /// The code's system.
    system: Option<String>,
    /// The edition that is asked about; any where it is missing.
    version: Option<String>,
    /// The code.
    code: Option<String>,
    /// A name of the code, to be held against its own.
    display: Option<String>,
    /// The language of names, as ISO 639-1 has it; English where it is missing.
    #[serde(rename = "displayLanguage")]
    display_language: Option<String>,
    /// The system that a translation leads to.
    targetsystem: Option<String>,
    /// Words that codes of an expansion hold, in the code or a name.
    filter: Option<String>,
    /// How many codes of an expansion are passed over.
    offset: Option<usize>,
    /// How many codes an expansion has, up to 1,000; 100 where it is missing.
    count: Option<usize>,
}

/// Says what a code is, as FHIR's `$lookup`.
#[utoipa::path(
    get, path = "/fhir/CodeSystem/$lookup", tag = "fhir", params(Asked),
    responses((status = 200, description = "Parameters.", content_type = "application/fhir+json")),
)]
async fn lookup(State(app): State<App>, asked: Asking) -> Result<Answer, Failure> {
    answered(&app, queried(asked)?, looked_up).await
}

/// Says what a code is, as FHIR's `$lookup`, asked with Parameters.
#[utoipa::path(
    post, path = "/fhir/CodeSystem/$lookup", tag = "fhir",
    request_body(description = "Parameters.", content_type = "application/fhir+json"),
    responses((status = 200, description = "Parameters.", content_type = "application/fhir+json")),
)]
async fn lookup_posted(State(app): State<App>, payload: Payload) -> Result<Answer, Failure> {
    answered(&app, posted(&payload)?, looked_up).await
}

/// Says whether a system has a code, as FHIR's `$validate-code`.
#[utoipa::path(
    get, path = "/fhir/CodeSystem/$validate-code", tag = "fhir", params(Asked),
    responses((status = 200, description = "Parameters.", content_type = "application/fhir+json")),
)]
async fn validate_code(State(app): State<App>, asked: Asking) -> Result<Answer, Failure> {
    answered(&app, queried(asked)?, validated).await
}

/// Says whether a system has a code, as FHIR's `$validate-code`, asked with Parameters.
#[utoipa::path(
    post, path = "/fhir/CodeSystem/$validate-code", tag = "fhir",
    request_body(description = "Parameters.", content_type = "application/fhir+json"),
    responses((status = 200, description = "Parameters.", content_type = "application/fhir+json")),
)]
async fn validate_code_posted(State(app): State<App>, payload: Payload) -> Result<Answer, Failure> {
    answered(&app, posted(&payload)?, validated).await
}

/// Says whether a set has a code, as FHIR's `$validate-code`.
#[utoipa::path(
    get, path = "/fhir/ValueSet/$validate-code", tag = "fhir", params(Asked),
    responses((status = 200, description = "Parameters.", content_type = "application/fhir+json")),
)]
async fn validate_in_set(State(app): State<App>, asked: Asking) -> Result<Answer, Failure> {
    answered(&app, queried(asked)?, validated).await
}

/// Says whether a set has a code, as FHIR's `$validate-code`, asked with Parameters.
#[utoipa::path(
    post, path = "/fhir/ValueSet/$validate-code", tag = "fhir",
    request_body(description = "Parameters.", content_type = "application/fhir+json"),
    responses((status = 200, description = "Parameters.", content_type = "application/fhir+json")),
)]
async fn validate_in_set_posted(
    State(app): State<App>,
    payload: Payload,
) -> Result<Answer, Failure> {
    answered(&app, posted(&payload)?, validated).await
}

/// Says what a code is in other systems, as FHIR's `$translate`.
///
/// Messages are mapped by a map alone that is sure of its target. What a map only offers is told with the equivalence
/// inexact or relatedto; where codes are needed together, the first is the concept and the others are its products. What a
/// person judged of a code that no table knows is told as the map `local`.
#[utoipa::path(
    get, path = "/fhir/ConceptMap/$translate", tag = "fhir", params(Asked),
    responses((status = 200, description = "Parameters.", content_type = "application/fhir+json")),
)]
async fn translate(
    State(app): State<App>,
    identity: Identity,
    asked: Asking,
) -> Result<Answer, Failure> {
    translation(&app, &identity, queried(asked)?).await
}

/// Says what a code is in other systems, as FHIR's `$translate`, asked with Parameters.
#[utoipa::path(
    post, path = "/fhir/ConceptMap/$translate", tag = "fhir",
    request_body(description = "Parameters.", content_type = "application/fhir+json"),
    responses((status = 200, description = "Parameters.", content_type = "application/fhir+json")),
)]
async fn translate_posted(
    State(app): State<App>,
    identity: Identity,
    payload: Payload,
) -> Result<Answer, Failure> {
    translation(&app, &identity, posted(&payload)?).await
}

/// What maps say of a code, and what a person judged it to be where no table knows it: of the caller's own code, or of
/// everybody's.
async fn translation(app: &App, identity: &Identity, asked: Asked) -> Result<Answer, Failure> {
    let catalog = app.engine.catalog();
    let (system, code) = (asked.system.as_deref(), asked.code.as_deref());
    let judged = system.zip(code).and_then(|(system, code)| {
        let Lookup::Unmapped(gap) = app.engine.tables().common(system, code) else {
            return None;
        };
        let (system, code) = (
            gap.system.unwrap_or(system),
            gap.code.as_deref().unwrap_or(code),
        );
        let sender = &identity.participant.id;
        let (version, judgement) = catalog.local_map().find(sender, system, code)?;
        Some(Translation::judged(version, judgement.to.as_ref()))
    });
    let judged = judged.filter(|told| match (&asked.targetsystem, told.targets.first()) {
        (Some(into), Some(codes)) => codes.iter().all(|code| code.system == *into),
        _ => true,
    });
    answered(app, asked, move |tables, _, asked| {
        translated(tables, judged, asked)
    })
    .await
}

/// Lists the codes of a system that hold some words, page by page, as FHIR's `$expand`.
#[utoipa::path(
    get, path = "/fhir/ValueSet/$expand", tag = "fhir", params(Asked),
    responses((status = 200, description = "A ValueSet.", content_type = "application/fhir+json")),
)]
async fn expand(State(app): State<App>, asked: Asking) -> Result<Answer, Failure> {
    answered(&app, queried(asked)?, expanded).await
}

/// Lists the codes of a system that hold some words, as FHIR's `$expand`, asked with Parameters.
#[utoipa::path(
    post, path = "/fhir/ValueSet/$expand", tag = "fhir",
    request_body(description = "Parameters.", content_type = "application/fhir+json"),
    responses((status = 200, description = "A ValueSet.", content_type = "application/fhir+json")),
)]
async fn expand_posted(State(app): State<App>, payload: Payload) -> Result<Answer, Failure> {
    answered(&app, posted(&payload)?, expanded).await
}

/// A list may have a hundred thousand codes: they are not read on a thread that others share.
async fn answered(
    app: &App,
    asked: Asked,
    answer: impl FnOnce(&Tables, &str, &Asked) -> Result<Value, Failure> + Send + 'static,
) -> Result<Answer, Failure> {
    let tables = app.engine.tables().clone();
    let today = app.engine.now().day().to_string();
    let work = tokio::task::spawn_blocking(move || answer(&tables, &today, &asked));
    let body = work.await.map_err(|_| Failure::from(Error::Stopping))??;
    Ok(([("content-type", "application/fhir+json")], Json(body)))
}

fn queried(asked: Asking) -> Result<Asked, Failure> {
    let wrong = "a parameter is unknown, or its value cannot be read";
    match asked {
        Ok(Query(asked)) => Ok(asked),
        Err(_) => Err(Failure::new(Code::Parameter, wrong)),
    }
}

/// The parameters of a Parameters resource; a Coding is its system and its code.
fn posted(payload: &Payload) -> Result<Asked, Failure> {
    let wrong = |detail: &str| Failure::new(Code::Invalid, detail);
    let body = documents::json(&payload.bytes)?;
    if body.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(wrong("the body is a Parameters resource, in JSON"));
    }
    let mut named = Map::new();
    let given = body.get("parameter").and_then(Value::as_array);
    for parameter in given.into_iter().flatten() {
        let name = parameter.get("name").and_then(Value::as_str);
        let members = parameter.as_object().into_iter().flatten();
        let mut value = members.filter(|(key, _)| key.starts_with("value"));
        let (Some(name), Some((_, value))) = (name, value.next_back()) else {
            return Err(wrong("a parameter has no name or no value"));
        };
        match (name, value) {
            ("coding", Value::Object(coding)) => {
                let kept = ["system", "version", "code", "display"];
                let coding = coding
                    .iter()
                    .filter(|(key, _)| kept.contains(&key.as_str()));
                named.extend(coding.map(|(key, value)| (key.clone(), value.clone())));
            }
            _ => {
                named.insert(name.to_owned(), value.clone());
            }
        }
    }
    serde_json::from_value(Value::Object(named))
        .map_err(|_| wrong("a parameter is unknown, or its value cannot be read"))
}

impl Asked {
    /// The system that is asked about, by its own name or by that of all its codes.
    fn system(&self) -> Result<&str, Failure> {
        let url = self
            .url
            .as_deref()
            .map(|url| url.trim_end_matches(ALL_CODES));
        let named = self.system.as_deref().or(url);
        named.ok_or_else(|| Failure::new(Code::Parameter, "no system is named"))
    }

    fn code(&self) -> Result<&str, Failure> {
        let code = self.code.as_deref();
        code.ok_or_else(|| Failure::new(Code::Parameter, "no code is named"))
    }

    /// The list of the system, where the hub has it in that edition.
    fn list<'t>(&self, tables: &'t Tables) -> Result<&'t Table, Failure> {
        let list = tables.list_of(self.system()?).map_err(Failure::internal)?;
        let held = |list: &&Table| match &self.version {
            Some(version) => list.head().edition == *version,
            None => true,
        };
        list.filter(held)
            .ok_or_else(|| Failure::from(Code::NotFound))
    }

    fn language(&self) -> &str {
        self.display_language.as_deref().unwrap_or("en")
    }
}

fn looked_up(tables: &Tables, _: &str, asked: &Asked) -> Result<Value, Failure> {
    let list = asked.list(tables)?;
    let row = tables.row(asked.system()?, asked.code()?);
    let row = row.ok_or_else(|| Failure::from(Code::NotFound))?;
    let head = list.head();
    let mut told = vec![
        json!({"name": "name", "valueString": head.id}),
        json!({"name": "version", "valueString": head.edition}),
    ];
    if let Some(display) = row.title(asked.language()) {
        told.push(json!({"name": "display", "valueString": display}));
    }
    for (column, field) in row.fields() {
        match column.strip_prefix("title") {
            Some(language) => {
                let language = language.strip_prefix('_').unwrap_or("en");
                told.push(json!({"name": "designation", "part": [
                    {"name": "language", "valueCode": language}, {"name": "value", "valueString": field},
                ]}));
            }
            None => told.push(json!({"name": "property", "part": [
                {"name": "code", "valueCode": column}, {"name": "value", "valueString": field},
            ]})),
        }
    }
    Ok(parameters(told))
}

fn validated(tables: &Tables, _: &str, asked: &Asked) -> Result<Value, Failure> {
    let list = asked.list(tables)?;
    let Some(row) = tables.row(asked.system()?, asked.code()?) else {
        let message = match list.head().complete {
            true => "the system has no such code",
            false => "the hub's list, which does not have every valid code, has no such code",
        };
        return Ok(refused(message, None));
    };
    let display = row.title(asked.language());
    let same = |one: &str, other: &str| {
        text::normalise(one).to_lowercase() == text::normalise(other).to_lowercase()
    };
    if let Some(given) = &asked.display
        && !row.titles().any(|title| same(title, given))
    {
        return Ok(refused("the code has another name", display));
    }
    Ok(parameters(verdict(true, display)))
}

fn refused(message: &str, display: Option<&str>) -> Value {
    let mut told = verdict(false, display);
    told.push(json!({"name": "message", "valueString": message}));
    parameters(told)
}

fn verdict(result: bool, display: Option<&str>) -> Vec<Value> {
    let result = json!({"name": "result", "valueBoolean": result});
    let display = display.map(|display| json!({"name": "display", "valueString": display}));
    [result].into_iter().chain(display).collect()
}

fn translated(
    tables: &Tables,
    judged: Option<Translation>,
    asked: &Asked,
) -> Result<Value, Failure> {
    let missing = || Failure::new(Code::Parameter, "no system is named");
    let system = asked.system.as_deref().ok_or_else(missing)?;
    let into = asked.targetsystem.as_deref();
    let said = tables.translate(system, asked.code()?, into);
    let mut said = said.map_err(Failure::internal)?;
    said.extend(judged);
    let wanted = |told: &&Translation| match &asked.url {
        Some(url) => url.strip_prefix(MAP) == Some(told.map.as_str()),
        None => true,
    };
    let said: Vec<&Translation> = said.iter().filter(wanted).collect();
    let found = said.iter().any(|told| !told.targets.is_empty());
    let mut told = verdict(found, None);
    if !said.iter().any(|told| told.is_applied) {
        let message = match found {
            true => "no map is sure of it: messages keep the code as it is",
            false => "no map leads anywhere from it",
        };
        told.push(json!({"name": "message", "valueString": message}));
    }
    told.extend(said.into_iter().flat_map(|one| matches(tables, one)));
    Ok(parameters(told))
}

/// The matches that a map tells: one for each code that may be the first of those needed.
fn matches(tables: &Tables, told: &Translation) -> Vec<Value> {
    let coding = |code: &takmil_domain::code::Code| {
        let title = tables.row(&code.system, &code.code);
        let title = title.and_then(|row| row.title("en"));
        let mut coding = json!({"system": code.system, "code": code.code});
        if let (Some(title), Some(coding)) = (title, coding.as_object_mut()) {
            coding.insert("display".to_owned(), json!(title));
        }
        coding
    };
    let source = format!("{MAP}{}", told.map);
    let one = |concept: Option<Value>| {
        let mut parts = vec![json!({"name": "equivalence", "valueCode": told.equivalence})];
        parts.extend(concept.map(|concept| json!({"name": "concept", "valueCoding": concept})));
        for code in told.targets.iter().skip(1).flatten() {
            parts.push(json!({"name": "product", "part": [
                {"name": "element", "valueUri": source}, {"name": "concept", "valueCoding": coding(code)},
            ]}));
        }
        parts.push(json!({"name": "source", "valueUri": source}));
        json!({"name": "match", "part": parts})
    };
    match told.targets.first() {
        Some(codes) => codes.iter().map(|code| one(Some(coding(code)))).collect(),
        None => vec![one(None)],
    }
}

fn expanded(tables: &Tables, today: &str, asked: &Asked) -> Result<Value, Failure> {
    let list = asked.list(tables)?;
    let head = list.head();
    let offset = asked.offset.unwrap_or(0);
    let count = asked.count.unwrap_or(PAGE).min(MAX_PAGE);
    let filter = asked.filter.as_deref().unwrap_or_default();
    let (total, page) = Tables::expand(list, filter, offset, count);
    let contained = |row: Row<'_>| {
        let mut one = json!({"system": head.system, "version": head.edition, "code": row.code()});
        if let (Some(title), Some(one)) = (row.title(asked.language()), one.as_object_mut()) {
            one.insert("display".to_owned(), json!(title));
        }
        one
    };
    let contains: Vec<Value> = page.into_iter().map(contained).collect();
    let mut expansion = json!({
        "timestamp": today,
        "total": total,
        "offset": offset,
        "parameter": [
            {"name": "filter", "valueString": filter},
            {"name": "count", "valueInteger": count},
            {"name": "version", "valueUri": format!("{}|{}", head.system, head.edition)},
        ],
    });
    if filter.is_empty()
        && let Some(parameters) = expansion
            .pointer_mut("/parameter")
            .and_then(Value::as_array_mut)
    {
        // FHIR knows no empty text.
        parameters.remove(0);
    }
    if !contains.is_empty()
        && let Some(expansion) = expansion.as_object_mut()
    {
        expansion.insert("contains".to_owned(), json!(contains));
    }
    Ok(json!({
        "resourceType": "ValueSet",
        "url": format!("{}{ALL_CODES}", head.system),
        "version": head.edition,
        "status": "active",
        "expansion": expansion,
    }))
}

fn parameters(parameter: Vec<Value>) -> Value {
    json!({"resourceType": "Parameters", "parameter": parameter})
}
