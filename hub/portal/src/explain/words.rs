//! The texts of one language, and numbers, amounts, rates and days as its readers write them.
//!
//! Texts are Fluent messages, one file a language. What is put into them is set apart by the marks of Unicode's
//! bidirectional algorithm, so that a Latin name or a number never turns a sentence around.

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use std::sync::OnceLock;
use takmil_domain::date::Date;
use takmil_domain::money::{Amount, Currency, Quantity, Rate};
use unic_langid::LanguageIdentifier;

use super::language::Language;

const TEXTS: [(Language, &str); 5] = [
    (Language::Fa, include_str!("../../words/fa/explain.ftl")),
    (Language::Ar, include_str!("../../words/ar/explain.ftl")),
    (Language::Pt, include_str!("../../words/pt/explain.ftl")),
    (Language::Fr, include_str!("../../words/fr/explain.ftl")),
    (Language::En, include_str!("../../words/en/explain.ftl")),
];

/// The parsed texts of a language.
pub(super) fn resource(language: Language) -> &'static FluentResource {
    static PARSED: OnceLock<Vec<(Language, FluentResource)>> = OnceLock::new();
    static NONE: OnceLock<FluentResource> = OnceLock::new();
    // A text that does not parse is left out here; a test holds that there is none.
    let read = |text: &str| match FluentResource::try_new(text.to_owned()) {
        Ok(resource) | Err((resource, _)) => resource,
    };
    let parsed = PARSED.get_or_init(|| TEXTS.map(|(own, text)| (own, read(text))).into());
    let own = parsed.iter().find(|(own, _)| *own == language);
    own.map_or_else(|| NONE.get_or_init(|| read("")), |(_, resource)| resource)
}

/// The words of a language.
pub(super) struct Words {
    /// Which language.
    pub(super) language: Language,
    bundle: FluentBundle<&'static FluentResource>,
}

impl Words {
    /// The words of a language.
    pub(super) fn of(language: Language) -> Words {
        let tag: Option<LanguageIdentifier> = language.tag().parse().ok();
        let mut bundle = FluentBundle::new(tag.into_iter().collect());
        bundle.add_resource_overriding(resource(language));
        bundle.set_formatter(Some(match language {
            Language::Fa => |value, _| shown(Language::Fa, value),
            Language::Ar => |value, _| shown(Language::Ar, value),
            Language::Pt => |value, _| shown(Language::Pt, value),
            Language::Fr => |value, _| shown(Language::Fr, value),
            Language::En => |value, _| shown(Language::En, value),
        }));
        Words { language, bundle }
    }

    /// A message. One that is missing says its own name, and what it lacks shows as a gap: tests hold that
    /// neither happens.
    pub(super) fn say(&self, id: &str, args: &FluentArgs<'_>) -> String {
        let message = self.bundle.get_message(id);
        let Some(pattern) = message.and_then(|message| message.value()) else {
            return id.to_owned();
        };
        let said = self
            .bundle
            .format_pattern(pattern, Some(args), &mut Vec::new());
        said.into_owned()
    }

    /// An attribute of a message; `None` where the message has none such, or where `args` lacks what it tells.
    pub(super) fn say_if(
        &self,
        id: &str,
        attribute: &str,
        args: &FluentArgs<'_>,
    ) -> Option<String> {
        let pattern = self.bundle.get_message(id)?.get_attribute(attribute)?;
        let mut lacking = Vec::new();
        let said = self
            .bundle
            .format_pattern(pattern.value(), Some(args), &mut lacking);
        lacking.is_empty().then(|| said.into_owned())
    }

    /// An amount with its currency.
    pub(super) fn money(&self, amount: Amount, currency: Currency, exponent: u32) -> String {
        self.worth(&amount.to_decimal(exponent), currency)
    }

    /// Whole units of a currency, as a plain decimal number.
    pub(super) fn worth(&self, plain: &str, currency: Currency) -> String {
        let own = format!("money-{currency}");
        let id = match self.bundle.has_message(&own) {
            true => own.as_str(),
            false => "money",
        };
        let args = args([
            ("amount", self.language.number(plain).into()),
            ("count", count(plain)),
            ("currency", currency.to_string().into()),
        ]);
        bare(&self.say(id, &args))
    }

    /// A rate, as a percentage where it is a decimal one.
    pub(super) fn rate(&self, rate: Rate) -> String {
        let text = rate.to_string();
        if let Some((top, bottom)) = text.split_once('/') {
            let number = |text: &str| self.language.number(text);
            return format!("{}/{}", number(top), number(bottom));
        }
        let percent = percent(&text).unwrap_or(text);
        let number = self.language.number(&percent);
        bare(&self.say("percent", &args([("number", number.into())])))
    }

    /// A quantity: a number that is written as the language writes it, and counted as it counts.
    pub(super) fn quantity(&self, quantity: Quantity) -> FluentValue<'static> {
        count(&quantity.to_string())
    }

    /// A day in the language's calendar.
    pub(super) fn date(&self, date: Date) -> String {
        let (year, month, day) = date.ymd_in(self.language.calendar());
        let year = self.language.digits(&year.to_string());
        let args = args([
            ("day", FluentValue::from(day)),
            ("month", FluentValue::from(month)),
            ("year", year.into()),
        ]);
        bare(&self.say("date", &args))
    }

    /// Phrases one after the other, with a message between them.
    pub(super) fn list(&self, items: &[String], between: &str) -> String {
        items.join(&self.say(between, &args([])))
    }
}

/// A phrase without marks of its own: it is set apart as a whole where it is put in.
fn bare(phrase: &str) -> String {
    phrase.replace(['\u{2068}', '\u{2069}'], "")
}

/// What a message is told with.
pub(super) fn args<const N: usize>(
    named: [(&'static str, FluentValue<'static>); N],
) -> FluentArgs<'static> {
    named.into_iter().collect()
}

/// A whole or decimal number to count by.
pub(super) fn count(text: &str) -> FluentValue<'static> {
    FluentValue::try_number(text).into_owned()
}

/// How numbers stand in texts; everything else as it is.
fn shown(language: Language, value: &FluentValue<'_>) -> Option<String> {
    match value {
        FluentValue::Number(number) => Some(language.number(&number.as_string())),
        _ => None,
    }
}

/// A decimal fraction times a hundred.
fn percent(text: &str) -> Option<String> {
    let mut number: icu_decimal::input::Decimal = text.parse().ok()?;
    number.multiply_pow10(2);
    number.trim_start();
    number.trim_end();
    Some(number.to_string())
}
