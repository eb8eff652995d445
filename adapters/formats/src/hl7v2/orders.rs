//! Orders: what was prescribed (RDE, OMP, ORM, OMG, OML), and what was handed out (RDS, RAS with RXD).

use takmil_domain::bill::Line;
use takmil_domain::code::{Coded, Coding};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Cancel, Correlate, Head, Relation, Supporting};
use takmil_domain::party::Party;
use takmil_domain::prescription::{
    Dispense, DispenseLine, Dosage, Ingredient, Measure, Prescription, PrescriptionLine, Product,
    Ratio, Substitution,
};
use takmil_domain::problem::ProblemCode;

use super::er7::Segment;
use super::values::{
    Reader, coded, coded_in, day, entity, is_among, listed, particular, period, person, table,
};

/// One order: the common segment and what details it. Several details under one common segment are several orders.
#[derive(Clone, Default)]
pub(super) struct Order<'m> {
    pub(super) common: Option<&'m Segment<'m>>,
    /// What the physician asked for.
    pub(super) asked: Option<&'m Segment<'m>>,
    /// What the pharmacy made of it.
    pub(super) encoded: Option<&'m Segment<'m>>,
    pub(super) given: Option<&'m Segment<'m>>,
    pub(super) service: Option<&'m Segment<'m>>,
    pub(super) routes: Vec<&'m Segment<'m>>,
    components: Vec<&'m Segment<'m>>,
    pub(super) timings: Vec<&'m Segment<'m>>,
    charges: Vec<&'m Segment<'m>>,
}

impl<'m> Order<'m> {
    fn detail(&mut self, name: &str) -> Option<&mut Option<&'m Segment<'m>>> {
        match name {
            "RXO" => Some(&mut self.asked),
            "RXE" => Some(&mut self.encoded),
            "RXD" => Some(&mut self.given),
            "OBR" | "ODS" => Some(&mut self.service),
            _ => None,
        }
    }

    fn has_item(&self) -> bool {
        let details = [self.asked, self.encoded, self.given, self.service];
        details.iter().any(Option::is_some)
    }

    /// The segment that the order is told by.
    fn segment(&self) -> Option<&'m Segment<'m>> {
        self.given
            .or(self.encoded)
            .or(self.asked)
            .or(self.service)
            .or(self.common)
    }

    /// What the sender wants done with it: NW new, CA cancel…
    fn control(&self) -> String {
        let code = self.common.and_then(|common| common.text(1));
        code.unwrap_or_default()
    }

    fn is_cancelled(&self) -> bool {
        matches!(
            self.control().as_str(),
            "CA" | "OC" | "DC" | "OD" | "CR" | "DR"
        )
    }
}

