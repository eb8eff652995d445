//! Compositions in the two simplified shapes: FLAT, one member for each value under its whole path
//! (`template/order:0/medication_item|code`), and STRUCTURED, the same as a tree of lists (`{"order": [{"|code": …}]}`).

use std::collections::HashMap;

use takmil_domain::problem::{Problem, ProblemCode};

use super::tree::{Item, below};
use crate::MAX_DEPTH;
use crate::native::tree::Node;

/// A FLAT composition: a part for the template, and one of the name `ctx` where there is a context of defaults.
///
/// # Errors
/// A path of more steps than are read.
pub(super) fn flat<'n>(node: &'n Node<'n>, place: &str) -> Result<Item<'n>, Problem> {
    let mut root = Item::new("", None);
    let Node::Object(members) = node else {
        return Ok(root);
    };
    // Where among its siblings the part of a path stands.
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (key, value) in members {
        let key: &str = key;
        let at = below(place, key);
        let (path, attribute) = key.split_once('|').unwrap_or((key, ""));
        if path.split('/').count() > MAX_DEPTH {
            let detail = "this path is too long";
            return Err(Problem::new(ProblemCode::TooDeep, at, detail));
        }
        let mut own = &mut root;
        let ends = path.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            let prefix = path.get(..end).unwrap_or(path);
            let index = *known.entry(prefix).or_insert_with(|| {
                let step = prefix.rsplit('/').next().unwrap_or(prefix);
                own.parts.push(Item::new(id_of(step), None));
                own.parts.len().saturating_sub(1)
            });
            own = &mut own.parts[index];
        }
        match value.scalar() {
            Some(value) => own.say(attribute, value, at),
            None if matches!(value, Node::Null) => {}
            None => own.parts.push(Item::new("raw", Some(at))),
        }
    }
    Ok(root)
}

/// A step without number and underscore: `_other_participation:0` is `other_participation`.
fn id_of(step: &str) -> String {
    let step = step.strip_prefix('_').unwrap_or(step);
    let named = step.rsplit_once(':');
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = match named {
        Some((id, number)) if is_number(number) => id,
        _ => step,
    };
    id.to_owned()
}

/// A STRUCTURED composition.
pub(super) fn structured<'n>(node: &'n Node<'n>, place: &str) -> Item<'n> {
    let mut root = Item::new("", None);
    parts(&mut root, node, place);
    root
}

fn parts<'n>(own: &mut Item<'n>, node: &'n Node<'n>, place: &str) {
    match node {
        Node::Object(members) => {
            for (key, value) in members {
                let at = below(place, key);
                if let Some(attribute) = key.strip_prefix('|') {
                    if let Some(value) = value.scalar() {
                        own.say(attribute, value, at);
                    }
                    continue;
                }
                let (id, attribute) = key.split_once('|').unwrap_or((key, ""));
                match value {
                    Node::List(items) => {
                        for (index, one) in items.iter().enumerate() {
                            let at = format!("{at}/{index}");
                            let mut part = Item::new(id_of(id), None);
                            parts(&mut part, one, &at);
                            own.parts.push(part);
                        }
                    }
                    one => {
                        let mut part = Item::new(id_of(id), None);
                        match one.scalar() {
                            Some(value) => part.say(attribute, value, at),
                            None => parts(&mut part, one, &at),
                        }
                        own.parts.push(part);
                    }
                }
            }
        }
        one => {
            if let Some(value) = one.scalar() {
                own.say("", value, place.to_owned());
            }
        }
    }
}
