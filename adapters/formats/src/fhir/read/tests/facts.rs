//! What a resource says, found by the table of R4 alone: amounts, codes, dates, identifiers, lines. It
//! knows nothing of the reader that it judges.

use crate::fhir::r4::{self, Primitive, Structure, Type};
use crate::fhir::tree::Node;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use takmil_domain::money::{Amount, Currency};

/// One thing that a resource says, and where.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub(super) pointer: String,
    pub(super) said: Said,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Said {
    /// An amount in smallest units.
    Amount(i64),
    /// System and code.
    Coding(String, String),
    /// A code of R4 itself.
    Code(String),
    /// A date or time.
    Date(String),
    /// System and value.
    Identifier(String, String),
}

/// Everything of those kinds that `resource`, which stands at `pointer`, says. What it contains is a
/// resource of its own, and its frame (`meta`, narrative, `id`) says nothing of the matter.
pub(super) fn facts(resource: &Node, pointer: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    let structure = r4::resource(resource.resource_type().unwrap()).unwrap();
    members(resource, structure, pointer, &mut facts);
    facts
}

fn members(node: &Node, structure: &'static Structure, pointer: &str, facts: &mut Vec<Fact>) {
    let mut add = |said| {
        facts.push(Fact {
            pointer: pointer.to_owned(),
            said,
        })
    };
    let text = |key: &str| node.text(key).unwrap_or_default().to_owned();
    match structure.name {
        "Coding" | "Quantity" | "Duration" | "Age" if node.get("code").is_some() => {
            add(Said::Coding(text("system"), text("code")));
        }
        "Identifier" if node.get("value").is_some() => {
            add(Said::Identifier(text("system"), text("value")))
        }
        "Money" => {
            let currency = Currency::parse(&text("currency")).unwrap_or(Currency::NONE);
            let exponent = currency.exponent(super::context().today);
            let value = node.get("value").and_then(Node::as_number);
            add(Said::Amount(
                Amount::from_decimal(value.unwrap(), exponent)
                    .unwrap()
                    .0
                    .get(),
            ));
        }
        _ => {}
    }
    for (key, value) in node.members() {
        if structure.is_resource && matches!(&**key, "resourceType" | "meta" | "text" | "contained")
            || &**key == "id"
        {
            continue;
        }
        let bare = key.strip_prefix('_').unwrap_or(key);
        let Some((_, _, kind)) = structure.property(bare) else {
            continue;
        };
        let kind = if bare.len() == key.len() {
            kind
        } else {
            Type::Structure(element())
        };
        let items = if let Node::Array(items) = value {
            items.as_slice()
        } else {
            std::slice::from_ref(value)
        };
        for (index, item) in items.iter().enumerate() {
            let at = match value {
                Node::Array(_) => format!("{pointer}/{key}/{index}"),
                _ => format!("{pointer}/{key}"),
            };
            match (kind, item) {
                (_, Node::Null) => {}
                (Type::Structure(inner), _) => {
                    members(item, r4::structure(inner).unwrap(), &at, facts)
                }
                (Type::Primitive(primitive), Node::String(text)) => {
                    let said = match primitive {
                        Primitive::Date | Primitive::DateTime | Primitive::Instant => {
                            Said::Date(text.to_string())
                        }
                        // The code of a coding or quantity was told with its system.
                        Primitive::Code if &**key != "code" || structure.is_resource => {
                            Said::Code(text.to_string())
                        }
                        _ => continue,
                    };
                    facts.push(Fact { pointer: at, said });
                }
                _ => {}
            }
        }
    }
}

fn element() -> usize {
    (0..)
        .find(|index| r4::structure(*index).unwrap().name == "Element")
        .unwrap()
}

/// How many lines, details and sub-details a resource has.
pub(super) fn lines(resource: &Node) -> usize {
    let lists = ["item", "detail", "subDetail"];
    let below = lists.iter().flat_map(|key| resource.list(key));
    below.map(|line| 1 + lines(line)).sum()
}

/// What a message says in canonical form, ready to be searched.
#[derive(Default)]
pub(super) struct Canonical {
    texts: HashSet<String>,
    pairs: HashSet<(String, String)>,
    amounts: HashMap<i64, usize>,
    pub(super) lines: usize,
}

/// The fields of canonical JSON that hold amounts.
const AMOUNTS: &[&str] = &[
    "billed",
    "unit_price",
    "amount",
    "total",
    "paid_by_member",
    "paid",
    "subsidy",
];

impl Canonical {
    pub(super) fn of(message: &Value) -> Self {
        let mut canonical = Self::default();
        canonical.add(message, "");
        canonical
    }

    fn add(&mut self, value: &Value, key: &str) {
        match value {
            // What is only pointed to is not said.
            _ if key == "unread" => {}
            Value::Object(members) => {
                let text = |key: &str| members.get(key).and_then(Value::as_str);
                if let Some(second) = text("code").or(text("value")) {
                    let first = text("system").unwrap_or_default();
                    self.pairs.insert((first.to_owned(), second.to_owned()));
                }
                for (key, inner) in members {
                    if matches!(key.as_str(), "lines" | "details") {
                        self.lines += inner.as_array().unwrap().len();
                    }
                    self.add(inner, key);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item, key)),
            Value::String(text) => drop(self.texts.insert(text.clone())),
            // The field's name is its unit.
            Value::Number(_) if key == "days_supply" => {
                self.pairs
                    .insert(("http://unitsofmeasure.org".into(), "d".into()));
            }
            Value::Number(number) if AMOUNTS.contains(&key) => {
                *self.amounts.entry(number.as_i64().unwrap()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// Which of `facts` the message does not say. An amount that stands twice must be said twice.
    pub(super) fn missing<'f>(&self, facts: &'f [Fact]) -> Vec<&'f Fact> {
        let mut left: BTreeMap<i64, usize> = self
            .amounts
            .iter()
            .map(|(amount, count)| (*amount, *count))
            .collect();
        let mut is_said = |said: &Said| match said {
            Said::Amount(amount) => match left.get_mut(amount) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    true
                }
                _ => false,
            },
            Said::Coding(system, code) => self.pairs.contains(&(system.clone(), code.clone())),
            Said::Identifier(system, value) => {
                self.pairs.contains(&(system.clone(), value.clone()))
            }
            Said::Code(text) | Said::Date(text) => self.texts.contains(text),
        };
        facts.iter().filter(|fact| !is_said(&fact.said)).collect()
    }
}
