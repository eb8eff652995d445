//! What is wrong with a tariff or a price list, and what is odd about it: found where it enters, so that no admission
//! ever meets it.

use std::collections::HashSet;

use super::{Document, KValues, Price};
use crate::code::Code;
use crate::lint::{Remarks, Versioned as _};
use crate::money::{Amount, Quantity};
use crate::party::Sector;
use crate::plan::sets::{self, Place, of_list};

impl Document {
    /// What makes the document useless, each with a JSON pointer into it.
    pub fn faults(&self) -> Remarks {
        let mut faults = self.as_version().faults();
        let mut sectors = HashSet::new();
        for (at, k) in self.k.iter().enumerate() {
            if !sectors.insert(k.sector) {
                let pointer = format!("/k/{at}/sector");
                faults.push((pointer, "the sector has K values already"));
            }
            for (name, worth) in components_of(k) {
                if worth < Amount::ZERO {
                    faults.push((format!("/k/{at}/{name}"), "below zero"));
                }
            }
        }
        let mut priced: HashSet<(&Code, Option<Sector>)> = HashSet::new();
        for (at, row) in self.prices.iter().enumerate() {
            self.price_faults(at, row, &mut faults);
            if !priced.insert((&row.code, row.sector)) {
                let detail = "the service is priced twice for one sector";
                faults.push((format!("/prices/{at}/code"), detail));
            }
        }
        let mut packages = HashSet::new();
        for (at, package) in self.packages.iter().enumerate() {
            if !packages.insert(&package.code) {
                let detail = "another package has this code";
                faults.push((format!("/packages/{at}/code"), detail));
            }
            if package.services.is_empty() {
                faults.push((format!("/packages/{at}/services"), "includes no service"));
            }
        }
        for (at, group) in self.generics.iter().enumerate() {
            if group.reference < Amount::ZERO {
                faults.push((format!("/generics/{at}/reference"), "below zero"));
            }
        }
        faults.extend(sets::faults(&[], self.code_places()));
        faults
    }

    fn price_faults(&self, at: usize, row: &Price, faults: &mut Remarks) {
        let mut fault = |place, fault| faults.push((format!("/prices/{at}/{place}"), fault));
        for (place, amount) in [("price", row.price), ("reference", row.reference)] {
            if amount.is_some_and(|amount| amount < Amount::ZERO) {
                fault(place, "below zero");
            }
        }
        let has_k =
            |k: &KValues| k.sector.is_none() || row.sector.is_none_or(|own| k.sector == Some(own));
        if row.relative.is_some() && !self.k.iter().any(has_k) {
            fault("relative", "there are no K values for it");
        }
    }

    /// Whether it may be in force beside another price list of the same provider and insurer. Of one day one list
    /// counts, and of two nobody could say which.
    pub fn faults_beside(&self, other: &Document) -> Remarks {
        let is_of_the_same = self.contract.is_some() && self.contract == other.contract;
        let is_another = self.id != other.id && self.as_version().overlaps(other.as_version());
        let detail = "another price list of the two is in force then";
        let beside = (is_of_the_same && is_another).then(|| ("/contract".to_owned(), detail));
        beside.into_iter().collect()
    }

    /// What its author should look at, each with a JSON pointer into the document. It can be used all the same.
    pub fn remarks(&self) -> Remarks {
        let mut remarks = Vec::new();
        for (at, row) in self.prices.iter().enumerate() {
            price_remarks(at, row, &mut remarks);
        }
        for (at, k) in self.k.iter().enumerate() {
            for (name, _) in components_of(k).iter().filter(|(_, worth)| worth.is_zero()) {
                if self.prices.iter().any(|row| self.uses(row, k, name)) {
                    let detail = "worth nothing, and services of the sector have this component";
                    remarks.push((format!("/k/{at}/{name}"), detail));
                }
            }
        }
        let is_for_all = |row: &Price| row.relative.is_some() && row.sector.is_none();
        if self.k.iter().all(|k| k.sector.is_some()) && self.prices.iter().any(is_for_all) {
            let detail =
                "facilities of sectors that are not named have no price in relative values";
            remarks.push(("/k".to_owned(), detail));
        }
        let priced: HashSet<&Code> = self.prices.iter().map(|row| &row.code).collect();
        for (at, package) in self.packages.iter().enumerate() {
            if !priced.contains(&package.code) {
                remarks.push((format!("/packages/{at}/code"), "the package has no price"));
            }
        }
        let mut known: HashSet<(Option<Sector>, (String, String))> = HashSet::new();
        for (at, group) in self.generics.iter().enumerate() {
            let samples = group.codes.iter().flat_map(|part| sets::samples(part, &[]));
            let own: HashSet<(String, String)> = samples.collect();
            if own
                .iter()
                .any(|one| known.contains(&(group.sector, one.clone())))
            {
                let detail = "an earlier group has some of these drugs: its reference price counts";
                remarks.push((format!("/generics/{at}/codes"), detail));
            }
            known.extend(own.into_iter().map(|one| (group.sector, one)));
        }
        remarks.extend(sets::remarks(self.code_places()));
        remarks
    }

    /// Whether a component of these K values goes into a price.
    fn uses(&self, row: &Price, k: &KValues, component: &str) -> bool {
        let Some(values) = row.relative.as_ref().filter(|_| row.price.is_none()) else {
            return false;
        };
        let is_for = match (row.sector, k.sector) {
            (Some(own), Some(sector)) => own == sector,
            (Some(own), None) => self.k.iter().all(|other| other.sector != Some(own)),
            (None, _) => true,
        };
        let value = match component {
            PROFESSIONAL => Some(values.professional),
            TECHNICAL => values.technical,
            _ => values.anaesthesia,
        };
        is_for && value.is_some_and(|value| !value.is_zero())
    }

    /// Every part of a set of codes.
    fn code_places(&self) -> Vec<Place<'_>> {
        let packages = self.packages.iter().enumerate();
        let packages = packages
            .flat_map(|(at, own)| of_list(format!("/packages/{at}/services"), &own.services));
        let generics = self.generics.iter().enumerate();
        let generics =
            generics.flat_map(|(at, own)| of_list(format!("/generics/{at}/codes"), &own.codes));
        packages.chain(generics).collect()
    }
}

const PROFESSIONAL: &str = "professional";
const TECHNICAL: &str = "technical";
const ANAESTHESIA: &str = "anaesthesia";

fn components_of(k: &KValues) -> [(&'static str, Amount); 3] {
    [
        (PROFESSIONAL, k.professional),
        (TECHNICAL, k.technical),
        (ANAESTHESIA, k.anaesthesia),
    ]
}

fn price_remarks(at: usize, row: &Price, remarks: &mut Remarks) {
    let mut remark = |place: &str, what| remarks.push((format!("/prices/{at}{place}"), what));
    let is_nothing = |value: Option<Quantity>| value.is_none_or(|value| value.is_zero());
    match (&row.price, &row.relative) {
        (Some(_), Some(_)) => remark("/relative", "never used: the service has a price in money"),
        (Some(price), None) if price.is_zero() => remark("/price", "it costs nothing"),
        (None, Some(values))
            if values.professional.is_zero()
                && is_nothing(values.technical)
                && is_nothing(values.anaesthesia) =>
        {
            remark("/relative", "it costs nothing");
        }
        (None, None) if row.reference.is_none() => remark("", "it states no price"),
        _ => {}
    }
    if row.reference.is_some_and(|reference| reference.is_zero()) {
        remark("/reference", "nothing is recognised of it");
    }
}
