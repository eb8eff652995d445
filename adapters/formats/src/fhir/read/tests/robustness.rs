//! No body makes the reader panic: every file of the corpus in whatever format, the same broken at random
//! places, and trees of any shape behind the back of the check against R4.

use super::super::{Library, messages};
use super::corpus::{Sample, samples};
use crate::fhir::tree::Node;
use crate::fhir::{FORMAT, json, xml};
use rustc_hash::FxHashMap;

/// A small generator with a seed, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides.max(1)
    }
}

/// Larger files are read whole elsewhere; broken ones are to be many.
const MOST_BYTES: usize = 40_000;

#[test]
fn no_file_of_the_corpus_makes_the_reader_panic() {
    for sample in samples() {
        let _ = crate::read(&FORMAT, &sample.body, &super::context());
    }
}

#[test]
fn no_broken_file_makes_the_reader_panic() {
    let samples = samples();
    let fit: Vec<&Sample> = samples
        .iter()
        .filter(|sample| sample.is_fhir() && sample.body.len() < MOST_BYTES)
        .collect();
    if fit.is_empty() {
        return;
    }
    let mut dice = Dice(0x5eed_0001);
    for _ in 0..2_500 {
        let mut body = fit[dice.roll(fit.len())].body.clone();
        match dice.roll(4) {
            0 => body.truncate(dice.roll(body.len())),
            1 => {
                for _ in 0..=dice.roll(4) {
                    let at = dice.roll(body.len());
                    body[at] ^= 1 << dice.roll(8);
                }
            }
            2 => {
                let from = dice.roll(body.len());
                let to = body.len().min(from + dice.roll(200));
                body.drain(from..to);
            }
            _ => {
                let from = dice.roll(body.len());
                let to = body.len().min(from + dice.roll(200));
                let part = body[from..to].to_vec();
                let at = dice.roll(body.len());
                body.splice(at..at, part);
            }
        }
        let _ = crate::read(&FORMAT, &body, &super::context());
    }
}

/// Puts something else in the place of one node.
fn disturb<'a>(node: &mut Node<'a>, dice: &mut Dice, donor: &Node<'a>) {
    match node {
        Node::Object(members) if !members.is_empty() && dice.roll(6) > 0 => {
            let at = dice.roll(members.len());
            disturb(&mut members[at].1, dice, donor);
        }
        Node::Array(items) if !items.is_empty() && dice.roll(6) > 0 => {
            let at = dice.roll(items.len());
            disturb(&mut items[at], dice, donor);
        }
        _ => {
            *node = match dice.roll(9) {
                0 => Node::Null,
                1 => Node::Bool(true),
                2 => Node::number("-1e30"),
                3 => Node::number("0.12345678901234567890123456789"),
                4 => Node::from("#"),
                5 => Node::from("۱۴۰۵-۱۳-۴۰"),
                6 => Node::array([donor.clone(), Node::Null]),
                7 => Node::object([("value", donor.clone()), ("currency", Node::from("IRR"))]),
                _ => donor.clone(),
            };
        }
    }
}

#[test]
fn no_tree_of_any_shape_makes_the_reader_panic() {
    let samples = samples();
    let trees: Vec<Node> = samples
        .iter()
        .filter(|sample| sample.is_fhir() && sample.body.len() < MOST_BYTES)
        .filter_map(|sample| {
            json::parse(&sample.body)
                .or_else(|_| xml::parse(&sample.body))
                .ok()
        })
        .filter(|tree| {
            messages(&Library::of(tree), &FxHashMap::default(), &super::context()).is_ok()
        })
        .collect();
    if trees.is_empty() {
        return;
    }
    let mut dice = Dice(0x5eed_0002);
    let mut read = 0;
    for _ in 0..2_500 {
        let mut tree = trees[dice.roll(trees.len())].clone();
        for _ in 0..=dice.roll(6) {
            let donor = &trees[dice.roll(trees.len())];
            let at = dice.roll(donor.members().len());
            let donor = donor
                .members()
                .get(at)
                .map_or(&Node::Null, |(_, node)| node);
            disturb(&mut tree, &mut dice, donor);
        }
        let reading = messages(
            &Library::of(&tree),
            &FxHashMap::default(),
            &super::context(),
        );
        let outcomes = reading.iter().flat_map(|reading| &reading.messages);
        read += outcomes.filter(|message| message.outcome.is_ok()).count();
    }
    assert!(
        read > 500,
        "only {read} disturbed messages were still read: the trees are too broken"
    );
}
