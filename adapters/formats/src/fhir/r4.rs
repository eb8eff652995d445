//! The element table of FHIR R4 (4.0.1): which elements each resource and datatype has, in which
//! order, how often, of which types, and the fixed code lists that `code` elements are bound to.
//!
//! `r4/r4.tsv` is derived from HL7's published structure definitions and value sets (FHIR R4, 4.0.1,
//! published under CC0 1.0). Tab-separated; the first column of a line with a single capital says
//! what the line is:
//!
//! | line | columns |
//! |---|---|
//! | `C` | name of a code list, its codes (`\|` between) |
//! | `O` | the types that an open choice (`*`) allows |
//! | `A`, `R`, `D`, `B` | a structure (abstract, resource, datatype, backbone), its path, the structure that it extends |
//! | any other | an element of the structure above it: name (`[x]` marks a choice of types), minimum, maximum (`1` or `*`), types, code list |
//!
//! Types have `|` between them; `@` in front means that XML writes the element as an attribute;
//! `Reference:A,B` may refer to an `A` or a `B`; a path (`Claim.item`) names the structure of that
//! line, which is how nested elements and content references are both told. Only `code` elements with
//! a required binding to a closed list carry one; lists kept outside FHIR (media types, currencies)
//! are not in the table. It holds no national profile, and nothing here reads messages.

mod check;
mod date;
mod expression;
mod primitive;

#[cfg(test)]
pub(crate) use check::Finding;
pub(crate) use check::check;
pub(crate) use expression::expression;
pub(crate) use primitive::Primitive;

use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

/// How many elements a structure may have at most, as a [`Mask`] has room for; the largest of R4 has half as many.
pub(crate) const MAX_ELEMENTS: usize = 128;

/// Elements of one structure, a bit for each index.
pub(crate) type Mask = u128;

/// One resource, datatype or backbone element.
#[derive(Debug)]
pub(crate) struct Structure {
    /// Its path in FHIR's own words: `Claim`, `Claim.item`, `Period`.
    pub(crate) name: &'static str,
    /// Whether it is a resource that can stand alone.
    pub(crate) is_resource: bool,
    /// Its elements in FHIR's order, inherited ones first.
    pub(crate) elements: Vec<Element>,
    /// Those that must be there.
    pub(crate) required: Mask,
    /// Every JSON name of an element (`valueString` for `value[x]`), with the index of the element and its
    /// type. What senders write is only looked up here, so that a fast hash is safe.
    properties: FxHashMap<Cow<'static, str>, (usize, Type)>,
}

/// One element of a structure.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    /// Its name, without the `[x]` of a choice.
    pub(crate) name: &'static str,
    /// Whether the JSON name adds the type (`value[x]`).
    pub(crate) choice: bool,
    /// Whether it must be there.
    pub(crate) required: bool,
    /// Whether it may repeat, so that JSON writes a list.
    pub(crate) many: bool,
    /// Whether XML writes it as an attribute.
    pub(crate) attribute: bool,
    /// The types that it may have; more than one only for a choice.
    pub(crate) types: Vec<Type>,
    /// The resource types that a reference may lead to; empty for any.
    pub(crate) targets: &'static str,
    /// The codes that a `code` may be, `|` between them; `None` if the list is open.
    pub(crate) codes: Option<&'static str>,
    /// The same one by one.
    listed: Vec<&'static str>,
}

/// What an element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// A primitive value.
    Primitive(Primitive),
    /// A structure, to be had from [`structure`].
    Structure(usize),
    /// A whole resource of any type.
    Resource,
}

/// The structure of a resource type; `None` if R4 has no such resource.
pub(crate) fn resource(name: &str) -> Option<&'static Structure> {
    named(name).filter(|found| found.is_resource)
}

/// The structure of any name (`Extension`, `Claim.item`).
pub(crate) fn named(name: &str) -> Option<&'static Structure> {
    TABLE.by_name.get(name).and_then(|index| structure(*index))
}

/// The structure that a [`Type::Structure`] points to.
pub(crate) fn structure(index: usize) -> Option<&'static Structure> {
    TABLE.structures.get(index)
}

impl Structure {
    /// The element of that JSON name, its index in [`Self::elements`] and its type.
    pub(crate) fn property(&self, name: &str) -> Option<(&Element, usize, Type)> {
        let (index, kind) = *self.properties.get(name)?;
        Some((self.elements.get(index)?, index, kind))
    }

