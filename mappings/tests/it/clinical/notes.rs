//! The notes of ICD-10-CM, from sentences to codes.

use std::collections::{BTreeMap, BTreeSet};

/// What stands in the notes of a category, as the table has it.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) excludes: BTreeSet<String>,
    pub(crate) code_first: BTreeSet<String>,
    pub(crate) never_first: bool,
    pub(crate) use_additional: BTreeSet<String>,
}

/// Words that make a note hold only sometimes.
const CONDITIONS: &[&str] = &[" if ", "when applicable", "any associated"];

/// Reads the notes of the published file, `code,desc,note_type,note`; `codes` are all codes without their points.
pub(crate) fn read(source: &str, codes: &BTreeSet<String>) -> BTreeMap<String, Read> {
    let mut kinds: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut reader = csv::Reader::from_reader(source.as_bytes());
    for record in reader.records().map(Result::unwrap) {
        let kind = (record[0].to_owned(), record[2].to_owned());
        kinds.entry(kind).or_default().push(record[3].to_owned());
    }
    let mut read: BTreeMap<String, Read> = BTreeMap::new();
    for ((code, kind), notes) in kinds {
        let named = || notes.iter().flat_map(|note| categories(note, codes));
        let conditional = notes
            .iter()
            .any(|note| CONDITIONS.iter().any(|word| note.contains(word)));
        match kind.as_str() {
            "excludes1" => read.entry(code).or_default().excludes = named().collect(),
            "codeFirst" => {
                let own = read.entry(code).or_default();
                own.code_first = named().collect();
                own.never_first = !conditional;
            }
            // Under a heading such as "to identify:" stand things that may all be absent.
            "useAdditionalCode" if notes.len() == 1 && !conditional => {
                read.entry(code).or_default().use_additional = named().collect();
            }
            _ => {}
        }
    }
    read.retain(|_, own| {
        let named = [&own.excludes, &own.code_first, &own.use_additional];
        own.never_first || named.iter().any(|some| !some.is_empty())
    });
    read
}

/// The categories that a note names: `E11.9`, `E11.-`, `O00-O07`, `S06.1- to S06.6-`. A note whose codes hold only
/// "with fifth character 2" and the like names none, for a category cannot say that.
fn categories(note: &str, codes: &BTreeSet<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut joins = false;
    let pieces =
        note.split(|letter: char| !letter.is_ascii_alphanumeric() && !".-".contains(letter));
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        if piece == "with" && !found.is_empty() {
            return Vec::new();
        }
        let piece = piece.trim_end_matches(['-', '.']);
        let (from, to) = piece.split_once('-').unwrap_or((piece, piece));
        let is_code = |code: &str| codes.contains(&code.replace('.', ""));
        match (is_code(from), is_code(to)) {
            (true, true) if joins => {
                if let Some(last) = found.last_mut() {
                    last.push('-');
                    last.push_str(to);
                }
            }
            (true, true) if from == to => found.push(from.to_owned()),
            (true, true) => found.push(format!("{from}-{to}")),
            _ => {}
        }
        joins = piece == "to" && !found.is_empty();
    }
    found
}

#[test]
fn notes_name_categories_in_several_ways() {
    let codes: BTreeSet<String> =
        "A05 A1832 B270 B279 E08 E10 E11 E724 F1322 I69 M75 M77 S061 S066 T36 T50"
            .split(' ')
            .map(str::to_owned)
            .collect();
    let check = |note: &str, named: &[&str]| assert_eq!(categories(note, &codes), named, "{note}");
    check("bacterial foodborne intoxications, NEC (A05.-)", &["A05"]);
    check("tuberculous enteritis (A18.32)", &["A18.32"]);
    check("dependence with intoxication (F13.22-)", &["F13.22"]);
    check("tendinitis as classified in M75-M77", &["M75-M77"]);
    check("syndrome E72.4", &["E72.4"]);
    check("categories E08-E10, E11", &["E08-E10", "E11"]);
    check("injuries in S06.1- to S06.6-", &["S06.1-S06.6"]);
    check("drug (T36-T50 with fifth or sixth character 5)", &[]);
    check("speech (I69. with final characters -23)", &[]);
    check("vitamin B12 deficiency", &[]);
    check("injury, if known", &[]);
}
