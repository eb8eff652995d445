//! The published schemas of what goes in and out beside wire messages, and the reading of what comes in by
//! them: plans, tariffs, covers, decisions. Every problem is told with its place, and none repeats a value.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Registry, ValidationError, Validator};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::OnceLock;
use takmil_domain::date::Date;
use takmil_domain::message::Kind;
use takmil_domain::money::{Currency, Quantity, Rate};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_formats::{MAX_PROBLEMS, native};

/// A published schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema {
    /// The name in its address.
    pub(crate) name: &'static str,
    /// Its `$id`, by which the others refer to it.
    pub(crate) id: &'static str,
    /// Its text.
    pub(crate) text: &'static str,
}

/// What insurers and operators tell the hub.
const DOCUMENTS: Schema = Schema {
    name: "documents",
    id: "urn:takmil:schema:1:documents",
    text: include_str!("../schemas/documents.schema.json"),
};

/// What the hub answers.
const ANSWERS: Schema = Schema {
    name: "answers",
    id: "urn:takmil:schema:1:answers",
    text: include_str!("../schemas/answers.schema.json"),
};

/// The schemas that hold definitions: what all others are made of.
pub(crate) fn libraries() -> [Schema; 3] {
    let native::Schema { name, id, text } = native::COMMON;
    [Schema { name, id, text }, DOCUMENTS, ANSWERS]
}

/// Every published schema: the libraries, and one for each kind of message.
pub(crate) fn schemas() -> Vec<Schema> {
    let of_kind = |kind: &Kind| {
        let native::Schema { name, id, text } = native::schema(*kind);
        Schema { name, id, text }
    };
    libraries()
        .into_iter()
        .chain(Kind::ALL.iter().map(of_kind))
        .collect()
}

macro_rules! documents {
    ($($variant:ident $name:literal)+) => {
        /// The documents that the hub reads beside wire messages.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Document { $(#[doc = $name] $variant,)+ }

        impl Document {
            /// The name of its definition in the schema of documents.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Document::$variant => $name,)+ }
            }

            fn validator(self) -> &'static Validator {
                match self { $(Document::$variant => {
                    static COMPILED: OnceLock<Validator> = OnceLock::new();
                    COMPILED.get_or_init(|| compile(DOCUMENTS, $name))
                })+ }
            }
        }
    };
}

documents! {
    Plan "plan"
    BasePlan "base_plan"
    Tariff "tariff"
    ExchangeRate "exchange_rate"
    Regulation "regulation"
    CodeMap "code_map"
    ItemCode "item_code"
    Judgement "code_judgement"
    Enrolment "enrolment"
    Participant "participant"
    SecretRotation "secret_rotation"
    Posting "posting"
    Cancellation "cancellation"
    Reply "reply"
    Appeal "appeal"
    DeliveryAck "delivery_ack"
    DeliveryResolution "delivery_resolution"
    Redelivery "redelivery"
    CorrectionPeriod "correction_period"
    PaymentNotice "payment_notice"
    Objection "objection"
    Ruling "ruling"
    Figures "figures"
    DifferenceNote "difference_note"
    Closing "closing"
    Simulation "simulation"
}

/// A form of text that a schema names and the domain knows the meaning of.
struct TextForm {
    name: &'static str,
    holds: fn(&str) -> bool,
}

const FORMS: &[TextForm] = &[
    TextForm {
        name: "date",
        holds: |text| Date::parse(text).is_some(),
    },
    TextForm {
        name: "currency",
        holds: |text| Currency::parse(text).is_some(),
    },
    TextForm {
        name: "quantity",
        holds: |text| Quantity::parse(text).is_some(),
    },
    TextForm {
        name: "rate",
        holds: |text| Rate::parse(text).is_some(),
    },
];

#[expect(
    clippy::expect_used,
    reason = "the schemas are constants, and a test compiles each of them"
)]
fn compile(library: Schema, definition: &str) -> Validator {
    let mut registry = Registry::new();
    for schema in libraries() {
        let parsed: Value = serde_json::from_str(schema.text).expect("a schema is JSON");
        registry = registry
            .add(schema.id, parsed)
            .expect("a schema has a place in the registry");
    }
    let registry = registry
        .prepare()
        .expect("the libraries refer to each other alone");
    let options = jsonschema::options()
        .with_registry(&registry)
        .offline()
        .should_validate_formats(true);
    let options = FORMS.iter().fold(options, |options, form| {
        options.with_format(form.name, form.holds)
    });
    let entrance = serde_json::json!({"$ref": format!("{}#/$defs/{definition}", library.id)});
    options.build(&entrance).expect("a schema compiles")
}

/// Reads a body as one JSON value.
///
/// # Errors
/// The problem that it is no JSON.
pub(crate) fn json(body: &[u8]) -> Result<Value, Problem> {
    // Serde's own words are not passed on: they repeat values.
    serde_json::from_slice(body).map_err(|error| {
        let detail = format!("not JSON: line {}, column {}", error.line(), error.column());
        Problem::new(ProblemCode::Malformed, "", detail)
    })
}

/// Reads `value`, which stands at `place`, as a document.
///
/// # Errors
/// Everything that its schema refuses, at most [`MAX_PROBLEMS`].
pub(crate) fn read<T: DeserializeOwned>(
    document: Document,
    value: &Value,
    place: &str,
) -> Result<T, Vec<Problem>> {
    let validator = document.validator();
    if !validator.is_valid(value) {
        let errors = validator.iter_errors(value);
        return Err(errors
            .flat_map(|error| told(&error, place))
            .take(MAX_PROBLEMS)
            .collect());
    }
    T::deserialize(value).map_err(|_| {
        let detail = format!("it does not fit the types of a {}", document.name());
        vec![Problem::new(ProblemCode::BadValue, place, detail)]
    })
}

/// What one breach of a schema is told as.
fn told(error: &ValidationError<'_>, place: &str) -> Vec<Problem> {
    let pointer = format!("{place}{}", error.instance_path());
    let inner = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    let (code, detail) = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let unknown = |name: &String| {
                Problem::new(
                    ProblemCode::Unknown,
                    inner(name),
                    "there is no such element here",
                )
            };
            return unexpected.iter().take(MAX_PROBLEMS).map(unknown).collect();
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            return vec![Problem::new(
                ProblemCode::Missing,
                inner(name),
                format!("\"{name}\" is required"),
            )];
        }
        ValidationErrorKind::Type { kind } => (ProblemCode::WrongType, expected(kind)),
        ValidationErrorKind::Enum { options } => {
            (ProblemCode::BadValue, format!("expected one of {options}"))
        }
        ValidationErrorKind::Minimum { limit } => {
            (ProblemCode::OutOfRange, format!("expected {limit} or more"))
        }
        ValidationErrorKind::Maximum { limit } => {
            (ProblemCode::OutOfRange, format!("expected {limit} or less"))
        }
        ValidationErrorKind::Pattern { pattern } => (
            ProblemCode::BadValue,
            format!("expected the form {pattern}"),
        ),
        ValidationErrorKind::Format { format } => {
            (ProblemCode::BadValue, format!("expected a {format}"))
        }
        other => (
            ProblemCode::BadValue,
            format!("breaks \"{}\"", other.keyword()),
        ),
    };
    vec![Problem::new(code, pointer, detail)]
}

fn expected(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => format!("expected {one}"),
        TypeKind::Multiple(several) => {
            let names: Vec<String> = several.iter().map(|one| one.to_string()).collect();
            format!("expected {}", names.join(" or "))
        }
    }
}
