//! The page that documents the hub's interface, made from its OpenAPI document and its registries.
//!
//! It works offline, printed, and for a screen reader: one page, one style sheet, no script.

mod view;

use askama::Template;
use serde_json::Value;

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
    fn nothing_is_fetched_from_elsewhere_and_nothing_runs() {
        let html = shown();
        assert!(html.contains("Second &#60;b&#62;."), "text is escaped");
        for foreign in ["<script", "http://", "https://", "style=\""] {
            assert!(!html.contains(foreign), "{foreign} stands on the page");
        }
        assert!(!STYLE.contains("url("));
    }
}
