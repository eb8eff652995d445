//! What a clinical rule says, and how much weight it has.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::code::Code;

macro_rules! rules {
    ($($variant:ident $code:literal $meaning:literal)+) => {
        /// The clinical rules, by their stable public codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ClinicalRule { $(#[doc = $meaning] $variant,)+ }

        impl ClinicalRule {
            /// Every rule, for the published list.
            pub const ALL: &'static [ClinicalRule] = &[$(ClinicalRule::$variant,)+];

            /// The stable public code.
            pub fn code(self) -> &'static str {
                match self { $(ClinicalRule::$variant => $code,)+ }
            }

            /// What a finding of it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(ClinicalRule::$variant => $meaning,)+ }
            }

            /// Reads a public code.
            pub fn parse(code: &str) -> Option<ClinicalRule> {
                match code { $($code => Some(ClinicalRule::$variant),)+ _ => None }
            }
        }
    };
}

rules! {
    Age "CLIN-AGE" "The diagnosis does not occur at the member's age."
    Sex "CLIN-SEX" "The diagnosis does not occur in the member's sex."
    Diagnosis "CLIN-DIAGNOSIS" "The diagnosis is no code of the edition in force, or only the heading of more exact ones."
    Excludes "CLIN-EXCLUDES" "The two diagnoses cannot stand side by side, because one excludes the other."
    CodeFirst "CLIN-CODE-FIRST" "The diagnosis stands before the cause that is to be coded first."
    UseAdditional "CLIN-USE-ADDITIONAL" "The diagnosis asks for an additional code, and none of those is there."
    Interaction "CLIN-INTERACTION" "The two drugs act on each other."
    Indication "CLIN-INDICATION" "None of the diagnoses is one that the drug is known to be given for."
    Duplicate "CLIN-DUPLICATE" "The same active ingredient is ordered twice, or the member still has it at home in another drug."
    Dose "CLIN-DOSE" "The dose of a day is above the largest for the drug."
    DaysSupply "CLIN-DAYS-SUPPLY" "The quantity does not fit the dose and the days that it is to last."
    Units "CLIN-UNITS" "More units of the service in a day than are medically likely."
    Refill "CLIN-REFILL" "Too little of the earlier supply of the drug is used up."
    Once "CLIN-ONCE" "What can be done once in a life was done before."
    Prescription "CLIN-PRESCRIPTION" "The prescription is not valid on the day."
}

impl Serialize for ClinicalRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
impl<'de> Deserialize<'de> for ClinicalRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        ClinicalRule::parse(&code).ok_or_else(|| de::Error::custom("unknown clinical rule"))
    }
}

/// What a finding does to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It is told.
    Information,
    /// It is told and asks for a look.
    Warning,
    /// The lines are refused.
    Refusal,
}

/// How grave the source calls an interaction, in the words of the French thesaurus; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Never together.
    Contraindicated,
    /// Together only where nothing else will do.
    NotRecommended,
    /// Together with precautions, such as another dose or a check.
    Precaution,
    /// To be borne in mind.
    Consider,
}

impl Severity {
    /// Every one, the gravest first.
    pub const ALL: [Severity; 4] = [
        Severity::Contraindicated,
        Severity::NotRecommended,
        Severity::Precaution,
        Severity::Consider,
    ];

    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Contraindicated => "contraindicated",
            Severity::NotRecommended => "not_recommended",
            Severity::Precaution => "precaution",
            Severity::Consider => "consider",
        }
    }

    /// The level where no contract says otherwise.
    pub fn level(self) -> Level {
        match self {
            Severity::Contraindicated | Severity::NotRecommended => Level::Warning,
            Severity::Precaution | Severity::Consider => Level::Information,
        }
    }
}

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Which rule.
    pub rule: ClinicalRule,
    /// What it does to the answer.
    pub level: Level,
    /// The lines that it is about; none where it is about the whole message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u32>,
    /// The codes that it rests on: what stands in the message first, then what stands against it. The system is
    /// empty for a drug that is known by its name alone.
    pub evidence: Vec<Code>,
    /// How grave the source calls it, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Whether what stands against it is of the member's past: another provider may not be shown where from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub past: bool,
}
