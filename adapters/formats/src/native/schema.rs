//! The published schemas of canonical messages, and what a message that breaks them is told.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Registry, ValidationError, Validator};
use serde_json::Value;
use std::sync::OnceLock;
use takmil_domain::date::{Date, When};
use takmil_domain::message::Kind;
use takmil_domain::money::{Currency, Quantity};
use takmil_domain::problem::{Problem, ProblemCode};

use super::instance::Tree;
use super::tree::Node;
use crate::MAX_PROBLEMS;

/// A published JSON Schema (2020-12).
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The name of its file, without ending: a kind's name, or `common`.
    pub name: &'static str,
    /// Its `$id`, by which the others refer to it.
    pub id: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// What all kinds are made of.
pub const COMMON: Schema = Schema {
    name: "common",
    id: "urn:takmil:schema:1:common",
    text: include_str!("../../schemas/common.schema.json"),
};

/// The schema of messages of `kind`; it refers to [`COMMON`] and to nothing else.
pub const fn schema(kind: Kind) -> Schema {
    match kind {
        Kind::Eligibility => Schema {
            name: "eligibility",
            id: "urn:takmil:schema:1:eligibility",
            text: include_str!("../../schemas/eligibility.schema.json"),
        },
        Kind::Estimate => Schema {
            name: "estimate",
            id: "urn:takmil:schema:1:estimate",
            text: include_str!("../../schemas/estimate.schema.json"),
        },
        Kind::Prescription => Schema {
            name: "prescription",
            id: "urn:takmil:schema:1:prescription",
            text: include_str!("../../schemas/prescription.schema.json"),
        },
        Kind::Dispense => Schema {
            name: "dispense",
            id: "urn:takmil:schema:1:dispense",
            text: include_str!("../../schemas/dispense.schema.json"),
        },
        Kind::Admission => Schema {
            name: "admission",
            id: "urn:takmil:schema:1:admission",
            text: include_str!("../../schemas/admission.schema.json"),
        },
        Kind::Preauthorization => Schema {
            name: "preauthorization",
            id: "urn:takmil:schema:1:preauthorization",
            text: include_str!("../../schemas/preauthorization.schema.json"),
        },
        Kind::Claim => Schema {
            name: "claim",
            id: "urn:takmil:schema:1:claim",
            text: include_str!("../../schemas/claim.schema.json"),
        },
        Kind::Cancel => Schema {
            name: "cancel",
            id: "urn:takmil:schema:1:cancel",
            text: include_str!("../../schemas/cancel.schema.json"),
        },
    }
}

/// A definition of the common schema that is exact beyond what its pattern says: its `format` has its name.
struct Exact {
    name: &'static str,
    holds: fn(&str) -> bool,
    /// What a text is that breaks the pattern.
    malformed: ProblemCode,
    /// What a text is that keeps to the pattern and still means nothing.
    unreal: ProblemCode,
    meaning: &'static str,
}

const EXACT: &[Exact] = &[
    Exact {
        name: "date",
        holds: |text| Date::parse(text).is_some(),
        malformed: ProblemCode::BadDate,
        unreal: ProblemCode::BadDate,
        meaning: "expected a real Gregorian day as YYYY-MM-DD",
    },
    Exact {
        name: "when",
        holds: |text| When::parse(text).is_some(),
        malformed: ProblemCode::BadDate,
        unreal: ProblemCode::BadDate,
        meaning: "expected a real Gregorian YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss+hh:mm",
    },
    Exact {
        name: "currency",
        holds: |text| Currency::parse(text).is_some(),
        malformed: ProblemCode::UnknownCurrency,
        unreal: ProblemCode::UnknownCurrency,
        meaning: "expected the ISO 4217 code of a currency that the hub counts in",
    },
    Exact {
        name: "quantity",
        holds: |text| Quantity::parse(text).is_some(),
        malformed: ProblemCode::BadValue,
        unreal: ProblemCode::OutOfRange,
        meaning: "expected 0 to 1000000000 with up to nine digits after the point",
    },
];

/// Everything about `message`, which stands at `place`, that the schema of its kind refuses; at most
/// [`MAX_PROBLEMS`]. No sentence repeats what the sender wrote.
pub(super) fn problems(kind: Kind, message: &Node<'_>, place: &str) -> Vec<Problem> {
    let validator = compiled(kind);
    if validator.is_valid(message) {
        return Vec::new();
    }
    let mut problems: Vec<Problem> = Vec::new();
    for problem in validator
        .iter_errors(message)
        .flat_map(|error| told(&error, place))
    {
        // One breach of a place is enough to repair it: what breaks a pattern breaks its format as well.
        if !problems
            .iter()
            .any(|earlier| earlier.pointer == problem.pointer)
        {
            problems.push(problem);
        }
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    problems
}

fn compiled(kind: Kind) -> &'static Validator<Tree> {
    static COMPILED: [OnceLock<Validator<Tree>>; Kind::ALL.len()] =
        [const { OnceLock::new() }; Kind::ALL.len()];
    COMPILED[kind as usize].get_or_init(|| compile(kind))
}

