//! One spelling for what people and their programs write in several ways: digits of other scripts, Arabic
//! forms of Persian letters and stray spaces in codes, numbers as text, nothing as `null`. It changes no
//! name and no free text, and leaves whatever it cannot read for the schema to refuse.

use serde_json::Number;
use std::borrow::Cow;
use takmil_domain::text::normalise;

use super::tree::Node;

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
pub(super) fn respell(message: &mut Node<'_>) {
    inside(message, "", "");
}

/// Respells a value that is member `key` of an object that is itself member `outer`, or an item of that member.
fn inside(node: &mut Node<'_>, outer: &str, key: &str) {
    match node {
        Node::Object(members) => {
            members.retain(|(_, member)| !matches!(member, Node::Null));
            for (name, member) in members {
                inside(member, key, name);
            }
        }
        Node::List(items) => {
            for item in items {
                inside(item, outer, key);
            }
        }
        Node::Text(text) => {
            if let Some(respelt) = of_text(text, spelling(outer, key)) {
                *node = respelt;
            }
        }
        Node::Number(number) if number.is_f64() => {
            if let Some(respelt) = of_fraction(number, spelling(outer, key)) {
                *node = respelt;
            }
        }
        Node::Null | Node::Bool(_) | Node::Number(_) => {}
    }
}

fn of_text(text: &str, spelling: Spelling) -> Option<Node<'static>> {
    if spelling == Spelling::Kept {
        return None;
    }
    let plain = if is_plain(text) {
        Cow::Borrowed(text)
    } else {
        normalise(text)
    };
    let whole = match spelling {
        Spelling::Amount | Spelling::Quantity => plain.parse::<i64>().ok(),
        Spelling::Plain | Spelling::Kept => None,
    };
    match whole {
        Some(whole) => Some(Node::Number(whole.into())),
        None => (plain != text).then(|| Node::Text(Cow::Owned(plain.into_owned()))),
    }
}

/// Whether a text is ASCII without stray spaces, as nearly every code is: then it is spelt as it should be.
fn is_plain(text: &str) -> bool {
    let mut before = b' ';
    let fits = text.bytes().all(|byte| {
        let fits = byte.is_ascii_graphic() || (byte == b' ' && before != b' ');
        before = byte;
        fits
    });
    fits && (before != b' ' || text.is_empty())
}

/// `2.0` and `2e3` are whole numbers. Any other fraction becomes the decimal text that its sender wrote, which
/// is the shortest that reads back as the same number, so that no float goes further than this.
fn of_fraction(number: &Number, spelling: Spelling) -> Option<Node<'static>> {
    let text = number.as_f64()?.to_string();
    match text.parse::<i64>() {
        Ok(whole) => Some(Node::Number(whole.into())),
        Err(_) if spelling == Spelling::Quantity && !text.starts_with('-') => {
            Some(Node::Text(Cow::Owned(text)))
        }
        Err(_) => None,
    }
}
