//! What must hold across the fields of one message, in whatever format it came: a pure look at the
//! canonical form. It says what is wrong and where, and never changes, completes or judges by a plan.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::bill::{
    Accident, BasePaid, Bill, BillClass, Diagnosis, Encounter, EncounterClass, Line, Payee,
    Procedure,
};
use crate::code::{Code, Coded, Coding, Equivalence, Via};
use crate::date::{Calendar, Date, Period, When};
use crate::ids::{IR_LEGAL_ID, IR_NATIONAL_ID, IR_UNIQUE_CODE, Identifier};
use crate::message::{
    Admission, Attachment, Body, Cancel, Claim, Correlate, Eligibility, Head, Message,
    Preauthorization, Relation, Supporting,
};
use crate::money::{Amount, Currency, Quantity};
use crate::party::{CoverageClass, CoverageReference, InsurerRole, Member, Party, Sector, Sex};
use crate::prescription::{
    Dispense, DispenseLine, Dosage, Ingredient, Measure, Prescription, PrescriptionLine, Product,
    Ratio, Substitution, Timing,
};
use crate::problem::{Problem, ProblemCode};

/// How many lines one message may have, details counted: longer than any real bill, and short enough
/// that one message cannot hold up its lane.
pub const MAX_LINES: usize = 10_000;

/// How many problems are told of one message: enough to repair a template in one go, and no answer is
/// many times larger than its question.
pub const MAX_PROBLEMS: usize = 50;

/// How far ahead a service may be planned, in days. Anything later is a slip of the pen.
const MAX_DAYS_AHEAD: u32 = 366;

/// No living person was born before this year, nor treated. Years of the Persian and the lunar calendar lie
/// before it, so that a date of theirs sent as a Gregorian one is seen.
const EARLIEST_YEAR: i32 = 1850;

/// Systems whose identifiers are refused where their check digit does not hold. Of other systems' numbers
/// the hub is no judge: their issuers resolve them, and their test persons carry wrong ones on purpose.
const REFUSED_BY_CHECK_DIGIT: &[&str] = &[IR_NATIONAL_ID, IR_LEGAL_ID, IR_UNIQUE_CODE];

/// Everything that is wrong with `message`, at most [`MAX_PROBLEMS`], with pointers into its canonical JSON.
///
/// `today` is the day on which it arrived.
pub fn check(message: &Message, today: Date) -> Vec<Problem> {
    let head = &message.head;
    let mut found = Found {
        problems: Vec::new(),
        latest: today.add_days(MAX_DAYS_AHEAD),
        birth: head.member.birth_date.as_ref().and_then(When::first_day),
        supporting: head.supporting.iter().filter_map(|part| part.seq).collect(),
        names_money: false,
    };
    let root = Place::Root;
    if let Some(birth) = found.birth {
        real_day(birth, root.field("member").field("birth_date"), &mut found);
    }
    let place = root.field(message.kind().as_str());
    let bill = place.field("bill");
    let (body, list, lines): (&dyn Checked, Place, usize) = match &message.body {
        Body::Eligibility(part) => (part, bill, part.bill.as_ref().map_or(0, Bill::line_count)),
        Body::Estimate(part) => (part, place, part.line_count()),
        Body::Prescription(part) => (part, place, part.lines.len()),
        Body::Dispense(part) => (
            part,
            place,
            part.lines.iter().map(|given| count(&given.line)).sum(),
        ),
        Body::Admission(part) => (part, bill, part.bill.line_count()),
        Body::Preauthorization(part) => (part, bill, part.bill.line_count()),
        Body::Claim(part) => (part, bill, part.bill.line_count()),
        Body::Cancel(part) => (
            part,
            place,
            part.prescription
                .as_ref()
                .map_or(0, |order| order.lines.len()),
        ),
    };
    if lines > MAX_LINES {
        let detail = format!("a message has at most {MAX_LINES} lines, details counted");
        found.add(ProblemCode::TooManyLines, list.field("lines"), detail);
        return found.problems;
    }
    head.examine(root, &mut found);
    body.examine(place, &mut found);
    if found.names_money && head.currency.is_none() {
        let detail = "amounts are named, but not their currency";
        found.add(ProblemCode::UnknownCurrency, root.field("currency"), detail);
    }
    found.problems
}

/// What is known of the whole message, and the problems met on the way through it.
struct Found {
    problems: Vec<Problem>,
    latest: Date,
    birth: Option<Date>,
    supporting: HashSet<u32>,
    names_money: bool,
}

