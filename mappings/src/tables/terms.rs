//! What people and terminology servers ask of the tables: what a code is, what it is called elsewhere, which codes
//! have these words, and which code of a list an unknown one may be.

use std::cmp::Reverse;
use std::collections::HashSet;

use takmil_domain::code::{Code, Equivalence};
use takmil_domain::local_map::{LOCAL_MAP, Target};
use takmil_domain::text;

use super::{BY_SPELLING, Error, Lookup, Source, Tables, systems};
use crate::shipped::LEADING_AWAY;
use crate::spelling::Spelled;
use crate::table::{EQUIVALENCE, OFFERS, Row, TARGET, Table};

/// What a map says of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The map's name.
    pub map: String,
    /// The map's edition.
    pub version: String,
    /// How the target stands to the code, in FHIR's words.
    pub equivalence: String,
    /// What it leads to: one of the codes of each of these lists, together. Most often one list of one code; none where
    /// the map says that there is no such code.
    pub targets: Vec<Vec<Code>>,
    /// Whether messages are mapped by it. Else it is offered, for a person to choose.
    pub is_applied: bool,
}

impl Translation {
    /// What a person judged of a code that no table knows; without a target it has no place in the common scheme.
    pub fn judged(version: u32, to: Option<&Target>) -> Translation {
        Translation {
            map: LOCAL_MAP.to_owned(),
            version: version.to_string(),
            equivalence: to.map_or("unmatched", |to| word(to.equivalence)).to_owned(),
            targets: to.map(|to| vec![vec![to.common()]]).unwrap_or_default(),
            is_applied: to.is_some(),
        }
    }
}

/// A code that an unknown one may be.
#[derive(Debug, Clone, Copy)]
pub struct Suggested<'t> {
    /// Its row.
    pub row: Row<'t>,
    /// How alike the two are, from 0 (not at all) to 1,000 (the same).
    pub likeness: u32,
}

/// The most features of a name that are compared: those of a title of twenty words.
const MOST_FEATURES: usize = 128;

/// The least likeness that is worth a person's look.
const LEAST_LIKENESS: u32 = 150;

impl Tables {
    /// The list of the codes of a system, under any name of it.
    ///
    /// # Errors
    /// If a shipped table is damaged.
    pub fn list_of(&self, system: &str) -> Result<Option<&Table>, Error> {
        let Some(named) = self.named(system) else {
            return Ok(None);
        };
        self.listed(named.uri())
    }

    /// What the maps that start at a code's system say of it: those that messages are mapped by first, in the order in
    /// which they are asked. `into` keeps to one target system.
    ///
    /// # Errors
    /// If a shipped table is damaged.
    pub fn translate(
        &self,
        system: &str,
        code: &str,
        into: Option<&str>,
    ) -> Result<Vec<Translation>, Error> {
        let Some(named) = self.named(system) else {
            return Ok(Vec::new());
        };
        let into = into.map(|into| self.named(into).map_or(into, |named| named.uri()));
        let spelled: Vec<String> = match named.spell(code) {
            Spelled::As(code) => vec![code],
            Spelled::OneOf(codes) => codes,
            Spelled::Within(_) | Spelled::Wrong => Vec::new(),
        };
        let uri = named.uri();
        let mut said = Vec::new();
        let maps = self.0.maps.get(uri).into_iter().flatten().rev();
        for source in maps {
            tell(source.table()?, &spelled, true, &mut said);
        }
        // Read as another system's, without a map of its own.
        if let Lookup::Mapped(mapped) = self.common(system, code)
            && mapped.via.map == BY_SPELLING
        {
            said.push(Translation {
                map: mapped.via.map,
                version: mapped.via.version,
                equivalence: word(mapped.via.equivalence).to_owned(),
                targets: vec![vec![mapped.common]],
                is_applied: true,
            });
        }
        for away in LEADING_AWAY.iter().filter(|away| away.system == uri) {
            tell(Source::Shipped(away).table()?, &spelled, false, &mut said);
        }
        let leads = |told: &Translation| match (into, told.targets.iter().flatten().next()) {
            (Some(into), Some(target)) => target.system == into,
            _ => true,
        };
        said.retain(leads);
        Ok(said)
    }