    /// The JSON name of an element of this structure that is `name` but for the case of letters.
    pub(crate) fn property_near(&self, name: &str) -> Option<&str> {
        let names = self.properties.keys().map(|known| &**known);
        names.filter(|known| known.eq_ignore_ascii_case(name)).min()
    }
}

impl Element {
    /// Whether its list has the code; true where the list is open.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.codes.is_none() || self.listed.contains(&code)
    }
}

struct Table {
    structures: Vec<Structure>,
    by_name: FxHashMap<&'static str, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("r4/r4.tsv")));

/// A structure's lines, before types are looked up.
struct Draft {
    kind: &'static str,
    name: &'static str,
    base: &'static str,
    elements: Vec<[&'static str; 5]>,
}

impl Table {
    fn read(text: &'static str) -> Self {
        let mut codes = HashMap::new();
        let mut open = "";
        let mut drafts: Vec<Draft> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut columns = line.split('\t');
            let mut next = || columns.next().unwrap_or_default();
            let columns = [next(), next(), next(), next(), next()];
            match (columns, drafts.last_mut()) {
                (["C", name, list, ..], _) => drop(codes.insert(name, list)),
                (["O", types, ..], _) => open = types,
                ([kind @ ("A" | "R" | "D" | "B"), name, base, ..], _) => {
                    drafts.push(Draft {
                        kind,
                        name,
                        base,
                        elements: Vec::new(),
                    });
                }
                (element, Some(draft)) => draft.elements.push(element),
                (_, None) => {}
            }
        }
        let by_name: FxHashMap<_, _> = drafts
            .iter()
            .enumerate()
            .map(|(index, draft)| (draft.name, index))
            .collect();
        let reader = Reader {
            codes,
            open,
            drafts: &drafts,
            by_name: &by_name,
        };
        let structures = drafts.iter().map(|draft| reader.structure(draft)).collect();
        Self {
            structures,
            by_name,
        }
    }
}

struct Reader<'a> {
    codes: HashMap<&'static str, &'static str>,
    open: &'static str,
    drafts: &'a [Draft],
    by_name: &'a FxHashMap<&'static str, usize>,
}

