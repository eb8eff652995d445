//! What every code has in common: look-ups over the shipped tables and those that a hub imports.
//!
//! A look-up never fails. What has no place in the common scheme is answered as unmapped, with the
//! reason, to be counted and put before the mapping desk; the message goes on with the sender's code.

mod terms;

pub use terms::{Suggested, Translation};

use std::collections::HashMap;
use std::sync::Arc;

use takmil_domain::code::{Code, Coded, Equivalence, Via};

use crate::Error;
use crate::shipped::{LEADING_AWAY, SHIPPED, Shipped};
use crate::spelling::{self, Spelled};
use crate::systems::{self, RXNORM, System, Unlisted};
use crate::table::{EQUIVALENCE, Head, Row, TARGET, Table};

/// A set of tables, immutable; a clone shares them.
#[derive(Debug, Clone)]
pub struct Tables(Arc<Held>);

#[derive(Debug, Clone, Default)]
struct Held {
    /// The list of each system's own codes, by its URI.
    lists: HashMap<String, Source>,
    /// The maps that start at each system, by its URI; the last added is asked first.
    maps: HashMap<String, Vec<Source>>,
}

/// A shipped table unpacks at its first use.
#[derive(Debug, Clone)]
enum Source {
    Shipped(&'static Shipped),
    Imported(Arc<Table>),
}

/// What a code has in common with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<'t> {
    /// It has a place in the common scheme.
    Mapped(Mapped<'t>),
    /// It has none.
    Unmapped(Unmapped<'t>),
}

/// A code of the common scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped<'t> {
    /// The code, in its system's canonical URI and one spelling.
    pub common: Code,
    /// Its English title, where a table has one.
    pub title: Option<&'t str>,
    /// By which map or list it was found, and how it stands to the sender's. [`Equivalence::Unchecked`]: no
    /// table holds it, it was only read and spelled.
    pub via: Via,
}

/// A code without a place in the common scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped<'t> {
    /// Why.
    pub reason: Gap,
    /// Canonical URI of its system, where that is known.
    pub system: Option<&'t str>,
    /// Its one spelling, where it has one: what the mapping desk counts by.
    pub code: Option<String>,
}

/// Why a code has no place in the common scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Gap {
    /// The sender names no system.
    NoSystem,
    /// The sender names no code.
    NoCode,
    /// The system is not known.
    UnknownSystem,
    /// The code is not written as one of its system can be.
    Misspelled,
    /// The system's table has no such code.
    UnknownCode,
    /// The code may be one of several that mean different things.
    Ambiguous,
    /// A table could not be read: a fault of the hub, not of the sender.
    Unreadable,
}

impl Gap {
    /// Every one.
    pub const ALL: &'static [Gap] = &[
        Gap::NoSystem,
        Gap::NoCode,
        Gap::UnknownSystem,
        Gap::Misspelled,
        Gap::UnknownCode,
        Gap::Ambiguous,
        Gap::Unreadable,
    ];

    /// Its stable public code.
    pub fn code(self) -> &'static str {
        match self {
            Gap::NoSystem => "MAP-NO-SYSTEM",
            Gap::NoCode => "MAP-NO-CODE",
            Gap::UnknownSystem => "MAP-SYSTEM",
            Gap::Misspelled => "MAP-SPELLING",
            Gap::UnknownCode => "MAP-CODE",
            Gap::Ambiguous => "MAP-AMBIGUOUS",
            Gap::Unreadable => "MAP-UNREADABLE",
        }
    }
}

/// The name under which the reading of one system's code as another's of the same spelling is recorded.
pub const BY_SPELLING: &str = "same-spelling";

/// The name under which a code that no table holds is recorded as taken.
pub const AS_IT_IS: &str = "as-it-is";

