//! What every reader of a transaction needs: values of elements with their place, and what was wrong on the way.

use std::cell::RefCell;

use takmil_domain::bill::BillClass;
use takmil_domain::code::Coded;
use takmil_domain::date::{Date, Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::message::Supporting;
use takmil_domain::money::{Amount, AmountError, Currency, Quantity};
use takmil_domain::problem::{Problem, ProblemCode};

use crate::x12::codes;
use crate::x12::token::{Seen, Segment};
use crate::{Context, MAX_PROBLEMS};

/// What is known while one message is read.
pub(super) struct Frame<'p> {
    /// The place of the transaction.
    pub place: &'p str,
    /// The currency of the message.
    pub currency: Option<Currency>,
    /// Which kind of bill the transaction is.
    pub class: Option<BillClass>,
    /// The day on which it arrived.
    pub today: Date,
    /// What was wrong.
    pub problems: RefCell<Vec<Problem>>,
    /// Where the parts of the message were read from.
    pub origins: RefCell<Vec<(String, String)>>,
}

/// The segments that one message is made of: those before its loops, the loops it stands in, and its own.
pub(super) struct Unit<'u, 'a> {
    /// From the ST to the first HL.
    pub head: &'u [Seen<'a>],
    /// The loops around it, the outermost first.
    pub loops: &'u [Vec<Seen<'a>>],
    /// Its own.
    pub own: &'u [Seen<'a>],
}

impl<'u, 'a> Unit<'u, 'a> {
    /// The loop whose HL has a level code.
    pub(super) fn level(&self, codes: &[&str]) -> &'u [Seen<'a>] {
        let of = |level: &&Vec<Seen<'a>>| {
            let hl = level.first();
            hl.is_some_and(|hl| codes.contains(&hl.peek(3)))
        };
        self.loops.iter().rev().find(of).map_or(&[], Vec::as_slice)
    }

    /// Every place of it that nothing was read from, a whole segment as one.
    pub(super) fn unread(&self, place: &str) -> Vec<String> {
        let mut found = Vec::new();
        let around = self.loops.iter().flatten();
        for seen in self.head.iter().chain(around).chain(self.own) {
            // What only bounds, counts or numbers says nothing of the message.
            if matches!(seen.id(), "ST" | "SE" | "HL" | "LX") {
                continue;
            }
            let at = segment_place(place, &seen.segment);
            if seen.is_untouched() {
                found.push(at);
                continue;
            }
            found.extend(seen.unread().map(|number| format!("{at}/element/{number}")));
        }
        found
    }
}

/// The place of a segment in its transaction's.
pub(super) fn segment_place(place: &str, segment: &Segment<'_>) -> String {
    format!("{place}/segment/{}", segment.number)
}

