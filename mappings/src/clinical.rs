//! The tables of the clinical rules: those that come with the hub, and interactions from their holder's file.
//!
//! What is shipped stands in [`CLINICAL`]; interactions are not: their sources want to be named by whoever uses them,
//! or are sold. Until they are imported, the rule of interactions says that it waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use csv::ByteRecord;
use takmil_domain::clinical::{
    Bearer, CodeKey, CodeRange, Diagnoses, Drugs, Ingredient, Interactions, Lookup, Notes, Organ,
    Severity, Tables as ClinicalTables, drug_name,
};
use takmil_domain::party::Sex;

use crate::import::{MAX_FIELD, Refusal, Refused, each_row, position};
use crate::shipped::CLINICAL;
use crate::systems::{ICD_10_CM, INTERACTIONS, RXNORM};
use crate::table::{Head, Row, Table};
use crate::{Error, Tables};

/// The clinical tables of a hub: diagnoses, drugs and interactions as `codes` has them, and what is shipped.
///
/// # Errors
/// The first table that cannot be read.
pub fn tables(codes: &Tables) -> Result<ClinicalTables, Error> {
    let [bearers, notes, units, indications, organs] = &CLINICAL;
    Ok(ClinicalTables {
        diagnoses: diagnoses(codes.listed(ICD_10_CM)?),
        bearers: by_code(bearers.table()?, bearer),
        notes: by_code(notes.table()?, read_notes),
        units: by_code(units.table()?, |row| row.get("most")?.parse().ok()),
        drugs: drugs(codes.listed(RXNORM)?),
        indications: given_for(indications.table()?),
        interactions: codes
            .listed(INTERACTIONS)?
            .map_or_else(Interactions::default, listed_pairs),
        organs: by_code(organs.table()?, organ),
    })
}

fn by_code<V>(table: &Table, read: impl Fn(&Row<'_>) -> Option<V>) -> Lookup<CodeKey, V> {
    table
        .iter()
        .filter_map(|row| Some((CodeKey::parse(row.code())?, read(&row)?)))
        .collect()
}

/// A list that does not say which codes are headings has none.
fn diagnoses(list: Option<&Table>) -> Diagnoses {
    list.map_or_else(Diagnoses::default, |list| Diagnoses {
        since: Some(list.head().as_of),
        codes: by_code(list, |row| Some(row.get("billable") != Some("no"))),
    })
}

fn bearer(row: &Row<'_>) -> Option<Bearer> {
    let age = |column| row.get(column).and_then(|age| age.parse().ok());
    Some(Bearer {
        ages: age("age_from").zip(age("age_to")),
        sex: match row.get("sex") {
            Some("female") => Some(Sex::Female),
            Some("male") => Some(Sex::Male),
            _ => None,
        },
    })
}

fn read_notes(row: &Row<'_>) -> Option<Notes> {
    Some(Notes {
        excludes: ranges(row.get("excludes")),
        code_first: ranges(row.get("code_first")),
        never_first: row.get("never_first") == Some("yes"),
        use_additional: ranges(row.get("use_additional")),
    })
}

fn organ(row: &Row<'_>) -> Option<Organ> {
    Some(Organ {
        organ: CodeKey::parse(row.get("organ")?)?,
        restored: row.get("restored").and_then(CodeKey::parse),
    })
}

fn given_for(table: &Table) -> Lookup<u32, Box<[CodeRange]>> {
    let drug = |row: Row<'_>| Some((row.code().parse().ok()?, ranges(row.get("given_for"))));
    table.iter().filter_map(drug).collect()
}

fn ranges(text: Option<&str>) -> Box<[CodeRange]> {
    let ranges = text.unwrap_or_default().split(' ');
    ranges.filter_map(CodeRange::parse).collect()
}

/// An ingredient is a row without parts that has a name; a drug has its ingredients as parts.
fn drugs(list: Option<&Table>) -> Drugs {
    let rows = || list.into_iter().flat_map(Table::iter);
    let composition = rows().filter_map(|row| {
        let own: u32 = row.code().parse().ok()?;
        let mut parts: Vec<u32> = row.parts().filter_map(|part| part.parse().ok()).collect();
        if parts.is_empty() {
            row.title("en")?;
            parts.push(own);
        }
        parts.sort_unstable();
        Some((own, parts.into()))
    });
    let names = rows().filter_map(|row| {
        let alone = row.parts().next().is_none();
        let name = row.title("en").filter(|_| alone)?;
        Some((drug_name(name).into(), row.code().parse().ok()?))
    });
    Drugs::new(composition, names)
}

/// The columns of a table of interactions, beside the code: the pair's own name.
const PAIR: [&str; 3] = ["one", "other", "severity"];

/// A table of interactions, for a hub to have among its tables. Its system is [`INTERACTIONS`], whatever `head` says.
///
/// # Errors
/// As [`Table::write`].
pub fn interactions_table(head: &Head, interactions: &Interactions) -> Result<Table, Error> {
    let row = |((one, other), severity): &((Ingredient, Ingredient), Severity)| {
        let (one, other) = (one.to_string(), other.to_string());
        let code = format!("{one}|{other}");
        (code, vec![one, other, words(*severity).to_owned()])
    };
    let rows: BTreeMap<String, Vec<String>> = interactions.iter().map(row).collect();
    let head = Head {
        system: INTERACTIONS.to_owned(),
        target: None,
        ..head.clone()
    };
    Table::write(&head, &PAIR, &rows)
}

fn listed_pairs(table: &Table) -> Interactions {
    let [one, other, level] = PAIR;
    let pair = |row: Row<'_>| {
        let drug = |column| row.get(column).and_then(Ingredient::parse);
        Some((drug(one)?, drug(other)?, severity(row.get(level)?)?))
    };
    Interactions::new(table.iter().filter_map(pair))
}