/// Reads how a map's target stands to its source from FHIR's word for it. Words that leave the meaning
/// open ("inexact", "relatedto") are none: rules may not rest on them.
pub(crate) fn equivalence(word: &str) -> Option<Equivalence> {
    match word {
        "equal" => Some(Equivalence::Equal),
        "equivalent" => Some(Equivalence::Equivalent),
        "wider" | "subsumes" => Some(Equivalence::Wider),
        "narrower" | "specializes" => Some(Equivalence::Narrower),
        _ => None,
    }
}

impl Tables {
    /// What is shipped with the hub.
    pub fn shipped() -> Tables {
        let mut held = Held::default();
        for table in &SHIPPED {
            held.add(table.system, table.target.is_some(), Source::Shipped(table));
        }
        Tables(Arc::new(held))
    }

    /// These, and one more. A list of codes replaces the former list of its system; a map replaces that of
    /// its name, and is asked before the other maps of its system.
    #[must_use]
    pub fn with(&self, table: Table) -> Tables {
        let mut held = Held::clone(&self.0);
        let (system, is_map) = (table.head().system.clone(), table.head().target.is_some());
        held.add(&system, is_map, Source::Imported(Arc::new(table)));
        Tables(Arc::new(held))
    }

    /// Unpacks every table now, so that no message waits for it.
    ///
    /// # Errors
    /// The first table that cannot be read.
    pub fn warm(&self) -> Result<(), Error> {
        self.held().try_for_each(|held| held.table().map(|_| ()))
    }

    /// Where each table comes from, by name.
    pub fn provenance(&self) -> Vec<&Head> {
        let mut heads: Vec<&Head> = self
            .held()
            .filter_map(|held| held.table().ok())
            .chain(LEADING_AWAY.iter().filter_map(|away| away.table().ok()))
            .map(Table::head)
            .collect();
        heads.sort_by(|one, other| one.id.cmp(&other.id));
        heads
    }

    /// The list of a system's codes, where there is one.
    pub(crate) fn listed(&self, uri: &str) -> Result<Option<&Table>, Error> {
        self.0.lists.get(uri).map(Source::table).transpose()
    }

    fn held(&self) -> impl Iterator<Item = &Source> {
        self.0.lists.values().chain(self.0.maps.values().flatten())
    }