    /// The codes of a list that hold every word of `filter`, in their code or in a title of any language: `count` of them
    /// after the first `offset`, and how many there are.
    pub fn expand<'t>(
        list: &'t Table,
        filter: &str,
        offset: usize,
        count: usize,
    ) -> (usize, Vec<Row<'t>>) {
        let words = plain(filter);
        let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
        let fits = |row: &Row<'t>| {
            let mut text = plain(row.code());
            for title in row.titles().filter(|_| !words.is_empty()) {
                text.push(' ');
                text.push_str(&plain(title));
            }
            words.iter().all(|word| text.contains(word))
        };
        let mut total = 0;
        let mut page = Vec::new();
        for row in list.iter().filter(fits) {
            if total >= offset && page.len() < count {
                page.push(row);
            }
            total += 1;
        }
        (total, page)
    }

    /// The codes of `list` whose titles are most like `name`, the likest first, at most `most`. Letters, digits, marks and
    /// case are compared in one spelling, in any script; a word weighs more, the rarer it is in the list. Where `code` is
    /// given, its spelling counts too.
    pub fn suggest<'t>(
        list: &'t Table,
        name: &str,
        code: Option<&str>,
        most: usize,
    ) -> Vec<Suggested<'t>> {
        let mut wanted = features(name);
        wanted.truncate(MOST_FEATURES);
        let mut counts = vec![0_u32; wanted.len()];
        let mut met: Vec<(Row<'t>, u128, u32)> = Vec::new();
        for row in list.iter() {
            for title in row.titles() {
                let own = features(title);
                let mut shared = 0_u128;
                for (at, feature) in wanted.iter().enumerate() {
                    if own.binary_search(feature).is_ok() {
                        shared |= 1 << at;
                    }
                }
                for (at, count) in counts.iter_mut().enumerate() {
                    *count += u32::from(shared & (1 << at) != 0);
                }
                if shared != 0 {
                    let others = own.len() - shared.count_ones() as usize;
                    met.push((row, shared, u32::try_from(others).unwrap_or(u32::MAX)));
                }
            }
        }
        // How much it says to have a feature: bits, by how few of the list have it.
        let all = u32::try_from(list.len()).unwrap_or(u32::MAX).max(1);
        let bits = |count: u32| u64::from((all / count.max(1)).max(2).ilog2());
        let weights: Vec<u64> = counts.iter().map(|count| bits(*count)).collect();
        let whole: u64 = weights.iter().sum::<u64>().max(1);
        let spelled = code.map(plain).filter(|code| !code.is_empty());
        let mut found: Vec<Suggested<'t>> = Vec::new();
        for (row, shared, others) in met {
            let has = |at: &usize| shared & (1 << at) != 0;
            let met: u64 = (0..weights.len())
                .filter(has)
                .filter_map(|at| weights.get(at))
                .sum();
            // What a title says beyond the name counts less than what it lacks of it.
            let beyond = u64::from(others);
            let of_name = 1_000 * 2 * met / (whole + met + beyond);
            let of_code = spelled.as_deref().map_or(0, |code| alike(code, row.code()));
            let likeness = u32::try_from((of_name + of_code / 5).min(1_000)).unwrap_or(1_000);
            found.push(Suggested { row, likeness });
        }
        if let Some(code) = spelled.filter(|_| wanted.is_empty()) {
            let by_code = |row: Row<'t>| Suggested {
                row,
                likeness: u32::try_from(alike(&code, row.code())).unwrap_or(1_000),
            };
            found = list.iter().map(by_code).collect();
        }
        found.retain(|one| one.likeness >= LEAST_LIKENESS);
        // Of codes with one name, the one that others are made of comes first.
        let order = |one: &Suggested<'t>| {
            let has_parts = one.row.parts().next().is_some();
            (Reverse(one.likeness), has_parts, one.row.code())
        };
        found.sort_by(|one, other| order(one).cmp(&order(other)));
        // A row with titles in two languages is there twice.
        let mut seen = HashSet::new();
        found.retain(|one| seen.insert(one.row.code()));
        found.truncate(most);
        found
    }

    /// The lists among which a code of `system` is looked for: its own where there is one, else those of the common scheme.
    ///
    /// # Errors
    /// If a shipped table is damaged.
    pub fn candidates(&self, system: &str) -> Result<Vec<&Table>, Error> {
        if let Some(own) = self.list_of(system)? {
            return Ok(vec![own]);
        }
        let common = [systems::ICD_10_CM, systems::RXNORM, systems::HCPCS];
        let lists = common.iter().map(|uri| self.listed(uri));
        lists.filter_map(Result::transpose).collect()
    }
}