/// What became of a file of interactions.
#[derive(Debug)]
pub struct Imported {
    /// The pairs that were taken.
    pub interactions: Interactions,
    /// How many rows the file has.
    pub read: usize,
    /// The names that RxNorm's list lacks: these drugs are known by their names alone.
    pub unlisted: BTreeSet<String>,
    /// The rows that were not taken.
    pub refused: Vec<Refused>,
}

/// Words that follow or go before the name of a drug in that of its salt.
const SALTS: &[&str] = &[
    "acetate",
    "calcium",
    "carbonate",
    "chloride",
    "citrate",
    "gluconate",
    "magnesium",
    "phosphate",
    "potassium",
    "sodium",
    "sulfate",
];

/// Reads interactions from a file of separated values, a pair of drugs by their names in each row.
///
/// `columns` names the file's columns: `one=drug_a,other=drug_b,severity=ansm_level`. A name becomes RxNorm's
/// ingredient of that name; else its salts, where the list has only those. A name that the list lacks stays one
/// too: the drug is known by it where a message names it so.
///
/// # Errors
/// [`Error::Columns`] and [`Error::NoColumn`] for a wrong column list, [`Error::Source`] where the file cannot be
/// read at all, [`Error::TooManyRows`].
pub fn interactions(source: impl Read, columns: &str, drugs: &Tables) -> Result<Imported, Error> {
    let known = self::drugs(drugs.listed(RXNORM)?);
    let mut pairs = Vec::new();
    let mut unlisted = BTreeSet::new();
    let take = |places: &[usize; 3], record: &ByteRecord| {
        let (one, other, severity) = pair(record, *places)?;
        let mut meant = |name: String| {
            let found = named(&known, &name);
            if found.iter().all(|one| matches!(one, Ingredient::Named(_))) {
                unlisted.insert(name);
            }
            found
        };
        let (one, other) = (meant(one), meant(other));
        for one in &one {
            pairs.extend(
                other
                    .iter()
                    .map(|other| (one.clone(), other.clone(), severity)),
            );
        }
        Ok(())
    };
    let taken = each_row(source, |names| places(columns, names), take)?;
    Ok(Imported {
        interactions: Interactions::new(pairs),
        read: taken.read,
        unlisted,
        refused: taken.refused,
    })
}

/// Reads how grave an interaction is: the words of the French thesaurus, in English.
pub fn severity(said: &str) -> Option<Severity> {
    let said = drug_name(said);
    Severity::ALL.into_iter().find(|own| words(*own) == said)
}

fn words(severity: Severity) -> &'static str {
    match severity {
        Severity::Contraindicated => "contraindicated",
        Severity::NotRecommended => "not recommended",
        Severity::Precaution => "precautions for use",
        Severity::Consider => "take into consideration",
    }
}

/// The places of the two drugs and of the severity.
fn places(columns: &str, names: &ByteRecord) -> Result<[usize; 3], Error> {
    let wrong = |part: &str| Error::Columns {
        part: part.to_owned(),
    };
    let mut places = [None; 3];
    for part in columns.split(',') {
        let (name, from) = part.split_once('=').ok_or_else(|| wrong(part))?;
        let at = match name.trim() {
            "one" => 0,
            "other" => 1,
            "severity" => 2,
            _ => return Err(wrong(part)),
        };
        let place = position(names, from.trim())?;
        match places.get_mut(at) {
            Some(slot @ None) => *slot = Some(place),
            _ => return Err(wrong(part)),
        }
    }
    match places {
        [Some(one), Some(other), Some(severity)] => Ok([one, other, severity]),
        _ => Err(wrong(columns)),
    }
}

fn pair(
    record: &ByteRecord,
    [one, other, level]: [usize; 3],
) -> Result<(String, String, Severity), Refusal> {
    let field = |at: usize| {
        let bytes = record.get(at).unwrap_or_default();
        if bytes.len() > MAX_FIELD {
            return Err(Refusal::TooLong);
        }
        std::str::from_utf8(bytes).map_err(|_| Refusal::NotText)
    };
    let name = |at| match drug_name(field(at)?) {
        name if name.is_empty() => Err(Refusal::NoName),
        name => Ok(name),
    };
    let severity = severity(field(level)?).ok_or(Refusal::UnknownSeverity)?;
    Ok((name(one)?, name(other)?, severity))
}

/// The ingredients that a name stands for.
fn named(drugs: &Drugs, name: &str) -> Vec<Ingredient> {
    if let Some(own) = drugs.named(name) {
        return vec![Ingredient::RxNorm(own)];
    }
    let salts = SALTS
        .iter()
        .flat_map(|salt| [format!("{name} {salt}"), format!("{salt} {name}")]);
    salts
        .filter_map(|salt| drugs.named(&salt))
        .map(Ingredient::RxNorm)
        .chain([Ingredient::Named(name.into())])
        .collect()
}