    /// The code of the common scheme for the sender's `code` of the system that the sender calls `system`.
    pub fn common<'t>(&'t self, system: &str, code: &str) -> Lookup<'t> {
        match self.place(system, code) {
            Ok(mapped) => Lookup::Mapped(mapped),
            Err(unmapped) => Lookup::Unmapped(unmapped),
        }
    }

    /// The code of the common scheme for a concept, whichever of its codings has one: one that a table
    /// holds before one that is only spelled. Else the gap of the first coding.
    pub fn concept<'t>(&'t self, coded: &Coded) -> Lookup<'t> {
        let mut best: Option<Lookup<'t>> = None;
        for coding in coded.codings() {
            let found = self.common(&coding.system, &coding.code);
            match (&found, &best) {
                (Lookup::Mapped(mapped), _) if mapped.via.equivalence != Equivalence::Unchecked => {
                    return found;
                }
                (Lookup::Mapped(_), Some(Lookup::Unmapped(_))) | (_, None) => best = Some(found),
                _ => {}
            }
        }
        best.unwrap_or(Lookup::Unmapped(Unmapped {
            reason: Gap::NoCode,
            system: None,
            code: None,
        }))
    }

    /// The row of a code in its own system's list, for its titles and further columns.
    pub fn row<'t>(&'t self, system: &str, code: &str) -> Option<Row<'t>> {
        let named = self.named(system)?;
        let Spelled::As(code) = named.spell(code) else {
            return None;
        };
        self.list(named.sibling(&code)).ok()??.find(&code)
    }

    /// The ingredients of a drug of RxNorm; an ingredient is its own.
    pub fn ingredients<'t>(&'t self, rxcui: &str) -> Vec<Row<'t>> {
        let Some((table, row)) = self
            .list(RXNORM)
            .ok()
            .flatten()
            .and_then(|table| Some((table, table.find(rxcui)?)))
        else {
            return Vec::new();
        };
        let parts: Vec<Row<'t>> = row.parts().filter_map(|part| table.find(part)).collect();
        if parts.is_empty() && row.title("en").is_some() {
            vec![row]
        } else {
            parts
        }
    }

    fn place<'t>(&'t self, system: &str, code: &str) -> Result<Mapped<'t>, Unmapped<'t>> {
        let gap = |reason, system, code| Unmapped {
            reason,
            system,
            code,
        };
        if system.trim().is_empty() {
            return Err(gap(Gap::NoSystem, None, None));
        }
        let Some(named) = self.named(system) else {
            return Err(gap(Gap::UnknownSystem, None, None));
        };
        let uri = named.uri();
        if code.trim().is_empty() {
            return Err(gap(Gap::NoCode, Some(uri), None));
        }
        let (uri, code) = match named.spell(code) {
            Spelled::Wrong => return Err(gap(Gap::Misspelled, Some(uri), None)),
            Spelled::As(code) => (named.sibling(&code), code),
            several => {
                let found = self
                    .through_maps(uri, &several)
                    .and_then(|found| found.ok_or(Gap::UnknownCode));
                return found.map_err(|reason| gap(reason, Some(uri), written(several)));
            }
        };
        self.place_spelled(named, uri, &code)
            .map_err(|reason| gap(reason, Some(uri), Some(code)))
    }

    fn place_spelled<'t>(
        &'t self,
        named: Named<'t>,
        uri: &'t str,
        code: &str,
    ) -> Result<Mapped<'t>, Gap> {
        if let Some(mapped) = self.through_maps(uri, &Spelled::As(code.to_owned()))? {
            return Ok(mapped);
        }
        // Before the system's own list: a diagnosis is to be ICD-10-CM, even where another list is imported.
        if let Unlisted::ReadsAs(other) = named.unlisted()
            && let Some(mapped) = self.by_spelling(other, code)?
        {
            return Ok(mapped);
        }
        if let Some(list) = self.list(uri)? {
            if let Some(row) = list.find(code) {
                return Ok(found(
                    uri,
                    code,
                    Some(row),
                    &list.head().id,
                    list,
                    Equivalence::Equal,
                ));
            }
            if list.head().complete {
                return Err(Gap::UnknownCode);
            }
        }
        if named.unlisted() == Unlisted::Unmapped {
            return Err(Gap::UnknownCode);
        }
        let via = Via {
            map: AS_IT_IS.to_owned(),
            version: String::new(),
            equivalence: Equivalence::Unchecked,
        };
        Ok(Mapped {
            common: Code::new(uri, code),
            title: None,
            via,
        })
    }

    /// What the maps of a system lead to, if all that `spelled` may be lead to one.
    fn through_maps<'t>(&'t self, uri: &str, spelled: &Spelled) -> Result<Option<Mapped<'t>>, Gap> {
        for held in self.0.maps.get(uri).into_iter().flatten().rev() {
            let map = held.table().map_err(|_| Gap::Unreadable)?;
            let rows: Vec<Row<'t>> = match spelled {
                Spelled::As(code) => map.find(code).into_iter().collect(),
                Spelled::OneOf(codes) => codes.iter().filter_map(|code| map.find(code)).collect(),
                Spelled::Within(prefix) => map.starting_with(prefix).collect(),
                Spelled::Wrong => Vec::new(),
            };
            let Some(first) = rows.first() else { continue };
            // A row without a target only offers some: the code stays one of its own system.
            let Some(target) = first.get(TARGET) else {
                if rows.len() > 1 {
                    return Err(Gap::Ambiguous);
                }
                continue;
            };
            if rows.iter().any(|row| row.get(TARGET) != Some(target)) {
                return Err(Gap::Ambiguous);
            }
            let system = map.head().target.as_deref().unwrap_or_default();
            let equivalence = first
                .get(EQUIVALENCE)
                .and_then(equivalence)
                .unwrap_or(Equivalence::Unchecked);
            let row = self.list(system)?.and_then(|list| list.find(target));
            return Ok(Some(found(
                system,
                target,
                row,
                &map.head().id,
                map,
                equivalence,
            )));
        }
        Ok(None)
    }

    /// The code of `system` that is spelled as `code`, or else the nearest category above it.
    fn by_spelling<'t>(
        &'t self,
        system: &'static str,
        code: &str,
    ) -> Result<Option<Mapped<'t>>, Gap> {
        let Some(list) = self.list(system)? else {
            return Ok(None);
        };
        let mut equivalence = Equivalence::Equivalent;
        let mut spelled = code;
        loop {
            if let Some(row) = list.find(spelled) {
                return Ok(Some(found(
                    system,
                    spelled,
                    Some(row),
                    BY_SPELLING,
                    list,
                    equivalence,
                )));
            }
            // The shortest category of the family has three characters.
            match spelled.get(..spelled.len().saturating_sub(1)) {
                Some(above) if above.len() >= 3 => spelled = above.trim_end_matches('.'),
                _ => return Ok(None),
            }
            equivalence = Equivalence::Wider;
        }
    }

    fn named<'t>(&'t self, system: &str) -> Option<Named<'t>> {
        if let Some(known) = systems::named(system) {
            return Some(Named::Known(known));
        }
        let uri = system.trim();
        let own = self.0.lists.get_key_value(uri).map(|(uri, _)| uri);
        own.or_else(|| self.0.maps.get_key_value(uri).map(|(uri, _)| uri))
            .map(|uri| Named::Imported(uri))
    }

    fn list(&self, uri: &str) -> Result<Option<&Table>, Gap> {
        self.listed(uri).map_err(|_| Gap::Unreadable)
    }
}