impl<'m> Reader<'m> {
    /// The orders of the message, in their order.
    pub(super) fn orders(&self) -> Vec<Order<'m>> {
        let mut orders: Vec<Order<'m>> = Vec::new();
        for segment in self.segments {
            match segment.name {
                "ORC" => orders.push(Order {
                    common: Some(segment),
                    ..Order::default()
                }),
                "RXO" | "RXE" | "RXD" | "OBR" | "ODS" => {
                    let is_full = |order: &mut Order<'m>| {
                        order
                            .detail(segment.name)
                            .is_none_or(|detail| detail.is_some())
                    };
                    if orders.last_mut().is_none_or(is_full) {
                        let common = orders.last().and_then(|order| order.common);
                        orders.push(Order {
                            common,
                            ..Order::default()
                        });
                    }
                    if let Some(detail) = orders
                        .last_mut()
                        .and_then(|order| order.detail(segment.name))
                    {
                        *detail = Some(segment);
                    }
                }
                "RXR" | "RXC" | "TQ1" | "FT1" => {
                    let Some(order) = orders.last_mut() else {
                        let detail = "it stands before the order that it belongs to";
                        self.problem(ProblemCode::Malformed, segment.place(), detail);
                        continue;
                    };
                    match segment.name {
                        "RXR" => order.routes.push(segment),
                        "RXC" => order.components.push(segment),
                        "TQ1" => order.timings.push(segment),
                        _ => order.charges.push(segment),
                    }
                }
                _ => {}
            }
        }
        orders
    }

    /// A prescription, or its cancellation where every order is one.
    pub(super) fn prescription(&self, head: &mut Head) -> Option<Body> {
        let orders = self.orders();
        let kept: Vec<&Order<'m>> = orders.iter().filter(|order| order.has_item()).collect();
        let cancels = !orders.is_empty() && orders.iter().all(Order::is_cancelled);
        if kept.is_empty() && !cancels {
            self.nothing("order of a drug or service (RXO, RXE, OBR or ODS)");
            return None;
        }
        let path = if cancels {
            "/cancel/prescription"
        } else {
            "/prescription"
        };
        let mut order = Prescription {
            encounter: self.encounter(&format!("{path}/encounter")),
            diagnoses: self.diagnoses(&format!("{path}/diagnoses")),
            prescriber: orders.iter().find_map(|order| self.prescriber(order)),
            dispenser: None,
            ..Prescription::default()
        };
        let first = orders.iter().find_map(|order| order.common);
        order.authored = first.and_then(|common| self.when_in(common, 9));
        head.facility = self.facility();
        head.occurred_on = day(order.authored.as_ref());
        if let Some(common) = first {
            self.origin(format!("{path}/authored"), common.place_of(9));
            self.origin("/occurred_on", common.place_of(9));
        }
        // The groups that orders of one sitting are placed under.
        for common in orders.iter().filter_map(|order| order.common) {
            let group = entity(common.field(4).first(), "group").map(|identifier| Correlate {
                relation: Relation::Group,
                identifier,
                coded: None,
            });
            let new = group.filter(|own| !is_among(&head.correlates, own));
            head.correlates.extend(new);
        }
        for (at, own) in kept.iter().enumerate() {
            let seq = u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX);
            if let Some(segment) = own.segment() {
                self.origin(format!("{path}/lines/{at}"), segment.place());
            }
            order.lines.extend(self.line(own, seq));
        }
        for own in &orders {
            self.relate(own, cancels, head);
        }
        if !cancels {
            return Some(Body::Prescription(order));
        }
        if head
            .correlates
            .iter()
            .all(|own| own.relation != Relation::Cancels)
        {
            let place = first.map_or_else(String::new, |common| common.place_of(2));
            let detail = "a cancelled order is named by its number";
            self.problem(ProblemCode::Missing, place, detail);
        }
        Some(Body::Cancel(Cancel {
            reason: first.and_then(|common| coded_in(common, 16)),
            prescription: (!order.lines.is_empty()).then_some(order),
        }))
    }

    /// Tells that the message lacks what it is about.
    pub(super) fn nothing(&self, what: &str) {
        let place = self
            .segments
            .first()
            .map_or_else(String::new, Segment::place);
        self.problem(
            ProblemCode::Missing,
            place,
            format!("the message holds no {what}"),
        );
    }

    /// A new order is known by its placer's number; one that replaces or cancels names it.
    fn relate(&self, order: &Order<'_>, cancels: bool, head: &mut Head) {
        let Some(common) = order.common else { return };
        let numbers = self.order_numbers(common);
        let relation = match order.control().as_str() {
            _ if cancels => Relation::Cancels,
            "RP" | "RU" | "RO" | "XO" | "XX" => Relation::Replaces,
            "NW" | "" => {
                for number in numbers {
                    if !is_among(&head.identifiers, &number) {
                        head.identifiers.push(number);
                    }
                }
                return;
            }
            _ => return,
        };
        for identifier in numbers {
            let coded = Some(Coded::new(table("0119"), order.control()));
            let own = Correlate {
                relation,
                identifier,
                coded,
            };
            if !is_among(&head.correlates, &own) {
                head.correlates.push(own);
            }
        }
    }

    fn prescriber(&self, order: &Order<'_>) -> Option<Party> {
        let places = [
            (order.common, 12),
            (order.encoded, 13),
            (order.asked, 14),
            (order.service, 16),
        ];
        places.into_iter().find_map(|(segment, field)| {
            let segment = segment.filter(|segment| segment.name != "ODS")?;
            person(segment.field(field).first(), "prescriber")
        })
    }

    fn line(&self, order: &Order<'_>, seq: u32) -> Option<PrescriptionLine> {
        let item = self.item(order)?;
        let mut line = PrescriptionLine {
            seq,
            item,
            ..PrescriptionLine::default()
        };
        if let Some(common) = order.common {
            line.identifiers = self.order_numbers(common);
            line.authored = self.when_in(common, 9);
            line.status = common
                .text(5)
                .or_else(|| order.is_cancelled().then(|| "cancelled".to_owned()));
            line.status_reason = coded_in(common, 16);
            line.do_not_perform = order.is_cancelled().then_some(true);
            let control = Coded::new(table("0119"), order.control());
            line.categories
                .extend((!order.control().is_empty()).then_some(control));
            line.categories.extend(listed(common, 29, "0482"));
        }
        line.dosage = self.dosage(order);
        line.product = self.product(order);
        if let Some(asked) = order.asked {
            line.quantity = self.measure(asked, 11, 12);
            line.repeats = self.whole(asked.field(13).first().component(1));
            line.substitution = substitution(asked);
            line.reasons = asked
                .field(20)
                .repeats()
                .filter_map(|own| coded(own, None))
                .collect();
        }
        if let Some(encoded) = order.encoded {
            line.quantity = self.measure(encoded, 10, 11).or(line.quantity);
            line.repeats = self
                .whole(encoded.field(12).first().component(1))
                .or(line.repeats);
            let intended = substitution(encoded);
            if let (Some(intended), Some(_)) = (&intended, &line.substitution) {
                line.particulars.push(Supporting {
                    coded: intended.coded.clone(),
                    ..particular("RXE-9")
                });
            }
            line.substitution = line.substitution.or(intended);
            let reasons = encoded
                .field(27)
                .repeats()
                .filter_map(|own| coded(own, None));
            line.reasons.extend(reasons);
            let number = encoded
                .text(15)
                .map(|own| Identifier::new(table("prescription"), own));
            line.identifiers.extend(number);
            // The pharmacy may have made another product of what was asked for.
            if let Some(coded) = order.asked.and_then(|asked| coded_in(asked, 1))
                && coded != line.item
            {
                let mut ordered = particular("RXO-1");
                ordered.coded = Some(coded);
                line.particulars.push(ordered);
            }
        }
        if let Some(service) = order.service {
            service.skip(&[1]);
            if service.name == "OBR" {
                for field in [2, 3] {
                    let role = if field == 2 { "placer" } else { "filler" };
                    let number = entity(service.field(field).first(), role);
                    let number = number.filter(|own| !line.identifiers.contains(own));
                    line.identifiers.extend(number);
                }
                line.reasons.extend(
                    service
                        .field(31)
                        .repeats()
                        .filter_map(|own| coded(own, None)),
                );
                line.valid = period(
                    self.when_in(service, 36)
                        .or_else(|| self.when_in(service, 6)),
                    None,
                );
            }
        }
        for charge in &order.charges {
            self.charge_of_order(charge, true, &mut line.particulars);
        }
        let prescriber = self.prescriber(order);
        let names =
            |own: &Party| Some(&own.identifiers) == prescriber.as_ref().map(|own| &own.identifiers);
        let second = order.service.filter(|own| own.name == "OBR");
        let second = second.and_then(|own| person(own.field(16).first(), "prescriber"));
        if let Some(who) = second.filter(|own| !names(own)) {
            line.particulars.push(Supporting {
                identifier: who.identifiers.into_iter().next(),
                text: who.name,
                ..particular("OBR-16")
            });
        }
        let further = order.service.filter(|own| own.name == "ODS");
        let further = further
            .into_iter()
            .flat_map(|own| own.field(3).repeats().skip(1));
        line.particulars.extend(further.filter_map(|own| {
            Some(Supporting {
                coded: Some(coded(own, None)?),
                ..particular("ODS-3")
            })
        }));
        self.unmatched(order, line.product.as_ref(), &mut line.particulars);
        Some(line)
    }

    fn item(&self, order: &Order<'_>) -> Option<Coded> {
        let candidates = [
            (order.encoded, 2),
            (order.asked, 1),
            (
                order.service,
                if order.service.is_some_and(|own| own.name == "ODS") {
                    3
                } else {
                    4
                },
            ),
        ];
        for (segment, field) in candidates {
            if let Some(coded) = segment.and_then(|segment| coded_in(segment, field)) {
                return Some(coded);
            }
        }
        // A compound is told by its parts alone.
        let part = order.components.iter().find_map(|part| coded_in(part, 2));
        if part.is_none()
            && let Some((segment, field)) = candidates
                .iter()
                .find_map(|(segment, field)| Some(((*segment)?, field)))
        {
            let detail = "the order names no drug or service";
            self.problem(ProblemCode::Missing, segment.place_of(*field), detail);
        }
        part
    }

    fn product(&self, order: &Order<'_>) -> Option<Product> {
        let strength = |segment: &Segment<'_>, value: usize, unit: usize| {
            self.measure(segment, value, unit).map(|numerator| Ratio {
                numerator: Some(numerator),
                denominator: None,
            })
        };
        let mut product = Product::default();
        let forms = [
            (order.encoded, 6, 25),
            (order.asked, 5, 18),
            (order.given, 6, 16),
        ];
        for (segment, form, value) in forms {
            let Some(segment) = segment else { continue };
            product.form = product.form.or_else(|| coded_in(segment, form));
            let ratio = strength(segment, value, value.saturating_add(1));
            if let Some(ratio) = ratio.filter(|_| product.ingredients.is_empty()) {
                product.ingredients.push(Ingredient {
                    item: Coded::words("strength of the product"),
                    strength: Some(ratio),
                    active: Some(true),
                });
            }
        }
        for part in &order.components {
            let kind = part.text(1);
            let Some(item) = coded_in(part, 2) else {
                continue;
            };
            let amount = self.measure(part, 3, 4);
            let strength = self.measure(part, 5, 6);
            product.ingredients.push(Ingredient {
                item,
                strength: (amount.is_some() || strength.is_some()).then_some(Ratio {
                    numerator: amount.or_else(|| strength.clone()),
                    denominator: None,
                }),
                // A base carries, an additive works.
                active: kind.map(|kind| kind != "B"),
            });
        }
        if let Some(given) = order.given {
            product.batch = given.field(18).first().component(1).text();
            product.expires = self.when_in(given, 19);
        }
        (product != Product::default()).then_some(product)
    }

    fn dosage(&self, order: &Order<'_>) -> Vec<Dosage> {
        let mut dosage = Dosage::default();
        let mut words: Vec<String> = Vec::new();
        let say = |coded: Option<Coded>, words: &mut Vec<String>, instructions: &mut Vec<Coded>| {
            if let Some(coded) = coded {
                let text = coded.label().map(str::to_owned);
                words.extend(text.filter(|text| !is_among(words, text)));
                if coded.source.is_some() && !is_among(instructions, &coded) {
                    instructions.push(coded);
                }
            }
        };
        let doses = [(order.encoded, [3, 4], 5), (order.asked, [2, 3], 4)];
        for (segment, values, unit) in doses {
            let Some(segment) = segment.filter(|_| dosage.doses.is_empty()) else {
                continue;
            };
            dosage.doses = values
                .into_iter()
                .filter_map(|value| self.measure(segment, value, unit))
                .collect();
        }
        for (segment, fields) in [
            (order.encoded, &[7, 21][..]),
            (order.asked, &[6, 7]),
            (order.given, &[9, 15]),
        ] {
            for field in segment
                .iter()
                .flat_map(|segment| fields.iter().map(|field| segment.field(*field)))
            {
                for repeat in field.repeats() {
                    say(coded(repeat, None), &mut words, &mut dosage.instructions);
                }
            }
        }
        if let Some(encoded) = order.encoded {
            let per = encoded.text(22);
            dosage.rate = self.measure(encoded, 23, 24).map(|numerator| Ratio {
                numerator: Some(numerator),
                denominator: per.and_then(|per| super::timing::span(&per)),
            });
        }
        if let Some(route) = order.routes.first() {
            dosage.route = listed(route, 1, "0162");
            dosage.site = listed(route, 2, "0163");
            dosage.method = listed(route, 4, "0165");
        }
        let old = [(order.common, 7), (order.encoded, 1)];
        let old = old
            .into_iter()
            .filter_map(|(segment, field)| Some(segment?.field(field).first()));
        let mut timing = super::timing::Found::default();
        for own in &order.timings {
            own.skip(&[1]);
            timing.take(self.timing(own));
        }
        for repeat in old {
            timing.take(self.old_timing(repeat));
        }
        dosage.timing = timing.timing;
        dosage.as_needed = timing.as_needed;
        words.extend(
            timing
                .words
                .into_iter()
                .filter(|text| !is_among(&words, text))
                .collect::<Vec<_>>(),
        );
        if dosage.doses.is_empty() {
            dosage.doses.extend(timing.dose);
        }
        dosage.text = (!words.is_empty()).then(|| words.join("\n"));
        if dosage == Dosage::default() {
            Vec::new()
        } else {
            vec![dosage]
        }
    }

    /// What a pharmacy handed out.
    pub(super) fn dispense(&self, head: &mut Head) -> Option<Body> {
        let orders = self.orders();
        let mut dispense = Dispense::default();
        head.facility = self.facility();
        for order in &orders {
            let Some(given) = order.given else { continue };
            let at = dispense.lines.len();
            let path = format!("/dispense/lines/{at}");
            self.origin(path.as_str(), given.place());
            self.origin(format!("{path}/handed_over"), given.place_of(3));
            let seq = u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX);
            dispense.lines.extend(self.given(order, given, seq));
            let dispenser = person(given.field(10).first(), "dispenser");
            dispense.dispenser = dispense.dispenser.take().or(dispenser);
            let numbers = order
                .common
                .map(|common| self.order_numbers(common))
                .unwrap_or_default();
            for identifier in numbers {
                let own = Correlate {
                    relation: Relation::Prescription,
                    identifier,
                    coded: None,
                };
                if !is_among(&head.correlates, &own) {
                    head.correlates.push(own);
                }
            }
        }
        if dispense.lines.is_empty() {
            self.nothing("dispensed drug (RXD)");
            return None;
        }
        let stay = self.encounter("/dispense/encounter");
        dispense.encounter = stay.and_then(|stay| stay.identifiers.into_iter().next());
        let days = dispense
            .lines
            .iter()
            .filter_map(|line| day(line.handed_over.as_ref()));
        head.occurred_on = days.max();
        self.origin(
            "/occurred_on",
            self.first("RXD")
                .map_or_else(String::new, |own| own.place_of(3)),
        );
        if let Some(common) = orders.iter().find_map(|order| order.common) {
            head.actor = person(common.field(10).first(), "enterer");
        }
        // What was prescribed for is the prescription's own; here it is told beside.
        for diagnosis in self.diagnoses("/supporting") {
            let mut own = particular("DG1-3");
            own.coded = Some(diagnosis.coded);
            head.supporting.push(own);
        }
        Some(Body::Dispense(dispense))
    }

    fn given(&self, order: &Order<'_>, given: &Segment<'_>, seq: u32) -> Option<DispenseLine> {
        given.skip(&[1]);
        let Some(mut item) = coded_in(given, 2) else {
            let detail = "what was handed out is not named";
            self.problem(ProblemCode::Missing, given.place_of(2), detail);
            return None;
        };
        let more = coded_in(given, 30).and_then(|own| own.source);
        item.others
            .extend(more.filter(|own: &Coding| !own.code.is_empty()));
        let measure = self.measure(given, 4, 5);
        let handed_over = self.when_in(given, 3);
        let mut line = Line {
            seq,
            item,
            quantity: measure.as_ref().and_then(|own: &Measure| own.value),
            unit: measure.as_ref().and_then(|own| own.unit.clone()),
            unit_code: measure.and_then(|own| own.coded),
            serviced: period(handed_over.clone(), handed_over.clone()),
            ..Line::default()
        };
        if let Some(asked) = order
            .encoded
            .and_then(|own| coded_in(own, 2))
            .or_else(|| order.asked.and_then(|own| coded_in(own, 1)))
            && asked != line.item
        {
            let mut ordered = particular("RXE-2");
            ordered.coded = Some(asked);
            line.particulars.push(ordered);
        }
        for (at, charge) in order.charges.iter().enumerate() {
            if at == 0 {
                line.billed = self.amount(charge.field(11).first().component(1));
                line.unit_price = self.amount(charge.field(12).first().component(1));
            }
            self.charge_of_order(charge, at > 0, &mut line.particulars);
        }
        if let Some(encoded) = order.encoded {
            let reasons = encoded.field(27).repeats();
            line.particulars.extend(reasons.filter_map(|own| {
                Some(Supporting {
                    coded: Some(coded(own, None)?),
                    ..particular("RXE-27")
                })
            }));
        }
        let allowed = order.asked.and_then(|asked| listed(asked, 9, "0161"));
        line.particulars.extend(allowed.map(|coded| Supporting {
            coded: Some(coded),
            ..particular("RXO-9")
        }));
        let ordered = order.common.and_then(|common| self.when_in(common, 9));
        line.particulars.extend(ordered.map(|when| Supporting {
            timing: period(Some(when), None),
            ..particular("ORC-9")
        }));
        let product = self.product(order);
        self.unmatched(order, product.as_ref(), &mut line.particulars);
        let mut prescriptions: Vec<Identifier> = given
            .text(7)
            .map(|own| Identifier::new(table("prescription"), own))
            .into_iter()
            .collect();
        if let Some(common) = order.common {
            prescriptions.extend(self.order_numbers(common));
        }
        let substitution = listed(given, 11, "0167");
        Some(DispenseLine {
            line,
            product,
            prescriptions,
            status: order.common.and_then(|common| common.text(5)),
            kind: listed(given, 32, "0484"),
            handed_over,
            dosage: self.dosage(order),
            substituted: substitution
                .as_ref()
                .and_then(Coded::effective)
                .and_then(|(_, code)| match code {
                    "0" | "N" => Some(false),
                    "1" | "2" | "3" | "4" | "5" | "7" | "8" | "G" | "T" => Some(true),
                    _ => None,
                }),
            substitution: substitution.map(|coded| Substitution {
                coded: Some(coded),
                ..Substitution::default()
            }),
            ..DispenseLine::default()
        })
    }
}

/// Whether another product may be handed out: what the physician allows (RXO), and what the pharmacy means to do (RXE).
fn substitution(segment: &Segment<'_>) -> Option<Substitution> {
    let list = if segment.name == "RXE" {
        "0167"
    } else {
        "0161"
    };
    let coded = listed(segment, 9, list)?;
    let allowed = coded.effective().and_then(|(_, code)| match code {
        "N" => Some(false),
        "G" | "T" | "Y" => Some(true),
        _ => None,
    });
    Some(Substitution {
        allowed,
        coded: Some(coded),
        reasons: Vec::new(),
    })
}