#[expect(
    clippy::expect_used,
    reason = "the schemas are constants, and a test compiles each of them"
)]
fn compile(kind: Kind) -> Validator<Tree> {
    let parsed = |text| serde_json::from_str::<Value>(text).expect("a schema is JSON");
    let common = parsed(COMMON.text);
    let registry = Registry::new()
        .add(COMMON.id, &common)
        .and_then(|registry| registry.prepare())
        .expect("the common schema refers to itself alone");
    let options = jsonschema::options_for::<Tree>()
        .with_registry(&registry)
        .offline()
        .should_validate_formats(true);
    let options = EXACT.iter().fold(options, |options, exact| {
        options.with_format(exact.name, exact.holds)
    });
    options
        .build(&parsed(schema(kind).text))
        .expect("a schema compiles")
}

/// What one breach of the schema is told as: one problem, or one for each element that is not known.
fn told(error: &ValidationError<'_>, place: &str) -> Vec<Problem> {
    let pointer = format!("{place}{}", error.instance_path());
    let (code, detail) = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let one = |name: &String| {
                let pointer = format!("{pointer}/{}", step(name));
                Problem::new(
                    ProblemCode::Unknown,
                    pointer,
                    "the format has no such element here",
                )
            };
            return unexpected.iter().take(MAX_PROBLEMS).map(one).collect();
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let pointer = format!("{pointer}/{}", step(name));
            let detail = format!("\"{name}\" is required");
            return vec![Problem::new(ProblemCode::Missing, pointer, detail)];
        }
        ValidationErrorKind::Type { kind } => (ProblemCode::WrongType, expected_type(kind)),
        ValidationErrorKind::Enum { options } => {
            (ProblemCode::BadValue, format!("expected one of {options}"))
        }
        ValidationErrorKind::Constant { expected_value } => {
            (ProblemCode::BadValue, format!("expected {expected_value}"))
        }
        ValidationErrorKind::Minimum { limit } => {
            (ProblemCode::Negative, format!("expected {limit} or more"))
        }
        ValidationErrorKind::Maximum { limit } => {
            (ProblemCode::OutOfRange, format!("expected {limit} or less"))
        }
        ValidationErrorKind::MinLength { limit } => (
            ProblemCode::BadValue,
            format!("expected {limit} character or more"),
        ),
        ValidationErrorKind::MaxLength { limit } => (
            ProblemCode::TooLarge,
            format!("expected at most {limit} characters"),
        ),
        ValidationErrorKind::MaxItems { limit } => {
            let is_lines = matches!(last_step(&pointer), "lines" | "details");
            let code = if is_lines {
                ProblemCode::TooManyLines
            } else {
                ProblemCode::TooMany
            };
            (code, format!("expected at most {limit} elements"))
        }
        ValidationErrorKind::Format { .. } => match exact(error) {
            Some(exact) => (exact.unreal, exact.meaning.to_owned()),
            None => (ProblemCode::BadValue, "expected another form".to_owned()),
        },
        ValidationErrorKind::Pattern { pattern } => match exact(error) {
            Some(exact) => (exact.malformed, exact.meaning.to_owned()),
            None => (
                ProblemCode::BadValue,
                format!("expected the form {pattern}"),
            ),
        },
        other => (
            ProblemCode::BadValue,
            format!("breaks \"{}\"", other.keyword()),
        ),
    };
    vec![Problem::new(code, pointer, detail)]
}

/// The exact definition that was broken, by the keyword's place in the common schema.
fn exact(error: &ValidationError<'_>) -> Option<&'static Exact> {
    let keyword = error.absolute_keyword_location()?.fragment()?.as_str();
    let name = keyword.strip_prefix("/$defs/")?.split('/').next()?;
    EXACT.iter().find(|exact| exact.name == name)
}

fn expected_type(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => format!("expected {one}"),
        TypeKind::Multiple(several) => {
            let names: Vec<String> = several.iter().map(|one| one.to_string()).collect();
            format!("expected {}", names.join(" or "))
        }
    }
}

fn last_step(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or_default()
}

/// A name as a step of a JSON pointer.
fn step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
