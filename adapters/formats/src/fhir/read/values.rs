//! FHIR's datatypes in canonical words. Whatever a function here cannot take exactly it leaves unread.

use takmil_domain::code::{Code, Coded, Coding};
use takmil_domain::date::{Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::money::{Amount, Currency, Quantity};
use takmil_domain::prescription::{Measure, Ratio};
use takmil_domain::problem::ProblemCode;
use takmil_domain::text::digits;

use super::cursor::Cursor;

/// Digits after the point that a [`Quantity`] keeps.
const QUANTITY_SCALE: usize = 9;

/// One coding.
pub(super) fn coding(c: Cursor) -> Option<Coding> {
    let coding = Coding {
        system: c.text("system").unwrap_or_default().to_owned(),
        version: c.text("version").map(Into::into),
        code: c.text("code").map(digits).unwrap_or_default().into_owned(),
        display: c.text("display").map(Into::into),
    };
    (coding != Coding::default()).then_some(coding)
}

/// A concept of one coding.
pub(super) fn coded(c: Cursor) -> Option<Coded> {
    let source = Some(coding(c)?);
    Some(Coded {
        source,
        ..Coded::default()
    })
}

/// A concept with all its codings and words.
pub(super) fn concept(c: Cursor) -> Option<Coded> {
    let mut codings = c.items("coding").filter_map(coding);
    let concept = Coded {
        source: codings.next(),
        others: codings.collect(),
        text: c.text("text").map(Into::into),
        ..Coded::default()
    };
    (concept != Coded::default()).then_some(concept)
}

/// The concept under that name.
pub(super) fn concept_at(c: Cursor, key: &str) -> Option<Coded> {
    concept(c.get(key)?)
}

/// The concepts of the list under that name.
pub(super) fn concepts(c: Cursor, key: &str) -> Vec<Coded> {
    c.items(key).filter_map(concept).collect()
}

/// An identifier; none where it has no value.
pub(super) fn identifier(c: Cursor) -> Option<Identifier> {
    let value = c.text("value")?;
    let system = c.text("system").unwrap_or_default();
    Some(Identifier::new(system, digits(value)))
}

/// The identifiers of the list (or the single one) under that name.
pub(super) fn identifiers(c: Cursor, key: &str) -> Vec<Identifier> {
    c.items(key).filter_map(identifier).collect()
}

/// The date or time under that name.
pub(super) fn when(c: Cursor, key: &str) -> Option<When> {
    moment(c.get(key)?)
}

/// The date or time that stands here.
pub(super) fn moment(c: Cursor) -> Option<When> {
    let when = When::parse(c.node.as_str()?)?;
    c.as_str();
    Some(when)
}

/// A period.
pub(super) fn period(c: Cursor) -> Option<Period> {
    let period = Period {
        start: when(c, "start"),
        end: when(c, "end"),
    };
    (period != Period::default()).then_some(period)
}

/// The day or period under `stem`, a day as a period of that day.
pub(super) fn span(c: Cursor, stem: &str) -> Option<Period> {
    match c.choice(stem)? {
        ("Period", value) => period(value),
        (_, value) => moment(value).map(single),
    }
}

/// A day or moment as a period.
pub(super) fn single(when: When) -> Period {
    Period {
        start: Some(when.clone()),
        end: Some(when),
    }
}

/// The number that stands here. Digits beyond what the hub keeps are cut off, and the place is told as unread.
pub(super) fn quantity(c: Cursor) -> Option<Quantity> {
    let text = c.as_number()?;
    if let Some(quantity) = Quantity::parse(text) {
        return Some(quantity);
    }
    if is_negative(text) {
        c.fault(ProblemCode::Negative, "a quantity is 0 or more");
        return None;
    }
    let cut = text.find('.').and_then(|point| {
        let end = point.saturating_add(1).saturating_add(QUANTITY_SCALE);
        Quantity::parse(text.get(..end)?)
    });
    match cut {
        Some(_) => c.inexact(),
        None => c.fault(
            ProblemCode::OutOfRange,
            "a quantity is larger than any real one, or smaller",
        ),
    }
    cut
}

/// Whether a number's text is below zero.
pub(super) fn is_negative(text: &str) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    text.starts_with('-') && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// A quantity with its unit. One that is only a bound (`< 5`) is not taken for the number.
pub(super) fn measure(c: Cursor) -> Option<Measure> {
    if c.get("comparator").is_some() {
        return None;
    }
    let measure = Measure {
        value: c.get("value").and_then(quantity),
        unit: c.text("unit").map(Into::into),
        coded: unit_code(c),
    };
    (measure != Measure::default()).then_some(measure)
}

/// The quantity with its unit under that name.
pub(super) fn measure_at(c: Cursor, key: &str) -> Option<Measure> {
    measure(c.get(key)?)
}

/// The code of a quantity's unit.
pub(super) fn unit_code(c: Cursor) -> Option<Code> {
    let code = c.text("code")?;
    Some(Code::new(
        c.text("system").unwrap_or_default(),
        digits(code),
    ))
}

/// A ratio.
pub(super) fn ratio(c: Cursor) -> Option<Ratio> {
    let ratio = Ratio {
        numerator: measure_at(c, "numerator"),
        denominator: measure_at(c, "denominator"),
    };
    (ratio != Ratio::default()).then_some(ratio)
}

/// The amount under that name.
pub(super) fn money_at(c: Cursor, key: &str) -> Option<Amount> {
    money(c.get(key)?)
}

/// An amount in the one currency of the message. One that is finer than the currency's smallest unit is
/// rounded, and the place is told as unread.
pub(super) fn money(c: Cursor) -> Option<Amount> {
    let currency = currency(c)?;
    let value = c.get("value")?;
    let text = value.as_number()?;
    if is_negative(text) {
        value.fault(ProblemCode::Negative, "an amount is 0 or more");
        return None;
    }
    match Amount::from_decimal(text, c.reader.exponent(currency)) {
        Ok((amount, rounded)) => {
            if rounded {
                value.inexact();
            }
            c.reader.has_money.set(true);
            Some(amount)
        }
        Err(_) => {
            value.fault(
                ProblemCode::OutOfRange,
                "an amount is larger than any real one",
            );
            None
        }
    }
}

/// The currency of an amount: its own, else the message's, else the one agreed with the sender.
fn currency(c: Cursor) -> Option<Currency> {
    let known = c.reader.currency.get();
    let Some(named) = c.get("currency") else {
        let agreed = c.reader.context.default_currency;
        let currency = known.or(agreed).unwrap_or(Currency::NONE);
        c.reader.currency.set(Some(currency));
        return Some(currency);
    };
    let Some(currency) = Currency::parse(named.as_str()?) else {
        named.fault(
            ProblemCode::UnknownCurrency,
            "the hub does not count in this currency",
        );
        return None;
    };
    if known.is_some_and(|known| known != currency) {
        let detail = "an earlier amount of the message is in another currency";
        named.fault(ProblemCode::MixedCurrency, detail);
        return None;
    }
    c.reader.currency.set(Some(currency));
    Some(currency)
}

/// The name of a person: as a whole where it is given so, else from its parts.
pub(super) fn name(c: Cursor) -> Option<String> {
    if let Some(text) = c.text("text") {
        // The parts say the same again.
        for part in ["prefix", "given", "family", "suffix", "use"] {
            c.get(part).into_iter().for_each(Cursor::understood);
        }
        return Some(text.to_owned());
    }
    let parts = ["prefix", "given", "family", "suffix"];
    let words: Vec<&str> = parts
        .iter()
        .flat_map(|part| c.items(part).filter_map(Cursor::as_str))
        .collect();
    c.text("use");
    (!words.is_empty()).then(|| words.join(" "))
}

/// The name that a person goes by: the official or usual one, else the first.
pub(super) fn best_name(c: Cursor) -> Option<String> {
    let names: Vec<Cursor> = c.items("name").collect();
    let uses = |wanted| {
        let mut all = names.iter();
        all.find(|name| name.node.text("use") == Some(wanted))
    };
    let best = uses("official")
        .or_else(|| uses("usual"))
        .or(names.first())?;
    name(*best)
}

/// An address in words.
pub(super) fn address(c: Cursor) -> Option<String> {
    if let Some(text) = c.text("text") {
        return Some(text.to_owned());
    }
    let parts = ["line", "postalCode", "city", "district", "state", "country"];
    let words: Vec<&str> = parts
        .iter()
        .flat_map(|part| c.items(part).filter_map(Cursor::as_str))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}
