//! The page that documents the hub's interface, made from its OpenAPI document and its registries.
//!
//! It works offline, printed, and for a screen reader: one page, one style sheet, no script. Beside it stands a page that
//! reads whatever is pasted into it.

mod view;

use askama::Template;
use serde_json::Value;
use takmil_domain::problem::Problem;

use view::{Group, Schema};

/// The page's style sheet, which it asks for beside itself as `docs/style.css`.
pub const STYLE: &str = include_str!("../../templates/docs.css");

/// A published list: one row for each code, each with an anchor of its own.
#[derive(Debug, Clone)]
pub struct Registry {
    /// The name of its anchor.
    pub anchor: &'static str,
    /// Its title.
    pub title: &'static str,
    /// One sentence on what its codes are.
    pub about: &'static str,
    /// The heads of its columns; the first is the code's.
    pub columns: Vec<&'static str>,
    /// Its rows, as wide as its columns.
    pub rows: Vec<Vec<String>>,
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Page<'a> {
    title: &'a str,
    version: &'a str,
    about: Vec<&'a str>,
    groups: Vec<Group<'a>>,
    schemas: Vec<Schema<'a>>,
    registries: &'a [Registry],
}

/// The page, as HTML.
///
/// # Errors
/// [`askama::Error`] if the template cannot be filled; never on account of the document, whose missing parts
/// are left out.
pub fn page(openapi: &Value, registries: &[Registry]) -> Result<String, askama::Error> {
    let info = |key: &str| {
        openapi
            .pointer(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let page = Page {
        title: info("/info/title"),
        version: info("/info/version"),
        about: view::paragraphs(info("/info/description")),
        groups: view::groups(openapi),
        schemas: view::schemas(openapi),
        registries,
    };
    page.render()
}

/// A pasted body, and what the hub reads in it.
#[derive(Debug, Clone, Template)]
#[template(path = "reader.html")]
pub struct Pasted {
    /// The body, shown again.
    pub body: String,
    /// The currency that the reader was told, shown again.
    pub currency: String,
    /// The formats that the hub reads.
    pub formats: Vec<&'static str>,
    /// What was read; `None` before anything is pasted.
    pub reading: Option<Result<Understood, Problem>>,
}

/// What a pasted body holds.
#[derive(Debug, Clone)]
pub struct Understood {
    /// The name of its format.
    pub format: &'static str,
    /// Its messages, in order.
    pub messages: Vec<Entry>,
    /// Pointers to what is part of no message.
    pub unread: Vec<String>,
}

/// One message of a pasted body.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it stands in the body; empty where it is the whole.
    pub place: String,
    /// Its kind and canonical JSON, or what is wrong with it.
    pub outcome: Result<(&'static str, String), Vec<Problem>>,
}

/// The page on which a body is pasted and what the hub reads in it is shown, as HTML.
///
/// # Errors
/// [`askama::Error`] if the template cannot be filled.
pub fn reader(pasted: &Pasted) -> Result<String, askama::Error> {
    pasted.render()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    fn shown() -> String {
        let openapi = json!({
            "info": {"title": "Hub", "version": "1", "description": "First.\n\nSecond <b>."},
            "tags": [{"name": "claims", "description": "Bills."}, {"name": "unused"}],
            "paths": {"/v1/claims": {"post": {
                "tags": ["claims"], "operationId": "send_claim", "summary": "Sends a claim.",
                "parameters": [{"name": "Idempotency-Key", "in": "header", "description": "One effect."}],
                "requestBody": {"content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/claim"},
                    "examples": {"dental": {"value": {"kind": "claim"}}},
                }}},
                "responses": {"200": {"description": "Taken."}},
            }}},
            "components": {"schemas": {"claim": {
                "title": "A bill", "required": ["kind"],
                "properties": {"kind": {"const": "claim"}, "lines": {"type": "array", "items": {"$ref": "#/components/schemas/line"}}},
            }}},
        });
        let registry = Registry {
            anchor: "reasons",
            title: "Reasons",
            about: "Why.",
            columns: vec!["code", "meaning"],
            rows: vec![vec!["BEN-WAITING".to_owned(), "Too early.".to_owned()]],
        };
        page(&openapi, &[registry]).unwrap()
    }

    #[test]
    fn everything_of_the_document_is_on_the_page() {
        let html = shown();
        for part in [
            "<h1>Hub</h1>",
            "<p>First.</p>",
            "href=\"#send_claim\"",
            "/v1/claims",
            "Idempotency-Key",
            "href=\"#schema-claim\"",
            "href=\"#schema-line\"",
            "id=\"BEN-WAITING\"",
            "Too early.",
        ] {
            assert!(html.contains(part), "{part} is missing");
        }
        assert!(
            !html.contains("unused"),
            "a tag without operations has no heading"
        );
    }

    #[test]
    fn what_is_pasted_is_shown_with_what_was_read_and_runs_nowhere() {
        let problem = Problem::new(
            takmil_domain::problem::ProblemCode::BadValue,
            "/lines/0/<b>",
            "a code, not \"<script>\"",
        );
        let entry = |place: &str, outcome| Entry {
            place: place.to_owned(),
            outcome,
        };
        let html = reader(&Pasted {
            body: "</textarea><script>".to_owned(),
            currency: "IRR".to_owned(),
            formats: vec!["native", "x12"],
            reading: Some(Ok(Understood {
                format: "native",
                messages: vec![
                    entry(
                        "/0",
                        Ok(("claim", "{\n  \"kind\": \"claim\"\n}".to_owned())),
                    ),
                    entry("/1", Err(vec![problem])),
                ],
                unread: vec!["/2".to_owned()],
            })),
        });
        let html = html.unwrap();
        for part in [
            "native, x12",
            "value=\"IRR\"",
            "&#34;claim&#34;",
            "VAL-VALUE",
            "docs#VAL-VALUE",
            "<code>/2</code>",
        ] {
            assert!(html.contains(part), "{part} is missing in {html}");
        }
        assert!(
            !html.contains("<script") && !html.contains("<b>"),
            "text is escaped"
        );
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere_and_nothing_runs() {
        let html = shown();
        assert!(html.contains("Second &#60;b&#62;."), "text is escaped");
        for foreign in ["<script", "http://", "https://", "style=\""] {
            assert!(!html.contains(foreign), "{foreign} stands on the page");
        }
        assert!(!STYLE.contains("url("));
    }
}
