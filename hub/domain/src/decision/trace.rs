//! What a trace entry names beside its amounts: the rule that spoke, and the figures that it went by.
//!
//! Both are kept as values and become text where somebody writes them down. What is read back equals what was
//! computed: an input's name says of which kind its figure is ([`KINDS`]), and no two values of a kind have one text.

use serde::de::Deserializer;
use serde::ser::{SerializeTuple, Serializer};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::ids::ParticipantId;
use crate::money::{Amount, Quantity, Rate, round_half_up};

/// The part of a document that said something: "plan/3#surgery" is the benefit `surgery` of version 3 of `plan`.
///
/// A text of another form names a rule too: then it is all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleName {
    document: SmolStr,
    /// The version and the part within it.
    place: Option<(u32, SmolStr)>,
}

impl RuleName {
    /// The rule of a plan or tariff. No id has a slash.
    pub(crate) fn new(document: impl Into<SmolStr>, version: u32, part: SmolStr) -> RuleName {
        RuleName {
            document: document.into(),
            place: Some((version, part)),
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> RuleName {
        let placed = || {
            let (document, place) = text.split_once('/')?;
            let (version, part) = place.split_once('#')?;
            let name = RuleName::new(document, version.parse().ok()?, part.into());
            // "03" is a version too, and would be written otherwise.
            (name.to_string() == text).then_some(name)
        };
        placed().unwrap_or_else(|| RuleName {
            document: text.into(),
            place: None,
        })
    }

    /// The plan or tariff.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The benefit, limit, price or term within it.
    pub fn part(&self) -> Option<&str> {
        let place = self.place.as_ref();
        place.map(|(_, part)| part.as_str())
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.document)?;
        match &self.place {
            Some((version, part)) => write!(f, "/{version}#{part}"),
            None => Ok(()),
        }
    }
}

impl Serialize for RuleName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RuleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(RuleName::parse(&String::deserialize(deserializer)?))
    }
}

/// A named figure that a step was computed from. In JSON a pair of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it is.
    pub name: Cow<'static, str>,
    /// How much, or which.
    pub figure: Figure,
}

/// A figure that a step was computed from. Its text is exact, and the same in every language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Figure {
    /// Money, in smallest units.
    Amount(Amount),
    /// A part of one.
    Rate(Rate),
    /// Parts of one for each of several; in text with blanks between them.
    Rates(Arc<[Rate]>),
    /// How many.
    Quantity(Quantity),
    /// A term of the plan, or what no kind is known of.
    Word(SmolStr),
}

/// What a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Amount,
    Rate,
    Rates,
    Quantity,
    Word,
}

/// Of which kind the inputs are, by their names.
const KINDS: &[(&str, Kind)] = &[
    ("asked", Kind::Quantity),
    ("authorised", Kind::Amount),
    ("base", Kind::Amount),
    ("cost_share", Kind::Amount),
    ("covered", Kind::Quantity),
    ("least", Kind::Amount),
    ("left", Kind::Amount),
    ("mode", Kind::Word),
    ("said_by", Kind::Word),
    ("of", Kind::Amount),
    ("open", Kind::Amount),
    ("package", Kind::Quantity),
    ("paid_before", Kind::Amount),
    ("penalty_rate", Kind::Rate),
    ("price", Kind::Amount),
    ("quantity", Kind::Quantity),
    ("ranks", Kind::Rates),
    ("rate", Kind::Rate),
    ("reference_price", Kind::Amount),
    ("said", Kind::Amount),
    ("to", Kind::Amount),
];

impl Input {
    /// An input that is computed with.
    pub(crate) fn new(name: &'static str, figure: impl Into<Figure>) -> Input {
        let figure = figure.into();
        // INVARIANT: what is read back is of the kind that was written.
        debug_assert_eq!(
            KINDS.iter().find(|(own, _)| *own == name),
            Some(&(name, figure.kind())),
            "every input has a kind"
        );
        Input {
            name: Cow::Borrowed(name),
            figure,
        }
    }

    /// Reads an input. What is not of its name's kind is a word.
    pub fn read(name: &str, text: &str) -> Input {
        match KINDS.iter().find(|(own, _)| *own == name) {
            Some((name, kind)) => Input {
                name: Cow::Borrowed(name),
                figure: Figure::read(*kind, text),
            },
            None => Input {
                name: Cow::Owned(name.to_owned()),
                figure: Figure::Word(text.into()),
            },
        }
    }
}

impl Figure {
    fn read(kind: Kind, text: &str) -> Figure {
        let figure = match kind {
            // A price of one may be larger than any amount of a bill.
            Kind::Amount => {
                let read = text.parse::<i64>().ok();
                read.map(|number| Figure::Amount(round_half_up(number.into(), 1)))
            }
            Kind::Rate => Rate::parse(text).map(Figure::Rate),
            Kind::Rates => {
                let rates = text.split(' ').map(Rate::parse);
                rates.collect::<Option<Arc<_>>>().map(Figure::Rates)
            }
            Kind::Quantity => Quantity::parse(text).map(Figure::Quantity),
            Kind::Word => None,
        };
        // "007" is seven too, and would be written otherwise.
        let same = figure.filter(|figure| figure.to_string() == text);
        same.unwrap_or_else(|| Figure::Word(text.into()))
    }

