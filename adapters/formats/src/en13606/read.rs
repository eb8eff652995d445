//! Medication orders as prescriptions.

use std::cell::RefCell;
use std::collections::HashMap;

use takmil_domain::code::{Coded, Coding};
use takmil_domain::date::{Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Correlate, Head, Message, Relation, Supporting};
use takmil_domain::money::Quantity;
use takmil_domain::party::Party;
use takmil_domain::prescription::{
    Dosage, Measure, Prescription, PrescriptionLine, Product, Ratio, Timing,
};
use takmil_domain::problem::{Problem, ProblemCode};

use crate::xml::Element;
use crate::{MAX_PROBLEMS, Read};

/// What an extract says beside its orders.
pub(super) struct Extract<'e> {
    subject: Option<(Identifier, &'e Element)>,
    system: Option<Identifier>,
    /// What was prescribed, by the order that it links to; each is read once.
    prescribed: RefCell<HashMap<String, Vec<&'e Element>>>,
    /// Professions by their persons.
    professions: HashMap<String, Coded>,
}

impl<'e> Extract<'e> {
    pub(super) fn of(root: &'e Element, prescribed: &[&'e Element]) -> Extract<'e> {
        let mut by_order: HashMap<String, Vec<&Element>> = HashMap::new();
        for own in prescribed {
            let entry = own.peek("content");
            let links = entry.into_iter().flat_map(Element::children);
            for link in links.filter(|own| own.name == "links") {
                let order = link
                    .peek("target_id")
                    .and_then(|own| own.attribute("extension"));
                if let Some(order) = order {
                    by_order.entry(order.to_owned()).or_default().push(own);
                }
            }
        }
        let mut professions = HashMap::new();
        for person in root.all("demographic_extract") {
            let id = person.child("extract_id");
            let id = id.and_then(|own| own.attribute("extension"));
            let role = person.child("role");
            let profession = role.and_then(|own| own.child("profession"));
            let profession = profession.and_then(coded);
            if let Some((id, profession)) = id.zip(profession) {
                professions.insert(id.to_owned(), profession);
            }
        }
        let subject = root.child("subject_of_care");
        Extract {
            subject: subject.and_then(|own| Some((identifier(own)?, own))),
            system: root.child("ehr_system").and_then(identifier),
            prescribed: RefCell::new(by_order),
            professions,
        }
    }

    /// Reads one order.
    pub(super) fn prescription(&self, own: &'e Element) -> Read {
        let reader = Reader::default();
        let mut head = self.head(&reader, own);
        let mut order = Prescription::default();
        if let Some(composer) = own.child("composer") {
            let performer = composer.child("performer");
            order.prescriber = performer.and_then(identifier).map(|id| Party {
                specialty: self.professions.get(&id.value).cloned(),
                identifiers: vec![id],
                role: Some(Coded::words("prescriber")),
                ..Party::default()
            });
            reader.origin("/prescription/prescriber", &composer.place);
            let facility = composer.child("healthcare_facility");
            head.provider = facility.and_then(identifier).map(|id| Party {
                identifiers: vec![id],
                role: Some(Coded::words("provider")),
                ..Party::default()
            });
        }
        for content in own.all("content") {
            frame(content);
            let at = order.lines.len();
            let path = format!("/prescription/lines/{at}");
            reader.origin(path.as_str(), &content.place);
            let mut draft = Draft::default();
            for item in content.all("items") {
                draft.walk(&reader, item);
            }
            for link in content.all("links") {
                head.correlates.extend(correlate(link));
            }
            let own_id = head.identifiers.first().map(|id| id.value.clone());
            let more = own_id.and_then(|id| self.prescribed.borrow_mut().remove(&id));
            for prescribed in more.into_iter().flatten() {
                draft.prescribed(&reader, prescribed, &mut head);
            }
            if order.authored.is_none() {
                order.authored.clone_from(&draft.ordered);
                reader.origin("/prescription/authored", &content.place);
            }
            let line = draft.line(&reader, content);
            order.lines.extend(line.map(|line| PrescriptionLine {
                seq: u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX),
                ..line
            }));
        }
        if order.lines.is_empty() && reader.problems.borrow().is_empty() {
            let what = "an order has a content with a medication";
            reader.problem(ProblemCode::Missing, &own.place_of("content"), what);
        }
        head.occurred_on = order.authored.as_ref().and_then(When::day);
        own.unread(None, &mut head.unread);
        let Reader { problems, origins } = reader;
        let (problems, mut origins) = (problems.into_inner(), origins.into_inner());
        origins.push((String::new(), own.place.clone()));
        Read {
            place: own.place.clone(),
            outcome: match problems.is_empty() {
                true => Ok(Message {
                    head,
                    body: Body::Prescription(order),
                }),
                false => Err(problems),
            },
            origins,
        }
    }

    fn head(&self, reader: &Reader, own: &Element) -> Head {
        let mut head = Head::default();
        frame(own);
        if let Some(id) = own.child("rc_id") {
            head.identifiers.extend(identifier(id));
            reader.origin("/identifiers/0", &id.place);
        }
        if let Some((id, subject)) = &self.subject {
            head.member.identifiers.push(id.clone());
            reader.origin("/member", &subject.place);
        }
        head.submitted_by = self.system.clone().map(|id| Party {
            identifiers: vec![id],
            role: Some(Coded::words("sender")),
            ..Party::default()
        });
        if let Some(committal) = own.child("committal") {
            let time = committal.child("time_committed");
            head.created = time.and_then(|own| reader.moment(own));
            reader.origin("/created", &committal.place);
        }
        for other in own.all("other_participations") {
            let function = other.child("function").and_then(coded);
            head.supporting
                .extend(participants(other, function.as_ref()));
        }
        head
    }
}

