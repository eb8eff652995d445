//! What was ordered or handed out: a concept, or a Medication with its form, parts and batch.

use takmil_domain::code::Coded;
use takmil_domain::message::Supporting;
use takmil_domain::money::Quantity;
use takmil_domain::prescription::{Ingredient, Product, Ratio};

use super::cursor::Cursor;
use super::links::{concept_behind, follow};
use super::particulars::sweep;
use super::values::{concept, concept_at, ratio, when};

/// The concept under `medication[x]`, and what a Medication behind it tells of the product. What of that
/// has no place goes to `particulars`.
pub(super) fn medication(c: Cursor, particulars: &mut Vec<Supporting>) -> (Coded, Option<Product>) {
    let Some((kind, value)) = c.choice("medication") else {
        return (Coded::default(), None);
    };
    if kind != "Reference" {
        return (concept(value).unwrap_or_default(), None);
    }
    let link = follow(value, &["Medication"]);
    let item = concept_behind(&link).unwrap_or_default();
    let Some(medication) = link.target.filter(|target| target.kind() == "Medication") else {
        return (item, None);
    };
    let product = product(medication);
    sweep(medication, "Medication", particulars);
    (item, product)
}

fn product(c: Cursor) -> Option<Product> {
    let batch = c.get("batch");
    let product = Product {
        form: concept_at(c, "form"),
        pack: c.get("amount").and_then(pack),
        ingredients: c.items("ingredient").map(ingredient).collect(),
        batch: batch
            .and_then(|batch| batch.text("lotNumber"))
            .map(Into::into),
        expires: batch.and_then(|batch| when(batch, "expirationDate")),
    };
    (product != Product::default()).then_some(product)
}

/// The size of a pack. German senders write its number beside the quantity, because it may be "3x10".
fn pack(c: Cursor) -> Option<Ratio> {
    let mut size = ratio(c).unwrap_or_default();
    if let Some(numerator) = c.get("numerator") {
        let urls = [
            "KBV_EX_ERP_Medication_PackagingSize",
            "medication-packaging-size-extension",
        ];
        let mut told = urls.iter().flat_map(|url| numerator.extensions(url));
        let plain = told.find_map(|told| {
            let (_, value) = told.choice("value")?;
            let number = Quantity::parse(value.node.as_str()?)?;
            told.value()?.as_str();
            Some(number)
        });
        let measure = size.numerator.get_or_insert_default();
        measure.value = measure.value.or(plain);
    }
    (size != Ratio::default()).then_some(size)
}

fn ingredient(c: Cursor) -> Ingredient {
    let item = match c.choice("item") {
        Some(("Reference", reference)) => {
            let link = follow(reference, &["Substance", "Medication"]);
            concept_behind(&link)
        }
        Some((_, value)) => concept(value),
        None => None,
    };
    Ingredient {
        item: item.unwrap_or_default(),
        strength: c.get("strength").and_then(ratio),
        active: c.flag("isActive"),
    }
}
