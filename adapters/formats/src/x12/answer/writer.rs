//! Interchanges, groups and transactions as text, with counts and control numbers that are right.

use std::fmt::Write as _;

use crate::x12::token::{Segment, Separators};

/// Writes one interchange. Elements are made clean: no separator gets into one.
pub(in crate::x12) struct Writer {
    separators: Separators,
    isa: [String; 16],
    body: String,
    groups: usize,
    group: Option<Group>,
}

struct Group {
    control: String,
    transactions: usize,
    transaction: Option<Transaction>,
}

struct Transaction {
    control: String,
    segments: usize,
}

/// The separators where nobody gave any.
const USUAL: Separators = Separators {
    element: b'*',
    component: b':',
    repetition: Some(b'^'),
    terminator: b'~',
};

impl Writer {
    /// An interchange that goes back to the sender of another, with its separators and control number.
    pub(super) fn answering(isa: &Segment<'_>) -> Writer {
        let of = |number: usize| isa.element(number).to_owned();
        // Whoever sent is written to; date, time and control number are the request's own.
        let order = [1, 2, 3, 4, 7, 8, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16];
        let mut elements = order.map(of);
        if let Some(wanted) = elements.get_mut(13) {
            "0".clone_into(wanted);
        }
        // Passwords are not sent back.
        for (at, value) in [(0, "00"), (1, ""), (2, "00"), (3, "")] {
            if let Some(element) = elements.get_mut(at) {
                value.clone_into(element);
            }
        }
        Writer {
            separators: isa.separators,
            isa: elements,
            body: String::new(),
            groups: 0,
            group: None,
        }
    }

    /// An interchange of 5010 that answers none.
    pub(in crate::x12) fn new(
        from: &str,
        to: &str,
        date: &str,
        time: &str,
        control: u64,
    ) -> Writer {
        let short = date.get(2..).unwrap_or("000101");
        let elements = [
            "00", "", "00", "", "ZZ", from, "ZZ", to, short, time, "^", "00501",
        ];
        let mut isa: [String; 16] =
            std::array::from_fn(|at| elements.get(at).copied().unwrap_or_default().to_owned());
        let rest = [
            format!("{:09}", control % 1_000_000_000),
            "0".to_owned(),
            "P".to_owned(),
            ":".to_owned(),
        ];
        for (slot, value) in isa.iter_mut().skip(12).zip(rest) {
            *slot = value;
        }
        Writer {
            separators: USUAL,
            isa,
            body: String::new(),
            groups: 0,
            group: None,
        }
    }

    /// An interchange to a sender that is not known.
    pub(super) fn unasked() -> Writer {
        Writer::new("", "", "20000101", "0000", 0)
    }

    /// One segment, in the open transaction or outside of all.
    pub(in crate::x12) fn segment(&mut self, elements: &[&str]) {
        let last = elements
            .iter()
            .rposition(|text| !text.is_empty())
            .unwrap_or(0);
        for (at, text) in elements.iter().take(last + 1).enumerate() {
            if at > 0 {
                self.body.push(char::from(self.separators.element));
            }
            self.clean(text);
        }
        self.body.push(char::from(self.separators.terminator));
        self.counted();
    }

    /// Writes a text without separators and control characters. A component separator is written `\u{1f}` by whoever
    /// means one.
    fn clean(&mut self, text: &str) {
        let Separators {
            element,
            component,
            repetition,
            terminator,
        } = self.separators;
        for letter in text.trim().chars() {
            let is_separator = [Some(element), Some(component), repetition, Some(terminator)]
                .into_iter()
                .flatten()
                .any(|byte| char::from(byte) == letter);
            match letter {
                COMPONENT => self.body.push(char::from(component)),
                _ if is_separator || letter.is_control() => self.body.push(' '),
                _ => self.body.push(letter),
            }
        }
    }