#[derive(Default)]
struct Reader {
    problems: RefCell<Vec<Problem>>,
    origins: RefCell<Vec<(String, String)>>,
}

impl Reader {
    fn problem(&self, code: ProblemCode, place: &str, what: &str) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push(Problem::new(code, place, what));
        }
    }

    fn origin(&self, canonical: impl Into<String>, place: &str) {
        let pair = (canonical.into(), place.to_owned());
        self.origins.borrow_mut().push(pair);
    }

    /// A point in time; one that is none is told.
    fn moment(&self, own: &Element) -> Option<When> {
        let text = own.attribute("value")?;
        let found = moment(text);
        if found.is_none() {
            self.problem(ProblemCode::BadDate, &own.place, "not a date or time");
        }
        found
    }
}

/// One order on its way to a line.
#[derive(Default)]
struct Draft {
    ordered: Option<When>,
    codings: Vec<Coding>,
    name: Option<String>,
    package: Option<String>,
    compound: Option<String>,
    line: PrescriptionLine,
    product: Product,
}

impl Draft {
    fn walk(&mut self, reader: &Reader, own: &Element) {
        let meaning = own.child("meaning");
        let code = meaning
            .and_then(|own| own.attribute("code"))
            .unwrap_or_default();
        frame(own);
        if code == "lkm-dst" {
            self.line.dosage.push(Dosage::default());
        }
        if let Some(value) = own.child("value") {
            self.element(reader, code, meaning, value);
        }
        for part in own.all("parts") {
            self.walk(reader, part);
        }
    }

    fn element(&mut self, reader: &Reader, code: &str, meaning: Option<&Element>, value: &Element) {
        let text = || value.attribute("value").map(str::to_owned);
        let dosage = self.line.dosage.last_mut();
        match (code, dosage) {
            ("lkm-ord-tid", _) => self.ordered = reader.moment(value),
            ("lkm-for-tid", _) => self.line.authored = reader.moment(value),
            ("lkm-ord-and", _) => self.line.reasons.extend(text().map(Coded::words)),
            ("lkm-dst-bet", Some(dosage)) => {
                let bound = |name: &str| reader.moment(value.child(name)?);
                let (start, end) = (bound("low"), bound("high"));
                if start.is_some() || end.is_some() {
                    let timing = dosage.timing.get_or_insert_with(Timing::default);
                    timing.bounds = Some(Period { start, end });
                }
            }
            ("lkm-dst-dan", Some(dosage)) => dosage.text = text(),
            ("lkm-dst-kno", Some(dosage)) => dosage.instructions.extend(text().map(Coded::words)),
            ("lkm-lva-ext", _) => self.compound = text(),
            ("lkm-lkm-lpr-pna", _) => self.name = text(),
            ("lkm-lkm-lva-fna", _) if self.package.is_none() => self.package = text(),
            ("lkm-lkm-lpr-ber", _) => self.product.form = text().map(Coded::words),
            ("lkm-lkm-lva-fst", _) => {
                self.product.pack = measure(value).map(|size| Ratio {
                    numerator: Some(size),
                    denominator: None,
                });
            }
            ("lkm-for-mpt", _) => self.line.quantity = measure(value),
            ("lkm-lkm-lva-vnr" | "lkm-lkm-lva-npl" | "lkm-lkm-lpr-spi" | "lkm-lkm-lpr-npl", _) => {
                self.codings.extend(identifier(value).map(|id| Coding {
                    system: id.system,
                    code: id.value,
                    ..Coding::default()
                }));
            }
            ("lkm-lkm-lpr-atc", _) => {
                let found = coded(value);
                self.codings.extend(found.and_then(|own| {
                    let display = own.text;
                    own.source.map(|source| Coding { display, ..source })
                }));
            }
            _ => self.line.particulars.extend(particular(meaning, value)),
        }
    }

