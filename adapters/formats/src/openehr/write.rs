//! Prescriptions and dispenses as compositions in canonical JSON. What the archetypes have no place for is left out, and
//! told where the composition is read again.

use serde_json::{Map, Value, json};
use takmil_domain::code::{Coded, Coding};
use takmil_domain::date::When;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Head, Message, Supporting};
use takmil_domain::money::Quantity;
use takmil_domain::party::Party;
use takmil_domain::prescription::{
    Dispense, DispenseLine, Dosage, Measure, Prescription, PrescriptionLine, Product, Substitution,
};

use super::values::{COMPOSITION, CONCEPT, UID, duration_of, terminology_of};
use crate::{Context, Written};

/// The states of the reference model that an action may leave an order in; whatever else is said is active.
const STATES: &[(&str, &str)] = &[
    ("active", "245"),
    ("planned", "526"),
    ("postponed", "527"),
    ("cancelled", "528"),
    ("scheduled", "529"),
    ("suspended", "530"),
    ("aborted", "531"),
    ("completed", "532"),
];

/// The composition of a message; `None` of a kind that has none, of one without a time, and where a medication has
/// neither words nor code.
pub(super) fn write(message: &Message, _: &Context) -> Option<Written> {
    let head = &message.head;
    let (archetype, name, author, start, content) = match &message.body {
        Body::Prescription(own) => (
            "openEHR-EHR-COMPOSITION.prescription.v0",
            "Prescription",
            own.prescriber.as_ref(),
            own.authored.as_ref().or(head.created.as_ref())?,
            orders(own, head)?,
        ),
        Body::Dispense(own) => {
            let handed_over = || own.lines.iter().find_map(|line| line.handed_over.as_ref());
            let start = head.created.as_ref().or_else(handed_over)?;
            (
                "openEHR-EHR-COMPOSITION.encounter.v1",
                "Dispensing",
                own.dispenser.as_ref(),
                start,
                given(own, head, start)?,
            )
        }
        _ => return None,
    };
    let mut context = json!({
        "_type": "EVENT_CONTEXT",
        "start_time": { "_type": "DV_DATE_TIME", "value": start.as_str() },
        "setting": openehr("other care", "238"),
    });
    if let Some(provider) = head.provider.as_ref().and_then(party) {
        put(&mut context, "health_care_facility", provider);
    }
    let self_written = json!({ "_type": "PARTY_SELF" });
    let mut composition = json!({
        "_type": "COMPOSITION",
        "name": text(name),
        "archetype_details": details(archetype),
        "archetype_node_id": archetype,
        "language": phrase("ISO_639-1", "en"),
        "territory": phrase("ISO_3166-1", "ZZ"),
        "category": openehr("event", "433"),
        "composer": author.and_then(party).unwrap_or(self_written),
        "context": context,
        "content": content,
    });
    let own = |id: &&Identifier| id.system == COMPOSITION && !id.value.trim().is_empty();
    let uid = head.identifiers.iter().find(own);
    if let Some(uid) = uid {
        let value = json!({ "_type": "OBJECT_VERSION_ID", "value": uid.value });
        put(&mut composition, "uid", value);
    }
    let others = head.identifiers.iter();
    let others: Vec<Value> = others
        .filter(|id| uid.is_none_or(|uid| !std::ptr::eq(*id, uid)))
        .map(identifier)
        .collect();
    if !others.is_empty() {
        let audit = json!({
            "_type": "FEEDER_AUDIT",
            "originating_system_item_ids": others,
            "originating_system_audit": { "_type": "FEEDER_AUDIT_DETAILS", "system_id": "takmil" },
        });
        put(&mut composition, "feeder_audit", audit);
    }
    Some(Written {
        media_type: "application/json",
        bytes: composition.to_string().into_bytes(),
    })
}

fn orders(own: &Prescription, head: &Head) -> Option<Vec<Value>> {
    let lines = own.lines.iter().map(|line| order(line, head));
    let lines: Option<Vec<Value>> = lines.collect();
    lines.filter(|lines| !lines.is_empty())
}