impl Held {
    fn add(&mut self, system: &str, is_map: bool, table: Source) {
        if is_map {
            let maps = self.maps.entry(system.to_owned()).or_default();
            maps.retain(|known| known.id() != table.id());
            maps.push(table);
        } else {
            self.lists.insert(system.to_owned(), table);
        }
    }
}

impl Source {
    fn id(&self) -> &str {
        match self {
            Source::Shipped(shipped) => shipped.id,
            Source::Imported(table) => &table.head().id,
        }
    }

    fn table(&self) -> Result<&Table, Error> {
        match self {
            Source::Shipped(shipped) => shipped.table(),
            Source::Imported(table) => Ok(table),
        }
    }
}

/// A code found by the table `by`, under the name `map`.
fn found<'t>(
    system: &str,
    code: &str,
    row: Option<Row<'t>>,
    map: &str,
    by: &Table,
    equivalence: Equivalence,
) -> Mapped<'t> {
    let via = Via {
        map: map.to_owned(),
        version: by.head().edition.clone(),
        equivalence,
    };
    Mapped {
        common: Code::new(system, code),
        title: row.and_then(|row| row.title("en")),
        via,
    }
}

/// A system that has a name here: registered, or brought by an imported table.
#[derive(Clone, Copy)]
enum Named<'t> {
    Known(&'static System),
    Imported(&'t str),
}

impl<'t> Named<'t> {
    fn uri(self) -> &'t str {
        match self {
            Named::Known(system) => system.uri,
            Named::Imported(uri) => uri,
        }
    }

    fn spell(self, code: &str) -> Spelled {
        match self {
            Named::Known(system) => (system.spelling)(code),
            Named::Imported(_) => spelling::plain(code),
        }
    }

    fn unlisted(self) -> Unlisted {
        match self {
            Named::Known(system) => system.unlisted,
            Named::Imported(_) => Unlisted::Unmapped,
        }
    }

    fn sibling(self, code: &str) -> &'t str {
        match self {
            Named::Known(system) => systems::sibling(system, code).unwrap_or(system.uri),
            Named::Imported(uri) => uri,
        }
    }
}

fn written(spelled: Spelled) -> Option<String> {
    match spelled {
        Spelled::As(code) | Spelled::Within(code) => Some(code),
        Spelled::OneOf(codes) => codes.into_iter().next(),
        Spelled::Wrong => None,
    }
}
