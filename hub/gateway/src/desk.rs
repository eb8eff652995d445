//! The mapping desk: which common code an unknown one may be, and whether what a person says of it can be so. What
//! follows from it is the engine's matter.

use serde::Serialize;
use takmil_domain::code::Code;
use takmil_domain::code_map::Level;
use takmil_domain::ids::ParticipantId;
use takmil_domain::local_map::Judgement;
use takmil_domain::participant::Role;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_engine::Catalog;
use takmil_mappings::{Error, Lookup, Suggested, Tables};

/// How many codes are suggested where nobody says.
pub(crate) const SUGGESTIONS: u32 = 10;

/// Under which systems it is counted what insurers' own codes lack.
const INSURERS_OWN: &str = "urn:takmil:own:";

/// What a code is wanted for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The system of the unknown code, as it was sent.
    pub(crate) system: &'a str,
    /// The unknown code.
    pub(crate) code: &'a str,
    /// Its name.
    pub(crate) display: &'a str,
    /// The system among whose codes it is looked for; `None` for its own where there is a list of it, else those of the
    /// common scheme.
    pub(crate) into: Option<&'a str>,
    /// How many at most.
    pub(crate) most: usize,
}

/// A code that an unknown one may be.
#[derive(Debug, Serialize)]
pub(crate) struct Suggestion {
    pub(crate) system: String,
    version: String,
    pub(crate) code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) display: Option<String>,
    pub(crate) likeness: u32,
}

/// The system as which an insurer's own list of single services, drugs and things is imported.
pub(crate) fn own_list(insurer: &ParticipantId) -> String {
    format!("{}:{insurer}", Level::Item.system())
}

/// The codes that an unknown one may be, the likest first; `None` where there is no list of the wanted system. It reads
/// whole lists: not on a thread that others share.
///
/// # Errors
/// If a shipped table is damaged.
pub(crate) fn suggestions(
    tables: &Tables,
    wanted: &Wanted<'_>,
) -> Result<Option<Vec<Suggestion>>, Error> {
    let lists = match wanted.into {
        Some(into) => match tables.list_of(into)? {
            Some(list) => vec![list],
            None => return Ok(None),
        },
        None => tables.candidates(wanted.system)?,
    };
    // What an insurer's own codes lack is counted as the common code, whose name the hub knows.
    let common = wanted.code.rsplit_once('|');
    let common = common.filter(|_| wanted.system == Level::Item.system());
    let title = common.and_then(|(system, code)| tables.row(system, code)?.title("en"));
    let display = title.filter(|_| wanted.display.is_empty());
    let display = display.unwrap_or(wanted.display);
    let own = tables.list_of(wanted.system)?;
    let own = own.map(|list| list.head().system.as_str());
    let mut found: Vec<Suggested<'_>> = Vec::new();
    for list in lists {
        // The spelling of another system's code says nothing.
        let is_own = own == Some(list.head().system.as_str());
        let code = Some(wanted.code).filter(|_| is_own);
        found.extend(Tables::suggest(list, display, code, wanted.most));
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.likeness));
    found.truncate(wanted.most);
    let told = |one: Suggested<'_>| {
        let head = one.row.table().head();
        Suggestion {
            system: head.system.clone(),
            version: head.edition.clone(),
            code: one.row.code().to_owned(),
            display: one.row.title("en").map(str::to_owned),
            likeness: one.likeness,
        }
    };
    Ok(Some(found.into_iter().map(told).collect()))
}

/// What a person judges of a code, under the name by which the code is counted.
///
/// # Errors
/// Everything that is wrong with it: the tables know the code, nobody is named whose it is, or it is to be what is no
/// code of the common scheme.
pub(crate) fn checked(
    judgement: Judgement,
    catalog: &Catalog,
    tables: &Tables,
) -> Result<Judgement, Vec<Problem>> {
    let mut judgement = judgement;
    let bad = |place: &str, detail: String| Problem::new(ProblemCode::BadValue, place, detail);
    let mut problems = Vec::new();
    match tables.common(&judgement.system, &judgement.code) {
        Lookup::Mapped(mapped) => {
            let Code { system, code } = mapped.common;
            let detail = format!("the tables know it: it is {code} of {system}");
            problems.push(bad("/code", detail));
        }
        Lookup::Unmapped(gap) => {
            if let Some(system) = gap.system {
                judgement.system = system.to_owned();
            }
            judgement.code = gap.code.unwrap_or(judgement.code);
        }
    }
    if judgement.system.starts_with(INSURERS_OWN) {
        let detail = "an insurer says itself what it calls things: PUT /v1/code-map";
        problems.push(bad("/system", detail.to_owned()));
    }
    match &judgement.participant {
        Some(id) => {
            let known = catalog.participant(id);
            if known.is_none_or(|known| known.role != Role::Provider) {
                let detail = "there is no such provider";
                let code = ProblemCode::DanglingReference;
                problems.push(Problem::new(code, "/participant", detail));
            }
        }
        None if !judgement.system.contains(':') => {
            let detail = "a system that is no URI is its sender's own: name the provider";
            problems.push(Problem::new(ProblemCode::Missing, "/participant", detail));
        }
        None => {}
    }
    if let Some(to) = &judgement.to {
        match tables.common(&to.system, &to.code) {
            Lookup::Mapped(mapped) if mapped.common == to.common() => {}
            Lookup::Mapped(mapped) => {
                let Code { system, code } = mapped.common;
                let detail = format!("in the common scheme this is {code} of {system}");
                problems.push(bad("/to/code", detail));
            }
            Lookup::Unmapped(gap) => {
                let gap = gap.reason.code();
                let detail = format!("the common scheme does not know it ({gap})");
                problems.push(bad("/to/code", detail));
            }
        }
    }
    match problems.is_empty() {
        true => Ok(judgement),
        false => Err(problems),
    }
}
