//! What stands in a message beside what it is about: the visit of an order, the order of a charge. The model has no
//! field for these in a message of that kind, so that they are told as facts under the place that they stand at.

use takmil_domain::code::Coded;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Head, Supporting};
use takmil_domain::prescription::Product;

use super::er7::Segment;
use super::orders::Order;
use super::values::{
    Reader, coded, coded_in, entity, identifier, listed, particular, period, person, table,
};

/// The fields of a visit that name who treats.
const TREATS: &[usize] = &[7, 8, 9, 17];

/// The fields of a visit that are codes of one of HL7's tables.
const KINDS: &[(usize, &str)] = &[
    (2, "0004"),
    (4, "0007"),
    (10, "0069"),
    (14, "0023"),
    (18, "0018"),
    (36, "0112"),
];

impl Reader<'_> {
    /// Who treats the patient of an order, and the charges and procedures that came with it.
    pub(super) fn beside_orders(&self, head: &mut Head) {
        if let Some(visit) = self.first("PV1") {
            for field in TREATS {
                head.supporting.extend(people(visit, *field));
            }
        }
        for own in self.all("PR1") {
            own.skip(&[1]);
            let done = coded(own.field(3).first(), own.text(2).as_deref());
            let when = self.when_in(own, 5);
            if done.is_some() || when.is_some() {
                head.supporting.push(Supporting {
                    coded: done,
                    timing: period(when, None),
                    text: own.field(4).first().words(),
                    ..particular("PR1-3")
                });
            }
            head.supporting.extend(people(own, 12));
        }
    }

    /// The visit during which something was handed out, beyond its number.
    pub(super) fn visit_of_dispense(&self, head: &mut Head) {
        let Some(visit) = self.first("PV1") else {
            return;
        };
        let account = self
            .first("PID")
            .and_then(|pid| identifier(pid.field(18).first()));
        // The first number is the visit's own, and in the dispense.
        let numbers = self.visit_numbers(visit).into_iter().chain(account).skip(1);
        self.visit(visit, numbers, head);
    }

    /// Visits before the one that the message is about.
    pub(super) fn earlier_visits(&self, head: &mut Head) {
        for visit in self.all("PV1").skip(1) {
            visit.skip(&[1]);
            let numbers = self.visit_numbers(visit).into_iter();
            self.visit(visit, numbers, head);
            for field in TREATS {
                head.supporting.extend(people(visit, *field));
            }
        }
        for own in self.all("PV2").skip(1) {
            head.supporting.extend(code(own, 3));
        }
    }

    fn visit(
        &self,
        visit: &Segment<'_>,
        numbers: impl Iterator<Item = Identifier>,
        head: &mut Head,
    ) {
        let kinds = KINDS.iter().filter_map(|(field, list)| {
            Some(Supporting {
                coded: Some(listed(visit, *field, list)?),
                ..particular(&format!("PV1-{field}"))
            })
        });
        head.supporting.extend(kinds);
        let stay = period(self.when_in(visit, 44), self.when_in(visit, 45));
        head.supporting.extend(stay.map(|stay| Supporting {
            timing: Some(stay),
            ..particular("PV1-44")
        }));
        head.supporting.extend(numbers.map(|number| Supporting {
            identifier: Some(number),
            ..particular("PV1-19")
        }));
    }

    /// The orders that charges are for.
    pub(super) fn orders_of_charges(&self, head: &mut Head) {
        for own in self.all("ORC") {
            let numbers = self.order_numbers(own).into_iter();
            let group = entity(own.field(4).first(), "group");
            head.supporting
                .extend(numbers.chain(group).map(|number| Supporting {
                    identifier: Some(number),
                    ..particular("ORC-2")
                }));
            let when = self.when_in(own, 9);
            head.supporting.extend(when.map(|when| Supporting {
                timing: period(Some(when), None),
                ..particular("ORC-9")
            }));
            head.supporting.extend(people(own, 12));
            head.supporting.extend(code(own, 16));
        }
        for own in self.all("OBR") {
            own.skip(&[1]);
            for (field, role) in [(2, "placer"), (3, "filler")] {
                let number = entity(own.field(field).first(), role);
                head.supporting.extend(number.map(|number| Supporting {
                    identifier: Some(number),
                    ..particular(&format!("OBR-{field}"))
                }));
            }
            head.supporting.extend(code(own, 4));
            head.supporting.extend(code(own, 31));
            head.supporting.extend(people(own, 16));
        }
    }

    /// What an order says a second time and differently, and the routes beyond its first.
    pub(super) fn unmatched(
        &self,
        order: &Order<'_>,
        product: Option<&Product>,
        kept: &mut Vec<Supporting>,
    ) {
        let mut keep = |place: &str, coded: Option<Coded>| {
            kept.extend(coded.map(|coded| Supporting {
                coded: Some(coded),
                ..particular(place)
            }));
        };
        let form = product.and_then(|own| own.form.as_ref());
        let asked = order.asked.and_then(|asked| coded_in(asked, 5));
        keep("RXO-5", asked.filter(|own| Some(own) != form));
        for route in order.routes.iter().skip(1) {
            for (field, list) in [(1, "0162"), (2, "0163"), (4, "0165")] {
                keep(&format!("RXR-{field}"), listed(route, field, list));
            }
        }
        if order.asked.is_some()
            && let Some(encoded) = order.encoded
        {
            let status = listed(encoded, 9, "0167");
            keep("RXE-9", status.filter(|_| order.given.is_some()));
        }
    }

    /// A charge beside an order is not the order: what it says is kept, its amounts where the line has none of them.
    pub(super) fn charge_of_order(
        &self,
        charge: &Segment<'_>,
        with_amounts: bool,
        kept: &mut Vec<Supporting>,
    ) {
        charge.skip(&[1]);
        let mut keep = |field: usize, fill: &dyn Fn(&mut Supporting)| {
            let mut own = particular(&format!("FT1-{field}"));
            fill(&mut own);
            kept.push(own);
        };
        for field in [7, 13, 25, 29] {
            if let Some(coded) = coded_in(charge, field) {
                keep(field, &|own| own.coded = Some(coded.clone()));
            }
        }
        for (field, list) in [(19, None), (26, Some("0340"))] {
            let codes = charge.field(field).repeats();
            for coded in codes.filter_map(|own| coded(own, list)) {
                keep(field, &|own| own.coded = Some(coded.clone()));
            }
        }
        for field in [11, 12].into_iter().filter(|_| with_amounts) {
            if let Some(amount) = self.amount(charge.field(field).first().component(1)) {
                keep(field, &|own| own.amount = Some(amount));
            }
        }
        if let Some(days) = self.range(charge, 4) {
            keep(4, &|own| own.timing = Some(days.clone()));
        }
        if let Some(posted) = self.when_in(charge, 5) {
            keep(5, &|own| own.timing = period(Some(posted.clone()), None));
        }
        if let Some(number) = charge.text(2) {
            let number = Identifier::new(table("transaction"), number);
            keep(2, &|own| own.identifier = Some(number.clone()));
        }
        for field in [20, 21] {
            for who in charge
                .field(field)
                .repeats()
                .filter_map(|own| person(own, ""))
            {
                keep(field, &|own| {
                    own.identifier = who.identifiers.first().cloned();
                    own.text.clone_from(&who.name);
                });
            }
        }
    }

    /// Why the patient came, where that is no admission's own reason.
    pub(super) fn reason_of_visit(&self, head: &mut Head) {
        let reason = self.first("PV2").and_then(|own| code(own, 3));
        head.supporting.extend(reason);
    }
}

fn code(own: &Segment<'_>, field: usize) -> Option<Supporting> {
    Some(Supporting {
        coded: Some(coded_in(own, field)?),
        ..particular(&format!("{}-{field}", own.name))
    })
}

/// The people that a field names.
fn people(own: &Segment<'_>, field: usize) -> Vec<Supporting> {
    let named = own.field(field);
    let people = named.repeats().filter_map(|repeat| person(repeat, ""));
    people
        .map(|who| Supporting {
            identifier: who.identifiers.into_iter().next(),
            text: who.name,
            ..particular(&format!("{}-{field}", own.name))
        })
        .collect()
}