    /// What was prescribed on the order.
    fn prescribed(&mut self, reader: &Reader, own: &Element, head: &mut Head) {
        own.know();
        frame(own);
        let id = own.child("rc_id").and_then(identifier);
        self.line.identifiers.extend(id);
        for content in own.all("content") {
            frame(content);
            for link in content.all("links") {
                link.know_all();
            }
            for item in content.all("items") {
                self.walk(reader, item);
            }
            if let Some(provider) = content.child("info_provider") {
                head.supporting.extend(participants(provider, None));
            }
        }
    }

    fn line(self, reader: &Reader, content: &Element) -> Option<PrescriptionLine> {
        let mut codings = self.codings.into_iter();
        let item = Coded {
            source: codings.next(),
            others: codings.collect(),
            text: self.name.or(self.package.clone()).or(self.compound),
            ..Coded::default()
        };
        if item == Coded::default() {
            let what = "an order names a medication, or how one is made up";
            reader.problem(ProblemCode::Missing, &content.place_of("items"), what);
            return None;
        }
        let mut line = self.line;
        let package = self.package.filter(|own| item.text.as_ref() != Some(own));
        line.particulars.extend(package.map(|text| Supporting {
            category: Some(Coded::words("package")),
            text: Some(text),
            ..Supporting::default()
        }));
        line.dosage.retain(|own| *own != Dosage::default());
        let product = (self.product != Product::default()).then_some(self.product);
        Some(PrescriptionLine {
            item,
            product,
            ..line
        })
    }
}

/// Takes what only frames a part as read: its meaning is known, and the rest says how the record is kept.
fn frame(own: &Element) {
    for name in ["meaning", "name", "synthesised", "structure_type"] {
        own.child(name).into_iter().for_each(Element::know_all);
    }
}

/// What the model has no field for.
fn particular(meaning: Option<&Element>, value: &Element) -> Option<Supporting> {
    let mut own = Supporting {
        category: meaning.and_then(coded),
        ..Supporting::default()
    };
    let kind = value.attribute("type").unwrap_or_default();
    match kind.rsplit(':').next().unwrap_or_default() {
        "CD" | "CV" | "CS" => own.coded = coded(value),
        "II" => own.identifier = identifier(value),
        "PQ" | "INT" | "REAL" => {
            let measure = measure(value)?;
            (own.quantity, own.unit) = (measure.value, measure.unit);
        }
        "BL" => own.yes = value.attribute("value").and_then(|text| text.parse().ok()),
        "TS" => {
            let when = value.attribute("value").and_then(moment);
            own.timing = when.map(|when| Period {
                start: Some(when.clone()),
                end: Some(when),
            });
        }
        _ => own.text = value.attribute("value").map(str::to_owned),
    }
    let says = Supporting {
        category: own.category.clone(),
        ..Supporting::default()
    };
    (own != says).then_some(own)
}

/// Persons and facilities that took part, and as what.
fn participants(own: &Element, function: Option<&Coded>) -> Vec<Supporting> {
    let all = ["healthcare_facility", "performer"].into_iter();
    all.filter_map(|name| {
        Some(Supporting {
            category: Some(Coded::words(name)),
            coded: function.cloned(),
            identifier: Some(identifier(own.child(name)?)?),
            ..Supporting::default()
        })
    })
    .collect()
}

fn correlate(link: &Element) -> Option<Correlate> {
    let coded = link.child("target_type").and_then(coded);
    let identifier = identifier(link.child("target_id")?)?;
    link.know_all();
    Some(Correlate {
        relation: Relation::Related,
        identifier,
        coded,
    })
}

/// The system of a root.
fn system_of(root: &str) -> String {
    let is_oid = root
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match is_oid && !root.is_empty() {
        true => format!("urn:oid:{root}"),
        false => root.to_owned(),
    }
}

fn identifier(own: &Element) -> Option<Identifier> {
    let value = own.attribute("extension")?;
    let root = own.attribute("root").unwrap_or_default();
    Some(Identifier::new(system_of(root), value))
}

fn coded(own: &Element) -> Option<Coded> {
    let code = own.attribute("code")?;
    let name = own.child("displayName");
    let text = name.and_then(|own| own.attribute("value"));
    Some(Coded {
        text: text.map(str::to_owned),
        ..Coded::new(
            system_of(own.attribute("codeSystem").unwrap_or_default()),
            code,
        )
    })
}

fn measure(own: &Element) -> Option<Measure> {
    let value = Quantity::parse(&own.attribute("value")?.replace(',', "."))?;
    Some(Measure {
        value: Some(value),
        unit: own.attribute("unit").map(str::to_owned),
        coded: None,
    })
}

/// A day, or a day with a time: `YYYYMMDD[hhmm[ss]]`.
fn moment(text: &str) -> Option<When> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return When::parse(text);
    }
    let part = |from: usize, to: usize| text.get(from..to);
    let day = format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let full = match text.len() {
        8 => day,
        12 => format!("{day}T{}:{}", part(8, 10)?, part(10, 12)?),
        14 => format!("{day}T{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?),
        _ => return None,
    };
    When::parse(&full)
}
