//! The worked examples as members read them, a file a language in `conformance/cases/explained`.
//!
//! With `TAKMIL_BLESS=1` the files are written anew.

use std::path::{Path, PathBuf};
use takmil_domain::date::Date;
use takmil_domain::decision::Decision;
use takmil_domain::exchange::ExchangeRate;
use takmil_domain::ids::ParticipantId;
use takmil_domain::message::Message;
use takmil_domain::money::{Currency, Quantity};
use takmil_domain::plan::{LimitKind, LimitUnit};
use takmil_domain::reason::Reason;
use takmil_domain::share::Documents;
use takmil_portal::explain::{Direction, Explanation, Language, Titles, explain};

/// The insurers of the examples, by the names that members know.
const INSURERS: &[(&str, &str)] = &[
    ("takaful", "بیمه تکافل"),
    ("first", "First Insurance"),
    ("second", "Second Insurance"),
];

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/cases")
}

/// An example: its documents, its message, and what came of it.
struct Example {
    documents: Documents,
    message: Message,
    decision: Decision,
}

impl Example {
    fn named(name: &str) -> Example {
        let file = |part: &str| {
            let path = cases().join(format!("worked/{name}.{part}.json"));
            std::fs::read_to_string(path).unwrap()
        };
        let documents: Documents = serde_json::from_str(&file("plan")).unwrap();
        let message: Message = serde_json::from_str(&file("bill")).unwrap();
        let decision = documents.judge(&message).unwrap();
        Example {
            documents,
            message,
            decision,
        }
    }

    fn told(&self, language: Language) -> Explanation {
        let named: Vec<(ParticipantId, &str)> = INSURERS
            .iter()
            .map(|(id, name)| (ParticipantId::parse(id).unwrap(), *name))
            .collect();
        let bill = self.message.bill().unwrap();
        let documents = &self.documents;
        let titles = Titles {
            day: self.message.head.occurred_on.unwrap(),
            insurers: named.iter().map(|(id, name)| (id, *name)).collect(),
            plans: documents.plans.iter().map(AsRef::as_ref).collect(),
            starts: documents
                .plans
                .iter()
                .filter_map(|plan| {
                    let mut covers = documents.covers.iter();
                    let cover = covers.find(|cover| cover.insurer == plan.insurer)?;
                    Some((&plan.id, cover.start))
                })
                .collect(),
            lines: &bill.lines,
            findings: &[],
        };
        explain(&self.decision, &titles, language)
    }
}

/// Every example's name, in order.
fn names() -> Vec<String> {
    let files = std::fs::read_dir(cases().join("worked")).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names = files.filter_map(|name| name.strip_suffix(".bill.json").map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert!(names.len() >= 12, "{names:?}");
    names
}

#[test]
fn members_are_told_the_worked_examples_in_their_languages() {
    for language in Language::ALL {
        let mut text = String::new();
        for name in names() {
            let told = Example::named(&name).told(*language);
            text.push_str(&format!("{name}\n\n{told}\n\n"));
        }
        let file = cases().join(format!("explained/{}.txt", language.as_str()));
        if std::env::var_os("TAKMIL_BLESS").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, expected, "{} differs", file.display());
    }
}

#[test]
fn an_explanation_is_data_too_and_leaves_nothing_out() {
    for name in names() {
        let example = Example::named(&name);
        for language in Language::ALL {
            let told = example.told(*language);
            assert_eq!(told.lines.len(), example.decision.lines.len());
            for (told, line) in told.lines.iter().zip(&example.decision.lines) {
                assert!(told.reasons.len() >= line.trace.len(), "{name}");
                for reason in &line.reasons {
                    let is_told = told.reasons.iter().any(|own| own.code == *reason);
                    assert!(is_told, "{name}: {}", reason.code());
                }
            }
            let data = serde_json::to_value(&told).unwrap();
            assert_eq!(data["language"], language.as_str());
            assert_eq!(data["totals"][0]["name"], "billed");
            let is_rtl = matches!(language, Language::Fa | Language::Ar);
            assert_eq!(told.direction == Direction::Rtl, is_rtl);
        }
    }
}

#[test]
fn what_has_no_name_is_told_by_its_code() {
    let example = Example::named("3-mri-outside-the-network");
    let titles = Titles {
        day: example.message.head.occurred_on.unwrap(),
        insurers: Vec::new(),
        plans: Vec::new(),
        starts: Vec::new(),
        lines: &[],
        findings: &[],
    };
    let told = explain(&example.decision, &titles, Language::En).to_string();
    let told = plain(&told);
    for part in [
        "Line 1\n",
        "takaful pays 12,000,000 rials",
        "12,000,000 rials was left of your ceiling “imaging”",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
}

#[test]
fn what_concerns_the_whole_bill_is_told_with_its_figures() {
    let mut example = Example::named("2-surgery");
    let day = |text: &str| Date::parse(text).unwrap();
    let currency = |code: &str| Currency::parse(code).unwrap();
    example.decision.valid_until = Some(day("2025-03-21"));
    example.decision.reasons = vec![Reason::Exchanged, Reason::StandIn];
    example.decision.exchange = Some(ExchangeRate {
        from: currency("USD"),
        to: currency("IRR"),
        on: day("2024-03-20"),
        rate: Quantity::parse("613250").unwrap(),
        source: "a bank".to_owned(),
    });
    let told = plain(&example.told(Language::En).to_string());
    for part in [
        "stays reserved for you until 21 March 2025.",
        "converted at the rate of 20 March 2024: 1 USD is 613,250 rials.",
        "\nYour supplementary insurer could not be reached",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    let told = plain(&example.told(Language::Fa).to_string());
    assert!(told.contains("تا ۱ فروردین ۱۴۰۴"), "{told}");
}

#[test]
fn what_is_left_is_counted_as_each_language_counts() {
    let mut example = Example::named("2-surgery");
    let mut row = example.decision.remainders.remove(0);
    row.unit = LimitUnit::Days;
    for (language, left, expected) in [
        (Language::En, 1, "1 day is left of 30"),
        (Language::En, 2, "2 days are left of 30"),
        (Language::Ar, 0, "لم يبقَ أي يوم من أصل ٣٠"),
        (Language::Ar, 1, "بقي يوم واحد من أصل ٣٠"),
        (Language::Ar, 2, "بقي يومان من أصل ٣٠"),
        (Language::Ar, 3, "بقيت ٣ أيام من أصل ٣٠"),
        (Language::Ar, 11, "بقي ١١ يومًا من أصل ٣٠"),
        (Language::Ar, 100, "بقي ١٠٠ يوم من أصل ٣٠"),
        (Language::Fr, 0, "il reste 0 jour sur 30"),
        (Language::Fr, 2, "il reste 2 jours sur 30"),
        (Language::Pt, 0, "restam 0 dias num total de 30"),
        (Language::Pt, 1, "resta 1 dia num total de 30"),
        (Language::Fa, 7, "از ۳۰ روز، ۷ روز مانده است"),
    ] {
        (row.ceiling, row.before, row.after) = (30, 30, left);
        example.decision.remainders = vec![row.clone()];
        let told = plain(&example.told(language).limits.concat());
        assert!(told.contains(expected), "{expected} is not in {told}");
    }
    row.kind = LimitKind::Copay;
    example.decision.remainders = vec![row];
    assert!(example.told(Language::En).limits.is_empty());
}

/// A text without the marks that set apart what is put into it.
fn plain(text: &str) -> String {
    text.replace(['\u{2068}', '\u{2069}'], "")
}
