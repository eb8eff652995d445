//! Country packs: plans, tariffs, calendars and a few people to show the hub with, embedded as data.
//!
//! A pack is a sample and says so. Its documents have the forms that the hub takes from insurers, so that
//! a real country is served by real documents in their place. Which of a pack's numbers are public and
//! which are invented is in its `NOTES.md`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use takmil_domain::coverage::Enrolment;
use takmil_domain::date::Calendar;
use takmil_domain::money::Currency;
use takmil_domain::participant::Participant;
use takmil_domain::plan::{BasePlan, CodeGroup, Plan};
use takmil_domain::tariff::Tariff;

use crate::Error;

/// Every pack.
pub const PACKS: &[Pack] = &[
    Pack {
        id: "ir",
        settings: include_str!("../packs/ir/pack.json"),
        participants: include_str!("../packs/ir/participants.json"),
        plans: include_str!("../packs/ir/plans.json"),
        base_plans: include_str!("../packs/ir/base_plans.json"),
        tariffs: include_str!("../packs/ir/tariffs.json"),
        groups: include_str!("../packs/ir/groups.json"),
        enrolments: include_str!("../packs/ir/enrolments.json"),
    },
    Pack {
        id: "ma",
        settings: include_str!("../packs/ma/pack.json"),
        participants: include_str!("../packs/ma/participants.json"),
        plans: include_str!("../packs/ma/plans.json"),
        base_plans: include_str!("../packs/ma/base_plans.json"),
        tariffs: include_str!("../packs/ma/tariffs.json"),
        groups: include_str!("../packs/ma/groups.json"),
        enrolments: include_str!("../packs/ma/enrolments.json"),
    },
    Pack {
        id: "mz",
        settings: include_str!("../packs/mz/pack.json"),
        participants: include_str!("../packs/mz/participants.json"),
        plans: include_str!("../packs/mz/plans.json"),
        base_plans: include_str!("../packs/mz/base_plans.json"),
        tariffs: include_str!("../packs/mz/tariffs.json"),
        groups: include_str!("../packs/mz/groups.json"),
        enrolments: include_str!("../packs/mz/enrolments.json"),
    },
    Pack {
        id: "ye",
        settings: include_str!("../packs/ye/pack.json"),
        participants: include_str!("../packs/ye/participants.json"),
        plans: include_str!("../packs/ye/plans.json"),
        base_plans: include_str!("../packs/ye/base_plans.json"),
        tariffs: include_str!("../packs/ye/tariffs.json"),
        groups: include_str!("../packs/ye/groups.json"),
        enrolments: include_str!("../packs/ye/enrolments.json"),
    },
    Pack {
        id: "intl",
        settings: include_str!("../packs/intl/pack.json"),
        participants: include_str!("../packs/intl/participants.json"),
        plans: include_str!("../packs/intl/plans.json"),
        base_plans: include_str!("../packs/intl/base_plans.json"),
        tariffs: include_str!("../packs/intl/tariffs.json"),
        groups: include_str!("../packs/intl/groups.json"),
        enrolments: include_str!("../packs/intl/enrolments.json"),
    },
];

/// The pack of this name.
pub fn pack(id: &str) -> Option<&'static Pack> {
    PACKS.iter().find(|pack| pack.id == id)
}

/// A country's documents.
#[derive(Debug)]
pub struct Pack {
    /// Its folder's name.
    pub id: &'static str,
    settings: &'static str,
    participants: &'static str,
    plans: &'static str,
    base_plans: &'static str,
    tariffs: &'static str,
    groups: &'static str,
    enrolments: &'static str,
}

impl Pack {
    /// How the country counts its days and speaks.
    ///
    /// # Errors
    /// [`Error::Pack`], as all of a pack's documents, where its file is damaged.
    pub fn settings(&self) -> Result<Settings, Error> {
        self.read("pack.json", self.settings)
    }

    /// Sample insurers and providers. Insurers have no endpoint yet.
    ///
    /// # Errors
    /// [`Error::Pack`]
    pub fn participants(&self) -> Result<Vec<Participant>, Error> {
        self.read("participants.json", self.participants)
    }

    /// Sample plans of supplementary insurers.
    ///
    /// # Errors
    /// [`Error::Pack`]
    pub fn plans(&self) -> Result<Vec<Plan>, Error> {
        self.read("plans.json", self.plans)
    }

    /// Sample plans of base insurers. Empty where supplementary insurance stands alone.
    ///
    /// # Errors
    /// [`Error::Pack`]
    pub fn base_plans(&self) -> Result<Vec<BasePlan>, Error> {
        self.read("base_plans.json", self.base_plans)
    }

    /// Sample tariffs, and price lists of contracts.
    ///
    /// # Errors
    /// [`Error::Pack`]
    pub fn tariffs(&self) -> Result<Vec<Tariff>, Error> {
        self.read("tariffs.json", self.tariffs)
    }

    /// The groups of services that the plans are made of, with their names.
    ///
    /// # Errors
    /// [`Error::Pack`]
    pub fn groups(&self) -> Result<Vec<Group>, Error> {
        self.read("groups.json", self.groups)
    }

    /// Sample members with their covers.
    ///
    /// # Errors
    /// [`Error::Pack`]
    pub fn enrolments(&self) -> Result<Vec<Enrolment>, Error> {
        self.read("enrolments.json", self.enrolments)
    }

    fn read<T: DeserializeOwned>(&self, file: &'static str, text: &str) -> Result<T, Error> {
        serde_json::from_str(text).map_err(|cause| Error::Pack {
            pack: self.id,
            file,
            cause,
        })
    }
}

/// Names by language (ISO 639-1).
pub type Titles = BTreeMap<String, String>;

/// How a country counts its days and speaks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// ISO 3166-1 in two letters; `ZZ` for no country.
    pub country: String,
    /// Its name.
    pub title: Titles,
    /// The currency of its documents.
    pub currency: Currency,
    /// The languages that people are addressed in, the usual one first.
    pub languages: Vec<String>,
    /// The calendar that dates are shown in.
    pub calendar: Calendar,
    /// The zone of its offices' clocks, by its name in the IANA database.
    pub time_zone: String,
    /// Days without office.
    pub weekend: Vec<Weekday>,
    /// When offices are open.
    pub office_hours: Vec<OfficeHours>,
    /// Holidays that come back every year: some of them, as a sample.
    pub holidays: Vec<Holiday>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are the days of the week")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// When offices are open on some days of the week.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficeHours {
    /// On which.
    pub days: Vec<Weekday>,
    /// From this time, `HH:MM`.
    pub from: String,
    /// To this time, `HH:MM`.
    pub to: String,
}

/// A holiday that comes back on the same day of a calendar's year.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// The calendar.
    pub calendar: Calendar,
    /// The month in it.
    pub month: u8,
    /// The day of the month.
    pub day: u8,
    /// Its name.
    pub title: Titles,
}

/// A group of services, as plan authors and tables of a portal name it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name in the pack.
    pub id: String,
    /// Its name for people.
    pub title: Titles,
    /// The services.
    pub codes: Vec<CodeGroup>,
}