fn order(line: &PrescriptionLine, head: &Head) -> Option<Value> {
    let item = coded(&line.item)?;
    let words = words_of(&line.item)?;
    let mut items = vec![element("at0070", "Medication item", item)];
    items.extend(line.product.as_ref().and_then(medication));
    let first = line.dosage.first();
    items.extend(first.into_iter().flat_map(|own| {
        let texts = [
            ("at0091", "Route", &own.route),
            ("at0092", "Body site", &own.site),
            ("at0094", "Administration method", &own.method),
        ];
        let texts = texts.map(|(node, name, value)| optional(node, name, value.as_ref()));
        let directions = own.text.as_deref().filter(|text| !text.trim().is_empty());
        let directions =
            directions.map(|own| element("at0009", "Overall directions description", text(own)));
        let more = own.instructions.iter().filter_map(coded);
        let more = more.map(|own| element("at0044", "Additional instruction", own));
        let all = texts.into_iter().flatten().chain(directions);
        all.chain(more).collect::<Vec<_>>()
    }));
    items.extend(line.dosage.iter().filter_map(dosage));
    let reasons = line.reasons.iter().filter_map(coded);
    items.extend(reasons.map(|own| element("at0018", "Clinical indication", own)));
    let bounds = first.and_then(|own| own.timing.as_ref()?.bounds.as_ref());
    let course: Vec<Value> = [
        (
            "at0012",
            "Order start date/time",
            bounds.map(|own| &own.start),
        ),
        ("at0013", "Order stop date/time", bounds.map(|own| &own.end)),
    ]
    .into_iter()
    .filter_map(|(node, name, moment)| Some(element(node, name, time(moment?.as_ref()?))))
    .collect();
    items.extend(cluster("at0113", "Order details", course));
    items.extend(authorisation(line));
    items.extend(directions(line));
    let mut activity = json!({
        "_type": "ACTIVITY",
        "name": text("Order"),
        "archetype_node_id": "at0001",
        "action_archetype_id": "/openEHR-EHR-ACTION\\.medication(-[a-zA-Z0-9_]+)*\\.v1/",
        "description": tree("at0002", items),
    });
    let timing = said(&line.particulars, "timing");
    if let Some(timing) = timing {
        let value = json!({ "_type": "DV_PARSABLE", "value": timing, "formalism": "text/plain" });
        put(&mut activity, "timing", value);
    }
    let (uid, others) = uid_and_others(&line.identifiers);
    if let Some(uid) = uid {
        put(
            &mut activity,
            "uid",
            json!({ "_type": "HIER_OBJECT_ID", "value": uid }),
        );
    }
    let mut own = entry(
        "INSTRUCTION",
        "openEHR-EHR-INSTRUCTION.medication_order.v3",
        "Medication order",
        head,
    );
    let directions = first.and_then(|own| own.text.as_deref());
    let directions = directions.filter(|text| !text.trim().is_empty());
    let narrative = said(&line.particulars, "narrative").or(directions);
    put(&mut own, "narrative", text(narrative.unwrap_or(words)));
    put(&mut own, "activities", json!([activity]));
    let ids = others.map(|id| element("at0004", "Order identifier", identifier(id)));
    let ids: Vec<Value> = ids.collect();
    if !ids.is_empty() {
        put(&mut own, "protocol", tree("at0005", ids));
    }
    Some(own)
}

/// How often it may be repeated.
fn authorisation(line: &PrescriptionLine) -> Option<Value> {
    let refills = line.repeats.map(|count| {
        let count = json!({ "_type": "DV_COUNT", "magnitude": count });
        element("at0025", "Maximum number of refills", count)
    });
    let interval = line.interval.as_ref().and_then(duration_of);
    let interval =
        interval.map(|own| element("at0046", "Minimum interval between refills", lasting(&own)));
    let archetype = "openEHR-EHR-CLUSTER.medication_authorisation.v0";
    let parts = refills.into_iter().chain(interval).collect();
    cluster(archetype, "Medication authorisation", parts)
}

/// How it is to be dispensed.
fn directions(line: &PrescriptionLine) -> Option<Value> {
    let mut parts: Vec<Value> = Vec::new();
    parts.extend(supply(line.quantity.as_ref(), line.days_supply.as_ref()));
    if let Some(own) = &line.substitution {
        let code = own.allowed.map(|allowed| match allowed {
            true => local("Permitted", "at0168"),
            false => local("Not permitted", "at0169"),
        });
        parts.extend(code.map(|own| element("at0132", "Substitution direction", own)));
        parts.extend(reason(own, "at0154", "Non-substitution reason"));
    }
    let valid = line.valid.as_ref();
    let from = valid.and_then(|own| own.start.as_ref());
    let to = valid.and_then(|own| own.end.as_ref());
    parts.extend(from.map(|own| element("at0155", "Dispensing start date", time(own))));
    parts.extend(to.map(|own| element("at0161", "Dispensing expiry date", time(own))));
    cluster("at0129", "Dispense directions", parts)
}