    /// Opens a group.
    pub(in crate::x12) fn open_group(&mut self, gs: &[&str; 8]) {
        self.close_group();
        let mut elements = vec!["GS"];
        elements.extend(gs);
        self.segment(&elements);
        self.groups += 1;
        let [_, _, _, _, _, control, _, _] = gs;
        self.group = Some(Group {
            control: (*control).to_owned(),
            transactions: 0,
            transaction: None,
        });
    }

    /// Opens a transaction; its control number is its place in the group.
    pub(in crate::x12) fn open(&mut self, kind: &str, version: &str) {
        self.close();
        let Some(group) = self.group.as_mut() else {
            return;
        };
        group.transactions += 1;
        let control = format!("{:04}", group.transactions);
        group.transaction = Some(Transaction {
            control: control.clone(),
            segments: 0,
        });
        self.segment(&["ST", kind, &control, version]);
    }

    /// Closes the open transaction.
    pub(in crate::x12) fn close(&mut self) {
        let open = self
            .group
            .as_mut()
            .and_then(|group| group.transaction.take());
        if let Some(Transaction { control, segments }) = open {
            let count = (segments + 1).to_string();
            self.segment(&["SE", &count, &control]);
        }
    }

    /// Closes the open group.
    fn close_group(&mut self) {
        self.close();
        if let Some(group) = self.group.take() {
            self.segment(&["GE", &group.transactions.to_string(), &group.control]);
        }
    }

    /// A segment of the request as it stands there.
    pub(super) fn raw(&mut self, text: &str) {
        self.body.push_str(text.trim());
        self.body.push(char::from(self.separators.terminator));
        self.counted();
    }

    /// A composite of the request, as [`components`] would join it.
    pub(super) fn composite(&self, text: &str) -> String {
        text.replace(
            char::from(self.separators.component),
            &COMPONENT.to_string(),
        )
    }

    fn counted(&mut self) {
        let group = self.group.as_mut();
        if let Some(open) = group.and_then(|group| group.transaction.as_mut()) {
            open.segments += 1;
        }
    }

    /// A TA1 to an ISA: accepted where the note is 000.
    pub(super) fn acknowledge(&mut self, isa: &Segment<'_>, note: &str) {
        let [date, time, control] = [9, 10, 13].map(|number| isa.element(number));
        let state = if note == "000" { "A" } else { "R" };
        self.segment(&["TA1", control, date, time, state, note]);
    }

    /// A TA1 to a body that has no ISA.
    pub(super) fn unread(&mut self, note: &str) {
        self.segment(&["TA1", "000000000", "000101", "0000", "R", note]);
    }

    /// The whole interchange.
    pub(in crate::x12) fn finish(mut self) -> String {
        self.close_group();
        const WIDTHS: [usize; 16] = [2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1];
        let mut text = String::with_capacity(self.body.len() + 130);
        text.push_str("ISA");
        let element = char::from(self.separators.element);
        let terminator = char::from(self.separators.terminator);
        for (value, width) in self.isa.iter().zip(WIDTHS) {
            let value: String = value.chars().take(width).collect();
            // Writing to a text cannot fail.
            let _ = write!(text, "{element}{value:<width$}");
        }
        text.push(terminator);
        text.push_str(&self.body);
        let control = self.isa.get(12).map_or("", String::as_str);
        let _ = write!(
            text,
            "IEA{element}{}{element}{control:<9}{terminator}",
            self.groups
        );
        text
    }
}

/// Stands for a component separator in an element that is to be written.
pub(in crate::x12) const COMPONENT: char = '\u{1f}';

/// Joins components.
pub(in crate::x12) fn components(parts: &[&str]) -> String {
    let last = parts
        .iter()
        .rposition(|text| !text.is_empty())
        .map_or(0, |at| at + 1);
    let mut joined = String::new();
    for (at, part) in parts.iter().take(last).enumerate() {
        if at > 0 {
            joined.push(COMPONENT);
        }
        joined.push_str(&part.replace(COMPONENT, " "));
    }
    joined
}
