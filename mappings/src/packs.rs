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
use takmil_domain::exchange::ExchangeRate;
use takmil_domain::ids::GroupId;
use takmil_domain::money::Currency;
use takmil_domain::participant::Participant;
use takmil_domain::plan::{BasePlan, CodeGroup, Plan, Regulation};
use takmil_domain::tariff::Tariff;

use crate::Error;

/// Embeds the packs of these folders.
macro_rules! packs {
    ($($id:literal)+) => {
        /// Every pack.
        pub const PACKS: &[Pack] = &[$(Pack {
            id: $id,
            settings: include_str!(concat!("../packs/", $id, "/pack.json")),
            participants: include_str!(concat!("../packs/", $id, "/participants.json")),
            plans: include_str!(concat!("../packs/", $id, "/plans.json")),
            base_plans: include_str!(concat!("../packs/", $id, "/base_plans.json")),
            tariffs: include_str!(concat!("../packs/", $id, "/tariffs.json")),
            groups: include_str!(concat!("../packs/", $id, "/groups.json")),
            exchange: include_str!(concat!("../packs/", $id, "/exchange.json")),
            regulations: include_str!(concat!("../packs/", $id, "/regulations.json")),
            enrolments: include_str!(concat!("../packs/", $id, "/enrolments.json")),
        },)+];
    };
}

// A new country is a folder, and its name here.
packs! { "ir" "ma" "mz" "ye" "intl" }

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
    exchange: &'static str,
    regulations: &'static str,
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

    /// The groups of services and diagnoses that the plans are made of, with their names. A plan has those that it
    /// names in itself, as they stand here.
    ///
    /// # Errors
    /// [`Error::Pack`]
    pub fn groups(&self) -> Result<Vec<Group>, Error> {
        self.read("groups.json", self.groups)
    }

    /// Sample rates of exchange, for care abroad and for plans in another currency than the country's.
    ///
    /// # Errors
    /// [`Error::Pack`]
    pub fn exchange(&self) -> Result<Vec<ExchangeRate>, Error> {
        self.read("exchange.json", self.exchange)
    }

    /// What a sample regulator asks of plans.
    ///
    /// # Errors
    /// [`Error::Pack`]
    pub fn regulations(&self) -> Result<Vec<Regulation>, Error> {
        self.read("regulations.json", self.regulations)
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

/// A group of services or diagnoses, as plan authors and tables of a portal name it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name in the pack and in the pack's plans.
    pub id: GroupId,
    /// Its name for people.
    pub title: Titles,
    /// What belongs to it.
    pub codes: Vec<CodeGroup>,
    /// What does not, all the same.
    #[serde(default)]
    pub except: Vec<CodeGroup>,
}