impl Reader<'_> {
    fn structure(&self, draft: &Draft) -> Structure {
        let mut elements = Vec::new();
        self.inherit(draft, &mut elements);
        let mut properties = FxHashMap::default();
        let mut required = 0;
        for (index, (element, type_names)) in elements.iter().enumerate() {
            for (kind, type_name) in element.types.iter().zip(type_names) {
                properties.insert(property_name(element, type_name), (index, *kind));
            }
            if element.required {
                required |= bit(index);
            }
        }
        let elements = elements.into_iter().map(|(element, _)| element).collect();
        Structure {
            name: draft.name,
            is_resource: draft.kind == "R",
            elements,
            required,
            properties,
        }
    }

    fn inherit(&self, draft: &Draft, elements: &mut Vec<(Element, Vec<&'static str>)>) {
        if let Some(base) = self
            .by_name
            .get(draft.base)
            .and_then(|index| self.drafts.get(*index))
        {
            self.inherit(base, elements);
        }
        elements.extend(draft.elements.iter().map(|columns| self.element(*columns)));
    }

    /// One element and the names of its types.
    fn element(
        &self,
        [name, min, max, types, codes]: [&'static str; 5],
    ) -> (Element, Vec<&'static str>) {
        let (attribute, types) = types
            .strip_prefix('@')
            .map_or((false, types), |types| (true, types));
        let types = if types == "*" { self.open } else { types };
        let mut targets = "";
        let mut names = Vec::new();
        for one in types.split('|') {
            let (name, allowed) = one.split_once(':').unwrap_or((one, targets));
            targets = allowed;
            names.push(name);
        }
        let element = Element {
            name: name.strip_suffix("[x]").unwrap_or(name),
            choice: name.ends_with("[x]"),
            required: min != "0",
            many: max == "*",
            attribute,
            types: names.iter().filter_map(|name| self.kind(name)).collect(),
            targets,
            codes: self.codes.get(codes).copied(),
            listed: self
                .codes
                .get(codes)
                .map_or(Vec::new(), |codes| codes.split('|').collect()),
        };
        (element, names)
    }

    fn kind(&self, name: &str) -> Option<Type> {
        if name == "Resource" {
            return Some(Type::Resource);
        }
        let primitive = Primitive::named(name).map(Type::Primitive);
        primitive.or_else(|| self.by_name.get(name).copied().map(Type::Structure))
    }
}

/// The bit of the element of that index in a [`Mask`].
pub(crate) fn bit(index: usize) -> Mask {
    u32::try_from(index).map_or(0, |index| Mask::from(1_u8).unbounded_shl(index))
}

/// The JSON name of an element of that type: `valueString` for `value[x]` as a `string`.
fn property_name(element: &Element, type_name: &str) -> Cow<'static, str> {
    let mut characters = type_name.chars();
    match characters.next() {
        Some(first) if element.choice => Cow::Owned(format!(
            "{}{}{}",
            element.name,
            first.to_ascii_uppercase(),
            characters.as_str()
        )),
        _ => Cow::Borrowed(element.name),
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )]

    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let text = include_str!("r4/r4.tsv");
        let count = |kind: &str| {
            text.lines()
                .filter(|line| line.starts_with(&format!("{kind}\t")))
                .count()
        };
        assert_eq!(
            TABLE
                .structures
                .iter()
                .filter(|structure| structure.is_resource)
                .count(),
            count("R")
        );
        assert_eq!(count("R"), 146, "R4 has 146 resources");
        assert_eq!(
            TABLE.structures.len(),
            ["A", "R", "D", "B"].map(count).iter().sum::<usize>()
        );
        assert_eq!(
            TABLE.by_name.len(),
            TABLE.structures.len(),
            "a structure stands twice"
        );
        for structure in &TABLE.structures {
            assert!(
                structure.elements.len() <= MAX_ELEMENTS,
                "{}",
                structure.name
            );
            let types: usize = structure
                .elements
                .iter()
                .map(|element| element.types.len())
                .sum();
            assert_eq!(
                types,
                structure.properties.len(),
                "{} has a type that the table does not hold",
                structure.name
            );
            for element in &structure.elements {
                assert!(
                    element.choice || element.types.len() == 1,
                    "{}.{}",
                    structure.name,
                    element.name
                );
                for target in element
                    .targets
                    .split(',')
                    .filter(|target| !target.is_empty())
                {
                    assert!(
                        resource(target).is_some(),
                        "{}.{}: {target}",
                        structure.name,
                        element.name
                    );
                }
            }
        }
        let bound = |line: &str| line.split('\t').nth(4).is_some_and(|list| !list.is_empty());
        for line in text.lines().filter(|line| bound(line)) {
            let list = line.split('\t').nth(4).unwrap();
            assert!(text.contains(&format!("\nC\t{list}\t")), "{line}");
        }
    }

    #[test]
    fn a_claim_is_as_hl7_publishes_it() {
        let claim = resource("Claim").unwrap();
        let first: Vec<&str> = claim
            .elements
            .iter()
            .take(10)
            .map(|element| element.name)
            .collect();
        let expected = [
            "id",
            "meta",
            "implicitRules",
            "language",
            "text",
            "contained",
            "extension",
            "modifierExtension",
        ];
        assert_eq!(first, [&expected[..], &["identifier", "status"]].concat());

        let (status, _, kind) = claim.property("status").unwrap();
        assert_eq!(kind, Type::Primitive(Primitive::Code));
        assert_eq!(
            status.codes,
            Some("active|cancelled|draft|entered-in-error")
        );
        assert!(status.required && !status.many);

        let (item, _, kind) = claim.property("item").unwrap();
        let Type::Structure(index) = kind else {
            panic!("{kind:?}")
        };
        assert!(item.many && !item.required);
        let item = structure(index).unwrap();
        assert_eq!(item.name, "Claim.item");
        assert!(item.property("serviced").is_none());
        let (serviced, _, kind) = item.property("servicedDate").unwrap();
        assert_eq!(
            (serviced.name, kind),
            ("serviced", Type::Primitive(Primitive::Date))
        );
        assert!(item.property("servicedPeriod").is_some());

        assert_eq!(claim.property("patient").unwrap().0.targets, "Patient");
        assert!(resource("Claim.item").is_none() && resource("Period").is_none());
        assert!(resource("DomainResource").is_none() && resource("claim").is_none());
        assert!(
            named("Extension")
                .unwrap()
                .property("url")
                .unwrap()
                .0
                .attribute
        );
    }
}