fn reason(own: &Substitution, node: &str, name: &str) -> Vec<Value> {
    let all = own.reasons.iter().filter_map(coded);
    all.map(|own| element(node, name, own)).collect()
}

fn supply(amount: Option<&Measure>, days: Option<&Measure>) -> Option<Value> {
    let amount = amount.and_then(quantity);
    let amount = amount.map(|own| element("at0131", "Amount", own));
    let days = days.and_then(duration_of);
    let days = days.map(|own| element("at0142", "Duration of supply", lasting(&own)));
    let archetype = "openEHR-EHR-CLUSTER.medication_supply_amount.v0";
    let parts = amount.into_iter().chain(days).collect();
    cluster(archetype, "Medication supply amount", parts)
}

fn medication(own: &Product) -> Option<Value> {
    let batch = own
        .batch
        .as_deref()
        .filter(|batch| !batch.trim().is_empty());
    let parts = [
        optional("at0071", "Form", own.form.as_ref()),
        batch.map(|own| element("at0150", "Batch ID", text(own))),
        own.expires
            .as_ref()
            .map(|own| element("at0003", "Expiry", time(own))),
    ];
    let parts = parts.into_iter().flatten().collect();
    cluster("openEHR-EHR-CLUSTER.medication.v1", "Medication", parts)
}

fn dosage(own: &Dosage) -> Option<Value> {
    let dose = own.doses.first().and_then(quantity);
    let mut parts: Vec<Value> = Vec::new();
    parts.extend(dose.map(|own| element("at0144", "Dose amount", own)));
    let timing = own.timing.as_ref();
    let is_daily = timing
        .and_then(|own| own.period.as_ref())
        .is_some_and(|own| own.value == Some(Quantity::ONE) && own.unit.as_deref() == Some("d"));
    let times = timing.and_then(|own| own.frequency).filter(|_| is_daily);
    let times = times.map(|times| {
        let often = json!({ "_type": "DV_QUANTITY", "magnitude": times, "units": "1/d" });
        element("at0003", "Frequency", often)
    });
    let needed = own.as_needed.map(|yes| {
        let yes = json!({ "_type": "DV_BOOLEAN", "value": yes });
        element("at0024", "As required", yes)
    });
    let for_what = optional("at0025", "'As required' criterion", own.needed_for.as_ref());
    let daily = times.into_iter().chain(needed).chain(for_what).collect();
    parts.extend(cluster(
        "openEHR-EHR-CLUSTER.timing_daily.v1",
        "Timing - daily",
        daily,
    ));
    cluster("openEHR-EHR-CLUSTER.dosage.v1", "Dosage", parts)
}

fn given(own: &Dispense, head: &Head, start: &When) -> Option<Vec<Value>> {
    let lines = own.lines.iter().map(|line| action(line, head, start));
    let lines: Option<Vec<Value>> = lines.collect();
    lines.filter(|lines| !lines.is_empty())
}