impl Frame<'_> {
    /// A frame with nothing wrong yet.
    pub(super) fn new<'p>(
        place: &'p str,
        currency: Option<Currency>,
        class: Option<BillClass>,
        context: &Context,
    ) -> Frame<'p> {
        Frame {
            place,
            currency: currency.or(context.default_currency),
            class,
            today: context.today,
            problems: RefCell::new(Vec::new()),
            origins: RefCell::new(Vec::new()),
        }
    }

    /// Says that a part of the message was read from a segment.
    pub(super) fn origin(&self, canonical: impl Into<String>, seen: &Seen<'_>) {
        let place = segment_place(self.place, &seen.segment);
        self.origins.borrow_mut().push((canonical.into(), place));
    }

    /// Says what is wrong with an element, 0 for the whole segment.
    pub(super) fn fault(&self, seen: &Seen<'_>, element: usize, code: ProblemCode, detail: &str) {
        let mut place = segment_place(self.place, &seen.segment);
        if element > 0 {
            place.push_str(&format!("/element/{element}"));
        }
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push(Problem::new(code, place, detail));
        }
    }

    /// An amount.
    pub(super) fn amount(&self, seen: &Seen<'_>, element: usize) -> Option<Amount> {
        let text = seen.text(element)?;
        self.amount_of(seen, element, text)
    }

    /// An amount of a text that stands in an element.
    pub(super) fn amount_of(&self, seen: &Seen<'_>, element: usize, text: &str) -> Option<Amount> {
        let exponent = self
            .currency
            .map_or(2, |currency| currency.exponent(self.today));
        let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+');
        let read = match text.bytes().all(is_plain) {
            true => Amount::from_decimal(text, exponent),
            false => Err(AmountError::NotDecimal),
        };
        match read {
            Ok((amount, false)) => Some(amount),
            Ok((_, true)) => {
                let detail = "the amount is finer than the currency's smallest unit";
                self.fault(seen, element, ProblemCode::BadValue, detail);
                None
            }
            Err(AmountError::NotDecimal) => {
                self.fault(seen, element, ProblemCode::WrongType, "no decimal number");
                None
            }
            Err(AmountError::TooLarge) => {
                let detail = "larger than any real amount";
                self.fault(seen, element, ProblemCode::OutOfRange, detail);
                None
            }
        }
    }

    /// A quantity.
    pub(super) fn quantity(&self, seen: &Seen<'_>, element: usize) -> Option<Quantity> {
        let text = seen.text(element)?;
        let found = Quantity::parse(text);
        if found.is_none() {
            let code = match text.starts_with('-') {
                true => ProblemCode::Negative,
                false => ProblemCode::WrongType,
            };
            self.fault(seen, element, code, "no quantity of 0 or more");
        }
        found
    }

    /// A date or time in an element, by the format that another element names.
    pub(super) fn period(&self, seen: &Seen<'_>, format: usize, value: usize) -> Option<Period> {
        let text = seen.text(value)?;
        // Element 0 is the name of the segment: a date without a format is a plain day.
        let format = if format == 0 { "" } else { seen.at(format) };
        self.period_of(seen, value, format, text)
    }

    /// A date or time of a text, by its format (data element 1250).
    pub(super) fn period_of(
        &self,
        seen: &Seen<'_>,
        element: usize,
        format: &str,
        text: &str,
    ) -> Option<Period> {
        let read = match format {
            "RD8" => text.split_once('-').and_then(|(start, end)| {
                let (start, end) = (when(start)?, when(end)?);
                Some(Period {
                    start: Some(start),
                    end: Some(end),
                })
            }),
            "D8" | "DT" | "" => when(text).map(day),
            _ => None,
        };
        if read.is_none() {
            self.fault(seen, element, ProblemCode::BadDate, "no real date");
        }
        read
    }

    /// A single date, or the first of two.
    pub(super) fn when(&self, seen: &Seen<'_>, format: usize, value: usize) -> Option<When> {
        self.period(seen, format, value)?.start
    }
}

/// Reads YYYYMMDD, or YYYYMMDDHHMM.
pub(super) fn when(text: &str) -> Option<When> {
    let part = |from: usize, to: usize| text.get(from..to);
    let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    match text.len() {
        8 => When::parse(&day),
        12 => When::parse(&format!("{day}T{}:{}", part(8, 10)?, part(10, 12)?)),
        _ => None,
    }
}

/// One day as a period.
pub(super) fn day(when: When) -> Period {
    Period {
        start: Some(when.clone()),
        end: Some(when),
    }
}

/// An identifier of a REF segment.
pub(super) fn reference(seen: &Seen<'_>) -> Option<Identifier> {
    let value = seen.text(2)?;
    Some(Identifier::new(codes::reference_system(seen.at(1)), value))
}

/// A fact of the segment's own list, named by its qualifier.
pub(super) fn fact(list: &str, qualifier: &str) -> Supporting {
    let category: Coded = codes::own(list, qualifier);
    Supporting {
        category: Some(category),
        ..Supporting::default()
    }
}

/// A text, unless it is empty.
pub(super) fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A concept of one of X12's own lists, unless the code is empty.
pub(super) fn listed(list: &str, code: &str) -> Option<Coded> {
    (!code.is_empty()).then(|| codes::own(list, code))
}