    fn kind(&self) -> Kind {
        match self {
            Figure::Amount(_) => Kind::Amount,
            Figure::Rate(_) => Kind::Rate,
            Figure::Rates(_) => Kind::Rates,
            Figure::Quantity(_) => Kind::Quantity,
            Figure::Word(_) => Kind::Word,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Figure::Amount(amount) => amount.fmt(f),
            Figure::Rate(rate) => fmt::Display::fmt(rate, f),
            Figure::Rates(rates) => {
                for (at, rate) in rates.iter().enumerate() {
                    let blank = if at == 0 { "" } else { " " };
                    write!(f, "{blank}{rate}")?;
                }
                Ok(())
            }
            Figure::Quantity(quantity) => fmt::Display::fmt(quantity, f),
            Figure::Word(word) => f.write_str(word),
        }
    }
}

impl From<Amount> for Figure {
    fn from(amount: Amount) -> Figure {
        Figure::Amount(amount)
    }
}

impl From<Rate> for Figure {
    fn from(rate: Rate) -> Figure {
        Figure::Rate(rate)
    }
}

impl From<&[Rate]> for Figure {
    fn from(rates: &[Rate]) -> Figure {
        Figure::Rates(rates.into())
    }
}

impl From<Quantity> for Figure {
    fn from(quantity: Quantity) -> Figure {
        Figure::Quantity(quantity)
    }
}

impl From<&ParticipantId> for Figure {
    fn from(participant: &ParticipantId) -> Figure {
        Figure::Word(participant.as_str().into())
    }
}

impl From<&'static str> for Figure {
    fn from(word: &'static str) -> Figure {
        Figure::Word(SmolStr::new_static(word))
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(&self.name)?;
        pair.serialize_element(&self.figure)?;
        pair.end()
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, text) = <(String, String)>::deserialize(deserializer)?;
        Ok(Input::read(&name, &text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_name_is_written_as_it_was_read() {
        let check = |text: &str, document: &str, part: Option<&str>| {
            let name = RuleName::parse(text);
            let written = serde_json::to_value(&name).unwrap();
            assert_eq!(written, text);
            assert_eq!(serde_json::from_value::<RuleName>(written).unwrap(), name);
            assert_eq!((name.document(), name.part()), (document, part), "{text}");
        };
        check("plan/3#surgery", "plan", Some("surgery"));
        check("plan/3#", "plan", Some(""));
        check("tariff/1#a/2#b", "tariff", Some("a/2#b"));
        check("plan/03#surgery", "plan/03#surgery", None);
        check("plan/+3#surgery", "plan/+3#surgery", None);
        check("plan/4294967296#a", "plan/4294967296#a", None);
        check("plan#surgery", "plan#surgery", None);
        check("", "", None);
    }

    #[test]
    fn an_input_is_read_back_as_the_figure_that_was_written() {
        let rate = |text: &str| Rate::parse(text).unwrap();
        let check = |name: &'static str, figure: Figure, text: &str| {
            let input = Input::new(name, figure);
            let written = serde_json::to_string(&input).unwrap();
            assert_eq!(written, format!("[\"{name}\",\"{text}\"]"));
            assert_eq!(serde_json::from_str::<Input>(&written).unwrap(), input);
        };
        check("price", Amount::MAX.into(), "900000000000000");
        check(
            "price",
            round_half_up(i128::MAX, 1).into(),
            "9223372036854775807",
        );
        check("rate", rate("30%").into(), "0.3");
        check("rate", rate("10/100").into(), "0.1");
        check("rate", rate("0%").into(), "0");
        check("rate", rate("100%").into(), "1");
        check("rate", rate("2/6").into(), "2/6");
        check("rate", rate("10/30").into(), "10/30");
        let ranks = [rate("1"), rate("50%"), rate("1/3")];
        check("ranks", ranks.as_slice().into(), "1 0.5 1/3");
        check("quantity", Quantity::parse("2.50").unwrap().into(), "2.5");
        check("mode", "offset".into(), "offset");
    }

    #[test]
    fn what_is_of_no_known_kind_is_kept_as_it_stands() {
        let check = |name: &str, text: &str| {
            let input = Input::read(name, text);
            assert_eq!(input.figure, Figure::Word(text.into()), "{name}");
            let written = serde_json::to_string(&input).unwrap();
            assert_eq!(serde_json::from_str::<Input>(&written).unwrap(), input);
        };
        check("somebody's", "12");
        check("price", "007");
        check("price", "+7");
        check("price", "9223372036854775808");
        check("rate", "30%");
        check("rate", "1.5");
        check("ranks", "1  0.5");
        check("quantity", "2.50");
    }
}
