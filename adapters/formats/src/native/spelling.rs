//! One spelling for what people and their programs write in several ways: digits of other scripts, Arabic
//! forms of Persian letters and stray spaces in codes, numbers as text, nothing as `null`. It changes no
//! name and no free text, and leaves whatever it cannot read for the schema to refuse.

use serde_json::{Number, Value};
use takmil_domain::text::normalise;

/// What stands at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// A code, an identifier, a day or a moment: text to be made comparable.
    Plain,
    /// Money: a whole number.
    Amount,
    /// A whole number, else a decimal text.
    Quantity,
    /// A name, free words, an address: kept letter by letter.
    Kept,
}

/// What stands in member `key` of an object (or of objects) that is itself member `outer`.
fn spelling(outer: &str, key: &str) -> Spelling {
    match key {
        "system" | "code" | "version" | "map" | "equivalence" => Spelling::Plain,
        "kind" | "schema" | "status" | "currency" | "language" | "relation" => Spelling::Plain,
        "sex" | "sector" | "role" | "class" | "intent" | "purposes" | "batch" => Spelling::Plain,
        "authorisation" | "authorisations" | "base_confirmation" | "confirmation" => {
            Spelling::Plain
        }
        "circumstance" | "sha256" | "media_type" => Spelling::Plain,
        "created" | "occurred_on" | "birth_date" | "start" | "end" | "when" | "authored"
        | "prepared" | "handed_over" | "expires" | "events" => Spelling::Plain,
        "amount" | "total" | "unit_price" | "billed" | "paid" | "subsidy" | "paid_by_member" => {
            Spelling::Amount
        }
        "quantity" | "factor" => Spelling::Quantity,
        "value" => match outer {
            "quantity" | "first_fill" | "days_supply" | "interval" | "doses" | "numerator"
            | "denominator" | "duration" | "period" => Spelling::Quantity,
            _ => Spelling::Plain,
        },
        _ => Spelling::Kept,
    }
}

/// Respells everything within one message.
pub(super) fn respell(message: &mut Value) {
    inside(message, "", Spelling::Kept);
}

fn inside(value: &mut Value, name: &str, spelling_here: Spelling) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            for (key, member) in members {
                inside(member, key, spelling(name, key));
            }
        }
        Value::Array(items) => {
            for item in items {
                inside(item, name, spelling_here);
            }
        }
        Value::String(text) => {
            if let Some(respelt) = of_text(text, spelling_here) {
                *value = respelt;
            }
        }
        Value::Number(number) => {
            if let Some(respelt) = of_number(number, spelling_here) {
                *value = respelt;
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn of_text(text: &str, spelling: Spelling) -> Option<Value> {
    if spelling == Spelling::Kept {
        return None;
    }
    let plain = normalise(text);
    let whole = match spelling {
        Spelling::Amount | Spelling::Quantity => plain.parse::<i64>().ok(),
        Spelling::Plain | Spelling::Kept => None,
    };
    match whole {
        Some(whole) => Some(whole.into()),
        None => (plain != text).then(|| plain.into_owned().into()),
    }
}

/// `2.0` and `2e3` are whole numbers. Any other fraction becomes the decimal text that its sender wrote, which
/// is the shortest that reads back as the same number, so that no float goes further than this.
fn of_number(number: &Number, spelling: Spelling) -> Option<Value> {
    if !number.is_f64() {
        return None;
    }
    let text = number.as_f64()?.to_string();
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) if spelling == Spelling::Quantity && !text.starts_with('-') => Some(text.into()),
        Err(_) => None,
    }
}