fn action(given: &DispenseLine, head: &Head, start: &When) -> Option<Value> {
    let line = &given.line;
    let mut items = vec![element("at0020", "Medication item", coded(&line.item)?)];
    items.extend(given.product.as_ref().and_then(medication));
    let amount = line.quantity.map(|value| Measure {
        value: Some(value),
        unit: line.unit.clone(),
        coded: None,
    });
    let days = line.days_supply.map(|days| Measure {
        value: Some(Quantity::whole(days)),
        unit: Some("d".to_owned()),
        coded: None,
    });
    items.extend(supply(amount.as_ref(), days.as_ref()));
    items.extend(given.dosage.iter().filter_map(dosage));
    let code = given.substituted.map(|yes| match yes {
        true => local("Substitution performed", "at0138"),
        false => local("Substitution not performed", "at0139"),
    });
    items.extend(code.map(|own| element("at0132", "Substitution", own)));
    if let Some(own) = &given.substitution {
        items.extend(reason(own, "at0133", "Substitution reason"));
    }
    if let Some(own) = given.dosage.first() {
        let parts = [
            optional("at0147", "Route", own.route.as_ref()),
            optional("at0141", "Body site", own.site.as_ref()),
            optional("at0143", "Administration method", own.method.as_ref()),
        ];
        let parts = parts.into_iter().flatten().collect();
        items.extend(cluster("at0140", "Administration details", parts));
    }
    let status = given.status.as_deref();
    let state = STATES.iter().find(|(name, _)| Some(*name) == status);
    let (name, code) = state.or(STATES.first())?;
    let mut own = entry(
        "ACTION",
        "openEHR-EHR-ACTION.medication.v1",
        "Medication management",
        head,
    );
    put(
        &mut own,
        "time",
        time(given.handed_over.as_ref().unwrap_or(start)),
    );
    put(&mut own, "description", tree("at0017", items));
    let transition = json!({
        "_type": "ISM_TRANSITION",
        "current_state": openehr(name, code),
        "careflow_step": local("Prescription dispensed", "at0003"),
    });
    put(&mut own, "ism_transition", transition);
    let (uid, _) = uid_and_others(&given.identifiers);
    if let Some(uid) = uid {
        put(
            &mut own,
            "uid",
            json!({ "_type": "HIER_OBJECT_ID", "value": uid }),
        );
    }
    let is_record = |id: &&Identifier| id.system == COMPOSITION && !id.value.trim().is_empty();
    let record = given.prescriptions.iter().find(is_record);
    if let Some(record) = record {
        let details = json!({
            "_type": "INSTRUCTION_DETAILS",
            "instruction_id": {
                "_type": "LOCATABLE_REF",
                "id": { "_type": "OBJECT_VERSION_ID", "value": record.value },
                "namespace": "local",
                "type": "INSTRUCTION",
                "path": "/content",
            },
            "activity_id": "activities[at0001]",
        });
        put(&mut own, "instruction_details", details);
    }
    let others = given.prescriptions.iter();
    let others = others.filter(|id| record.is_none_or(|record| !std::ptr::eq(*id, record)));
    let ids: Vec<Value> = others
        .map(|id| element("at0103", "Order ID", identifier(id)))
        .collect();
    if !ids.is_empty() {
        put(&mut own, "protocol", tree("at0030", ids));
    }
    Some(own)
}

/// The uid among a line's identifiers, and the others.
fn uid_and_others(ids: &[Identifier]) -> (Option<&str>, impl Iterator<Item = &Identifier>) {
    let uid = ids
        .iter()
        .find(|id| id.system == UID && !id.value.trim().is_empty());
    let others = ids
        .iter()
        .filter(move |id| uid.is_none_or(|uid| !std::ptr::eq(*id, uid)));
    (uid.map(|id| id.value.as_str()), others)
}

/// What a line says of an attribute that the model has no field for.
fn said<'m>(particulars: &'m [Supporting], name: &str) -> Option<&'m str> {
    let own = particulars.iter().find(|own| {
        let concept = own.category.as_ref().and_then(|own| own.source.as_ref());
        concept.is_some_and(|own| own.system == CONCEPT && own.code == name)
    })?;
    own.text.as_deref().filter(|text| !text.trim().is_empty())
}

/// An entry with the members that every entry has.
fn entry(kind: &str, archetype: &str, name: &str, head: &Head) -> Value {
    let mut subject = json!({ "_type": "PARTY_SELF" });
    let ids = head.member.identifiers.iter();
    if let Some(id) = ids.into_iter().find(|id| !id.value.trim().is_empty()) {
        let reference = json!({
            "_type": "PARTY_REF",
            "id": { "_type": "GENERIC_ID", "value": id.value, "scheme": id.system },
            "namespace": match id.system.is_empty() { true => "unknown", false => &id.system },
            "type": "PERSON",
        });
        put(&mut subject, "external_ref", reference);
    }
    json!({
        "_type": kind,
        "name": text(name),
        "archetype_details": details(archetype),
        "archetype_node_id": archetype,
        "language": phrase("ISO_639-1", "en"),
        "encoding": phrase("IANA_character-sets", "UTF-8"),
        "subject": subject,
    })
}