impl Found {
    fn add(&mut self, code: ProblemCode, place: Place, detail: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            let problem = Problem::new(code, place.pointer(), detail);
            self.problems.push(problem);
        }
    }
}

/// Where in the message the look is, as a chain on the stack: only a problem costs a text.
#[derive(Clone, Copy)]
enum Place<'a> {
    Root,
    Field(&'a Place<'a>, &'static str),
    Item(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    fn field(&'a self, name: &'static str) -> Place<'a> {
        Place::Field(self, name)
    }

    fn item(&'a self, index: usize) -> Place<'a> {
        Place::Item(self, index)
    }

    fn pointer(&self) -> String {
        let (mut text, step): (String, &dyn std::fmt::Display) = match self {
            Place::Root => return String::new(),
            Place::Field(outer, name) => (outer.pointer(), name),
            Place::Item(outer, index) => (outer.pointer(), index),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "/{step}");
        text
    }
}

/// A part of a message that may hold something wrong.
trait Checked {
    fn examine(&self, place: Place, found: &mut Found);
}

impl<T: Checked> Checked for Option<T> {
    fn examine(&self, place: Place, found: &mut Found) {
        if let Some(part) = self {
            part.examine(place, found);
        }
    }
}
impl<T: Checked> Checked for Box<T> {
    fn examine(&self, place: Place, found: &mut Found) {
        T::examine(self, place, found);
    }
}
impl<T: Checked> Checked for Vec<T> {
    fn examine(&self, place: Place, found: &mut Found) {
        for (index, part) in self.iter().enumerate() {
            part.examine(place.item(index), found);
        }
    }
}

/// The parts of every type of a message. Each field is named, so that a new one cannot be forgotten; after
/// the arrow stands the rule that looks at several of them together.
macro_rules! parts {
    ($($type:ident { $($field:ident)* } $(=> $rule:ident)?)+) => {$(
        impl Checked for $type {
            fn examine(&self, place: Place, found: &mut Found) {
                let $type { $($field),* } = self;
                $($field.examine(place.field(stringify!($field)), found);)*
                $($rule(self, place, found);)?
            }
        }
    )+};
}

parts! {
    Head {
        identifiers correlates status priority created occurred_on currency language member provider
        facility submitted_by actor recipient coverages supporting attachments texts unread
    } => head
    Correlate { relation identifier coded }
    Supporting {
        seq category coded timing quantity unit unit_code identifier amount text yes reason
    }
    Attachment { media_type title bytes sha256 place }
    Member { identifiers name birth_date sex }
    Party { identifiers name role specialty sector organisation seq responsible }
    CoverageReference {
        role order focal insurer identifiers kind classes relationship period authorisations status
        particulars
    }
    CoverageClass { kind value name }
    Coded { source others text common via }
    Via { map version equivalence }
    Eligibility { purposes serviced bill } => eligibility
    Admission { reason base_confirmation expected_days bill }
    Preauthorization { bill }
    Claim { interim bill }
    Cancel { reason prescription }
    Bill {
        class kinds encounter period diagnoses procedures care_team accident lines total payee
    } => bill
    Encounter { identifiers class kinds period admission_source discharge } => encounter
    Diagnosis { seq coded roles present_on_admission when recorded group }
    Procedure { seq coded when until roles devices } => procedure
    Accident { when kind place }
    Payee { kind party }
    Line {
        seq item modifiers programmes category revenue serviced place quantity unit unit_code
        unit_price factor billed base subsidy paid_by_member body_site sub_sites practitioners
        diagnoses procedures supporting devices authorisation circumstance substitution_refused
        days_supply cancelled particulars details
    } => line
    BasePaid { paid confirmation }
    Prescription { authored valid prescriber dispenser encounter diagnoses lines } => prescription
    PrescriptionLine {
        seq identifiers item product status status_reason authored valid intent do_not_perform
        categories course dosage quantity first_fill days_supply repeats interval substitution
        reasons authorisation unit_price particulars
    } => prescription_line
    Substitution { allowed coded reasons }
    Product { form pack ingredients batch expires }
    Ingredient { item strength active }
    Dosage {
        text instructions doses dose_kind rate timing as_needed needed_for route site method maximum
    }
    Timing { coded events bounds duration frequency period count when }
    Measure { value unit coded }
    Ratio { numerator denominator }
    Dispense { dispenser encounter lines total } => dispense
    DispenseLine {
        line identifiers product prescriptions status status_reason kind prepared handed_over dosage
        substituted substitution
    } => dispense_line
}

/// Types whose own bounds say all there is to say.
macro_rules! sound {
    ($($type:ty)+) => {$(
        impl Checked for $type {
            fn examine(&self, _: Place, _: &mut Found) {}
        }
    )+};
}

sound! {
    bool u32 u64 Currency Date Quantity When
    BillClass EncounterClass Equivalence InsurerRole Relation Sector Sex
}

impl Checked for Amount {
    fn examine(&self, place: Place, found: &mut Found) {
        found.names_money = true;
        if *self < Amount::ZERO {
            found.add(ProblemCode::Negative, place, "an amount is 0 or more");
        }
    }
}

impl Checked for Period {
    fn examine(&self, place: Place, found: &mut Found) {
        if self.is_reversed() {
            let detail = "the end stands before the start";
            found.add(ProblemCode::DateOrder, place.field("end"), detail);
        }
    }
}

impl Checked for String {
    fn examine(&self, place: Place, found: &mut Found) {
        let bad = |byte: u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
        if self.bytes().any(bad) {
            let detail = "text holds no control characters but tab and line ends";
            found.add(ProblemCode::ControlCharacter, place, detail);
        }
    }
}

fn plain(text: &str, place: Place, found: &mut Found) {
    if text.chars().any(char::is_control) {
        let detail = "codes and identifiers hold no control characters";
        found.add(ProblemCode::ControlCharacter, place, detail);
    }
}

impl Checked for Identifier {
    fn examine(&self, place: Place, found: &mut Found) {
        plain(&self.system, place.field("system"), found);
        plain(&self.value, place.field("value"), found);
        let refused = REFUSED_BY_CHECK_DIGIT.contains(&self.system.as_str());
        if refused && self.check() == Some(false) {
            let detail = "the length or the check digit is wrong for its system";
            found.add(ProblemCode::BadIdentifier, place.field("value"), detail);
        }
    }
}

impl Checked for Code {
    fn examine(&self, place: Place, found: &mut Found) {
        plain(&self.system, place.field("system"), found);
        plain(&self.code, place.field("code"), found);
    }
}

impl Checked for Coding {
    fn examine(&self, place: Place, found: &mut Found) {
        plain(&self.system, place.field("system"), found);
        plain(&self.code, place.field("code"), found);
        self.version.examine(place.field("version"), found);
        self.display.examine(place.field("display"), found);
    }
}

fn head(head: &Head, place: Place, found: &mut Found) {
    if let Some(day) = head.occurred_on {
        service_day(day, place.field("occurred_on"), found);
    }
    service(&head.created, place.field("created"), found);
    let numbers = head.supporting.iter().map(|part| part.seq);
    unique(numbers, place.field("supporting"), "seq", found);
}

fn eligibility(asked: &Eligibility, place: Place, found: &mut Found) {
    service_period(&asked.serviced, place.field("serviced"), found);
}

fn encounter(stay: &Encounter, place: Place, found: &mut Found) {
    service_period(&stay.period, place.field("period"), found);
}

fn procedure(done: &Procedure, place: Place, found: &mut Found) {
    let course = Period {
        start: done.when.clone(),
        end: done.until.clone(),
    };
    if course.is_reversed() {
        let detail = "the end stands before the start";
        found.add(ProblemCode::DateOrder, place.field("until"), detail);
    }
    service(&done.when, place.field("when"), found);
    service(&done.until, place.field("until"), found);
}

fn prescription(order: &Prescription, place: Place, found: &mut Found) {
    service(&order.authored, place.field("authored"), found);
    let numbers = order.lines.iter().map(|line| Some(line.seq));
    unique(numbers, place.field("lines"), "seq", found);
}

fn prescription_line(order: &PrescriptionLine, place: Place, found: &mut Found) {
    service(&order.authored, place.field("authored"), found);
}

fn dispense(given: &Dispense, place: Place, found: &mut Found) {
    let numbers = given.lines.iter().map(|part| Some(part.line.seq));
    unique(numbers, place.field("lines"), "line/seq", found);
    let nothing = Numbers::default();
    let lines = place.field("lines");
    for (index, part) in given.lines.iter().enumerate() {
        let at = lines.item(index);
        links(&part.line, at.field("line"), &nothing, found);
    }
}

fn dispense_line(part: &DispenseLine, place: Place, found: &mut Found) {
    service(&part.prepared, place.field("prepared"), found);
    service(&part.handed_over, place.field("handed_over"), found);
}

fn bill(bill: &Bill, place: Place, found: &mut Found) {
    service_period(&bill.period, place.field("period"), found);
    let care_team = || bill.care_team.iter().map(|party| party.seq);
    let diagnoses = || bill.diagnoses.iter().map(|part| part.seq);
    let procedures = || bill.procedures.iter().map(|part| part.seq);
    let lines = bill.lines.iter().map(|line| Some(line.seq));
    unique(care_team(), place.field("care_team"), "seq", found);
    unique(diagnoses(), place.field("diagnoses"), "seq", found);
    unique(procedures(), place.field("procedures"), "seq", found);
    unique(lines, place.field("lines"), "seq", found);
    let numbers = Numbers {
        care_team: care_team().flatten().collect(),
        diagnoses: diagnoses().flatten().collect(),
        procedures: procedures().flatten().collect(),
    };
    let asked = bill.lines.iter().filter_map(Line::asked);
    let real = asked.filter(|asked| *asked <= Amount::MAX);
    let sum: i128 = real.map(|asked| i128::from(asked.get())).sum();
    if sum > i128::from(Amount::MAX.get()) {
        let detail = "what the lines come to together is larger than any real amount";
        found.add(ProblemCode::OutOfRange, place.field("lines"), detail);
    }
    let list = place.field("lines");
    for (index, line) in bill.lines.iter().enumerate() {
        links(line, list.item(index), &numbers, found);
    }
}

fn line(line: &Line, place: Place, found: &mut Found) {
    service_period(&line.serviced, place.field("serviced"), found);
    if line.asked().is_some_and(|asked| asked > Amount::MAX) {
        let detail = "what the line comes to is larger than any real amount";
        found.add(ProblemCode::OutOfRange, place, detail);
    }
}

fn count(line: &Line) -> usize {
    1 + line.details.iter().map(count).sum::<usize>()
}

/// The numbers by which lines may name parts of their bill.
#[derive(Default)]
struct Numbers {
    care_team: HashSet<u32>,
    diagnoses: HashSet<u32>,
    procedures: HashSet<u32>,
}

/// Whether everything that the line and its details name is there.
fn links(line: &Line, place: Place, numbers: &Numbers, found: &mut Found) {
    let supporting = std::mem::take(&mut found.supporting);
    let lists = [
        ("practitioners", &line.practitioners, &numbers.care_team),
        ("diagnoses", &line.diagnoses, &numbers.diagnoses),
        ("procedures", &line.procedures, &numbers.procedures),
        ("supporting", &line.supporting, &supporting),
    ];
    for (name, named, known) in lists {
        for (index, _) in named
            .iter()
            .enumerate()
            .filter(|(_, seq)| !known.contains(seq))
        {
            let detail = "no part of the message has this number";
            let list = place.field(name);
            found.add(ProblemCode::DanglingReference, list.item(index), detail);
        }
    }
    found.supporting = supporting;
    let details = place.field("details");
    for (index, part) in line.details.iter().enumerate() {
        links(part, details.item(index), numbers, found);
    }
}

/// Whether no number stands twice in a list; `seq` is the pointer from an item to its number.
///
/// Details of a line are not held to it: nothing is answered or linked by their numbers, and real senders
/// repeat them.
fn unique(
    numbers: impl Iterator<Item = Option<u32>>,
    list: Place,
    seq: &'static str,
    found: &mut Found,
) {
    let mut seen = HashSet::new();
    for (index, number) in numbers.enumerate() {
        if number.is_some_and(|number| !seen.insert(number)) {
            let detail = "an earlier part of the list has the same number";
            let item = list.item(index);
            found.add(ProblemCode::DuplicateLine, item.field(seq), detail);
        }
    }
}

fn service_period(period: &Option<Period>, place: Place, found: &mut Found) {
    if let Some(period) = period {
        service(&period.start, place.field("start"), found);
        service(&period.end, place.field("end"), found);
    }
}

fn service(when: &Option<When>, place: Place, found: &mut Found) {
    if let Some(day) = when.as_ref().and_then(When::day) {
        service_day(day, place, found);
    }
}

fn service_day(day: Date, place: Place, found: &mut Found) {
    if found.birth.is_some_and(|birth| day < birth) {
        let detail = "the day stands before the member's birth";
        found.add(ProblemCode::DateOrder, place, detail);
    } else {
        real_day(day, place, found);
    }
}

fn real_day(day: Date, place: Place, found: &mut Found) {
    let (year, _, _) = day.ymd_in(Calendar::Gregorian);
    if year < EARLIEST_YEAR {
        let detail =
            format!("the day stands before {EARLIEST_YEAR}; days are of the Gregorian calendar");
        found.add(ProblemCode::BadDate, place, detail);
    } else if day > found.latest {
        found.add(
            ProblemCode::BadDate,
            place,
            "the day lies more than a year ahead",
        );
    }
}

#[cfg(test)]
mod tests;