/// What a map says of a code, in any of its spellings.
fn tell(map: &Table, spelled: &[String], is_asked: bool, said: &mut Vec<Translation>) {
    let head = map.head();
    let system = head.target.as_deref().unwrap_or_default();
    for row in spelled.iter().filter_map(|code| map.find(code)) {
        let mut add = |targets: Vec<Vec<Code>>, is_applied| {
            said.push(Translation {
                map: head.id.clone(),
                version: head.edition.clone(),
                equivalence: row.get(EQUIVALENCE).unwrap_or("relatedto").to_owned(),
                targets,
                is_applied,
            });
        };
        let target = row
            .get(TARGET)
            .map(|code| vec![vec![Code::new(system, code)]]);
        match (target, row.get(OFFERS)) {
            (Some(target), _) => add(target, is_asked),
            (None, None) => add(Vec::new(), false),
            (None, Some(offers)) => {
                for offer in offers.split(' ') {
                    let one_of = |codes: &str| -> Vec<Code> {
                        codes
                            .split('/')
                            .map(|code| Code::new(system, code))
                            .collect()
                    };
                    add(offer.split('+').map(one_of).collect(), false);
                }
            }
        }
    }
}

fn word(equivalence: Equivalence) -> &'static str {
    match equivalence {
        Equivalence::Equal => "equal",
        Equivalence::Equivalent => "equivalent",
        Equivalence::Wider => "wider",
        Equivalence::Narrower => "narrower",
        Equivalence::Unchecked => "relatedto",
    }
}

/// Text in one spelling: letters and digits of any script in lower case, without marks, everything else one space.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text::normalise(text).chars() {
        match letter {
            // Arabic vowel marks, and hamza seats as people leave them out.
            '\u{064B}'..='\u{065F}' | '\u{0670}' | '\u{0300}'..='\u{036F}' => {}
            'أ' | 'إ' | 'آ' | 'ٱ' => plain.push('ا'),
            'ؤ' => plain.push('و'),
            'ئ' => plain.push('ی'),
            'ة' | 'ۀ' => plain.push('ه'),
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'À' | 'Á' | 'Â' | 'Ã' | 'Ä' => plain.push('a'),
            'è' | 'é' | 'ê' | 'ë' | 'È' | 'É' | 'Ê' | 'Ë' => plain.push('e'),
            'ì' | 'í' | 'î' | 'ï' | 'Ì' | 'Í' | 'Î' | 'Ï' => plain.push('i'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ö' => plain.push('o'),
            'ù' | 'ú' | 'û' | 'ü' | 'Ù' | 'Ú' | 'Û' | 'Ü' => plain.push('u'),
            'ç' | 'Ç' => plain.push('c'),
            'ñ' | 'Ñ' => plain.push('n'),
            letter if letter.is_alphanumeric() => plain.extend(letter.to_lowercase()),
            _ if plain.ends_with(' ') => {}
            _ => plain.push(' '),
        }
    }
    plain.trim().to_owned()
}

/// The features that a name is compared by: its words, and every three letters in a row of them, as numbers in order.
fn features(name: &str) -> Vec<u64> {
    let mut features = Vec::new();
    for word in plain(name).split(' ').filter(|word| !word.is_empty()) {
        let mut last = [0_u64, u64::from(b' ')];
        features.push(
            word.chars()
                .fold(1 << 63, |sum: u64, letter| {
                    sum.rotate_left(7).wrapping_mul(0x0100_0000_01B3) ^ u64::from(u32::from(letter))
                })
                .wrapping_add(1),
        );
        for letter in word.chars().chain([' ']) {
            let letter = u64::from(u32::from(letter));
            if last[0] != 0 {
                features.push(last[0] << 42 | last[1] << 21 | letter);
            }
            last = [last[1], letter];
        }
    }
    features.sort_unstable();
    features.dedup();
    features
}

/// How alike two codes are written, from 0 to 1,000: what they start with in common, against the longer one.
fn alike(code: &str, other: &str) -> u64 {
    let bare = |code: &str| -> Vec<char> {
        let letters = code.chars().filter(|letter| letter.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let (code, other) = (bare(code), bare(other));
    let both = code.iter().zip(&other);
    let shared = both.take_while(|(one, other)| one == other).count();
    let longer = code.len().max(other.len()).max(1);
    u64::try_from(1_000 * shared / longer).unwrap_or(0)
}
