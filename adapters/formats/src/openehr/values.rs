//! Values of the reference model as canonical ones, and the other way round where both are needed.

use takmil_domain::code::{Coded, Coding};
use takmil_domain::date::{Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::message::Supporting;
use takmil_domain::money::Quantity;
use takmil_domain::party::Party;
use takmil_domain::prescription::Measure;
use takmil_domain::text::normalise;

use super::tree::Item;

/// The system of a composition's own uid, with its version.
pub(super) const COMPOSITION: &str = "openehr:composition";

/// The system of the uids of entries and activities.
pub(super) const UID: &str = "openehr:uid";

/// The system of what a composition says beyond the model: at-codes of the archetypes, and names of attributes.
pub(super) const CONCEPT: &str = "openehr:concept";

/// Terminologies that openEHR names in its own way.
const TERMINOLOGIES: &[(&str, &str)] = &[
    ("SNOMED-CT", "http://snomed.info/sct"),
    ("LOINC", "http://loinc.org"),
    ("ICD10", "http://hl7.org/fhir/sid/icd-10"),
    ("ATC", "http://www.whocc.no/atc"),
    ("RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("local", "openehr:local"),
];

/// Units of durations, in dates and in times, with those of UCUM.
const DATE_UNITS: &[(char, &str)] = &[('Y', "a"), ('M', "mo"), ('W', "wk"), ('D', "d")];
const TIME_UNITS: &[(char, &str)] = &[('H', "h"), ('M', "min"), ('S', "s")];

/// The system of a terminology.
pub(super) fn system_of(terminology: &str) -> String {
    let own = TERMINOLOGIES.iter().find(|(name, _)| *name == terminology);
    own.map_or(terminology, |(_, system)| system).to_owned()
}

/// The terminology of a system.
pub(super) fn terminology_of(system: &str) -> &str {
    let own = TERMINOLOGIES.iter().find(|(_, known)| *known == system);
    own.map_or(system, |(name, _)| name)
}

/// A coded or plain text.
pub(super) fn coded(item: &Item<'_>) -> Option<Coded> {
    let coding = |at: &Item<'_>| {
        let code = at.plain("code")?;
        let system = at.plain("terminology").unwrap_or_default();
        Some(Coding {
            system: system_of(&system),
            code,
            ..Coding::default()
        })
    };
    let source = coding(item);
    let text = item.text().map(str::to_owned);
    let text = text.filter(|text| source.as_ref().is_none_or(|source| source.code != *text));
    // A mapping to something wider or narrower is no code of the same thing.
    let mappings = item.parts.iter().filter(|part| is_same(part));
    let others = mappings.filter_map(|mapping| {
        let target = mapping.parts.iter().find(|part| part.id == "target")?;
        let found = coding(target)?;
        mapping.know_all();
        Some(found)
    });
    let own = Coded {
        source,
        others: others.collect(),
        text,
        ..Coded::default()
    };
    (own != Coded::default()).then_some(own)
}

/// Whether a part maps its text to a code of the same meaning.
fn is_same(part: &Item<'_>) -> bool {
    let is_mapping = matches!(part.id.as_str(), "mappings" | "mapping");
    let inner = part.parts.iter().find(|own| own.id == "match");
    let said = part.said.iter().find(|said| said.attribute == "match");
    let said = said.or_else(|| inner.and_then(|own| own.said.first()));
    is_mapping && said.is_some_and(|said| said.value == "=")
}

/// A quantity with its unit; the unit `1` is none.
pub(super) fn measure(item: &Item<'_>) -> Option<Measure> {
    let magnitude = item.words("magnitude").or_else(|| item.words(""))?;
    let unit = item.words("unit").filter(|unit| *unit != "1");
    Some(Measure {
        value: Some(Quantity::parse(&normalise(magnitude))?),
        unit: unit.map(str::to_owned),
        coded: None,
    })
}

/// A duration of one unit as a quantity of it, any other in the words of ISO 8601.
pub(super) fn duration(text: &str) -> Option<Measure> {
    let rest = text.strip_prefix('P')?;
    let (units, rest) = match rest.strip_prefix('T') {
        Some(time) => (TIME_UNITS, time),
        None => (DATE_UNITS, rest),
    };
    let last = rest.chars().next_back()?;
    let number = rest.strip_suffix(last)?;
    let unit = units.iter().find(|(letter, _)| *letter == last);
    let is_plain = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let whole = unit
        .filter(|_| is_plain)
        .and_then(|(_, unit)| Some((Quantity::parse(number)?, *unit)));
    Some(match whole {
        Some((value, unit)) => Measure {
            value: Some(value),
            unit: Some(unit.to_owned()),
            coded: None,
        },
        None => Measure {
            unit: Some(text.to_owned()),
            ..Measure::default()
        },
    })
}

/// A quantity of time as a duration, where it is one.
pub(super) fn duration_of(measure: &Measure) -> Option<String> {
    let unit = measure.unit.as_deref()?;
    let Some(value) = &measure.value else {
        return unit.starts_with('P').then(|| unit.to_owned());
    };
    let of = |units: &[(char, &str)], start: &str| {
        let (letter, _) = units.iter().find(|(_, own)| *own == unit)?;
        Some(format!("{start}{value}{letter}"))
    };
    of(DATE_UNITS, "P").or_else(|| of(TIME_UNITS, "PT"))
}

/// An identifier with who issued it.
pub(super) fn identifier(item: &Item<'_>) -> Option<Identifier> {
    let value = item.plain("id").or_else(|| item.plain(""))?;
    let parts = ["issuer", "assigner", "type"].map(|attribute| item.plain(attribute));
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Some(Identifier::new(parts.join(":"), value))
}

/// The identifier by which a party is referred to.
pub(super) fn reference(item: &Item<'_>) -> Option<Identifier> {
    let value = item.plain("id")?;
    let namespace = item
        .plain("id_namespace")
        .filter(|name| !matches!(name.as_str(), "unknown" | "local"));
    let system = item.plain("id_scheme").or(namespace).unwrap_or_default();
    Some(Identifier::new(system, value))
}

/// A person or body.
pub(super) fn party(item: &Item<'_>, role: &str) -> Option<Party> {
    let mut identifiers: Vec<Identifier> = reference(item).into_iter().collect();
    identifiers.extend(item.all("identifier").filter_map(identifier));
    let own = Party {
        identifiers,
        name: item.words("name").map(str::to_owned),
        ..Party::default()
    };
    (own != Party::default()).then(|| Party {
        role: Some(Coded::words(role)),
        ..own
    })
}

/// A date or time.
pub(super) fn when(text: &str) -> Option<When> {
    When::parse(&normalise(text.trim()).replace(',', "."))
}

/// What an element says that the model has no field for.
pub(super) fn particular(item: &Item<'_>) -> Option<Supporting> {
    let mut own = Supporting::default();
    if item.words("code").is_some() {
        own.coded = coded(item);
    } else if let Some(measure) = item
        .words("magnitude")
        .is_some()
        .then(|| measure(item))
        .flatten()
    {
        (own.quantity, own.unit) = (measure.value, measure.unit);
    } else if item.words("id").is_some() || item.words("type").is_some() {
        own.identifier = identifier(item);
    } else {
        let text = item.text()?;
        match text {
            "true" | "false" => own.yes = Some(text == "true"),
            _ => own.text = Some(text.to_owned()),
        }
    }
    let code = item.node.as_deref().unwrap_or(&item.id);
    let concept = Coded {
        text: item.name.clone(),
        ..Coded::new(CONCEPT, code)
    };
    Some(Supporting {
        category: Some(concept),
        ..own
    })
}

/// From when to when, where either is known.
pub(super) fn from_to(start: Option<When>, end: Option<When>) -> Option<Period> {
    (start.is_some() || end.is_some()).then_some(Period { start, end })
}