fn party(own: &Party) -> Option<Value> {
    let name = own.name.as_deref().filter(|name| !name.trim().is_empty());
    let ids: Vec<Value> = own.identifiers.iter().map(identifier).collect();
    if name.is_none() && ids.is_empty() {
        return None;
    }
    let mut value = json!({ "_type": "PARTY_IDENTIFIED" });
    if let Some(name) = name {
        put(&mut value, "name", json!(name));
    }
    if !ids.is_empty() {
        put(&mut value, "identifiers", json!(ids));
    }
    Some(value)
}

fn identifier(own: &Identifier) -> Value {
    json!({ "_type": "DV_IDENTIFIER", "id": own.value, "type": own.system })
}

/// What a concept is called, or its bare code.
fn words_of(own: &Coded) -> Option<&str> {
    let code = || own.codings().map(|coding| coding.code.as_str()).next();
    let text = own.text.as_deref().filter(|text| !text.trim().is_empty());
    text.or_else(code).filter(|text| !text.trim().is_empty())
}

fn coded(own: &Coded) -> Option<Value> {
    let words = words_of(own)?;
    let of = |coding: &Coding| phrase(terminology_of(&coding.system), &coding.code);
    let mut value = match &own.source {
        Some(source) if !source.code.trim().is_empty() => json!({
            "_type": "DV_CODED_TEXT",
            "value": words,
            "defining_code": of(source),
        }),
        _ => text(words),
    };
    let mapping = |coding: &Coding| {
        let target = of(coding);
        json!({ "_type": "TERM_MAPPING", "match": "=", "target": target })
    };
    let mappings: Vec<Value> = own.others.iter().map(mapping).collect();
    if !mappings.is_empty() {
        put(&mut value, "mappings", json!(mappings));
    }
    Some(value)
}

/// A quantity; none where it is in words alone.
fn quantity(own: &Measure) -> Option<Value> {
    let magnitude: f64 = own.value?.to_string().parse().ok()?;
    let unit = own.unit.as_deref().filter(|unit| !unit.trim().is_empty());
    Some(json!({ "_type": "DV_QUANTITY", "magnitude": magnitude, "units": unit.unwrap_or("1") }))
}

fn lasting(duration: &str) -> Value {
    json!({ "_type": "DV_DURATION", "value": duration })
}

fn time(own: &When) -> Value {
    json!({ "_type": "DV_DATE_TIME", "value": own.as_str() })
}

fn text(value: &str) -> Value {
    json!({ "_type": "DV_TEXT", "value": value })
}

fn phrase(terminology: &str, code: &str) -> Value {
    json!({
        "_type": "CODE_PHRASE",
        "terminology_id": { "_type": "TERMINOLOGY_ID", "value": terminology },
        "code_string": code,
    })
}

fn openehr(value: &str, code: &str) -> Value {
    json!({ "_type": "DV_CODED_TEXT", "value": value, "defining_code": phrase("openehr", code) })
}

fn local(value: &str, code: &str) -> Value {
    json!({ "_type": "DV_CODED_TEXT", "value": value, "defining_code": phrase("local", code) })
}

fn element(node: &str, name: &str, value: Value) -> Value {
    json!({ "_type": "ELEMENT", "name": text(name), "archetype_node_id": node, "value": value })
}

fn optional(node: &str, name: &str, value: Option<&Coded>) -> Option<Value> {
    value.and_then(coded).map(|own| element(node, name, own))
}

fn cluster(node: &str, name: &str, items: Vec<Value>) -> Option<Value> {
    (!items.is_empty()).then(|| {
        json!({
            "_type": "CLUSTER",
            "name": text(name),
            "archetype_node_id": node,
            "items": items,
        })
    })
}

fn tree(node: &str, items: Vec<Value>) -> Value {
    json!({ "_type": "ITEM_TREE", "name": text("Tree"), "archetype_node_id": node, "items": items })
}

/// The archetype that a node is of.
fn details(archetype: &str) -> Value {
    json!({
        "_type": "ARCHETYPED",
        "archetype_id": { "_type": "ARCHETYPE_ID", "value": archetype },
        "rm_version": "1.0.4",
    })
}

fn put(value: &mut Value, key: &str, inner: Value) {
    let members: Option<&mut Map<String, Value>> = value.as_object_mut();
    if let Some(members) = members {
        members.insert(key.to_owned(), inner);
    }
}
