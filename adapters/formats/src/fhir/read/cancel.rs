//! A Task that takes an earlier message back.

use takmil_domain::code::Coded;
use takmil_domain::message::{Body, Cancel, Head, Message, Relation};

use super::claim::plain;
use super::cursor::Cursor;
use super::links::{correlate, names};
use super::particulars::sweep;
use super::parties::{member, party_at};
use super::values::{concept_at, identifiers, when};
use crate::fhir::PRIORITY;
use crate::fhir::tree::Node;

/// Codes of a task that mean that its focus is taken back: HL7's own, and the one that exchanges of claims use.
const TAKES_BACK: &[&str] = &["abort", "cancel"];

/// Whether a Task takes something back. One that asks for work, or hands work back, does not.
pub(super) fn takes_back(task: &Node) -> bool {
    let code = task.get("code").map_or(&[][..], |code| code.list("coding"));
    let mut codes = code.iter().filter_map(|coding| coding.text("code"));
    task.get("focus").is_some() && codes.any(|code| TAKES_BACK.contains(&code))
}

/// Reads such a Task.
pub(super) fn read(c: Cursor) -> Message {
    c.origin("");
    let focus = c.get("focus");
    let cancels = focus.and_then(|focus| correlate(focus, &[], Relation::Cancels, None));
    let group = identifiers(c, "groupIdentifier");
    let group = group
        .into_iter()
        .map(|number| plain(Relation::Group, number));
    let created = when(c, "authoredOn");
    let mut head = Head {
        identifiers: names(c),
        correlates: cancels.into_iter().chain(group).collect(),
        status: c.text("status").map(Into::into),
        priority: c.text("priority").map(|code| Coded::new(PRIORITY, code)),
        occurred_on: created.as_ref().and_then(|when| when.first_day()),
        created,
        language: c.text("language").map(Into::into),
        member: c
            .get("for")
            .map(|of| member(of, "/member"))
            .unwrap_or_default(),
        provider: party_at(c, "requester"),
        recipient: party_at(c, "owner"),
        ..Head::default()
    };
    let mut reasons = ["statusReason", "reasonCode", "code"].iter();
    let reason = reasons.find_map(|key| concept_at(c, key));
    sweep(c, "Task", &mut head.supporting);
    Message {
        head,
        body: Body::Cancel(Cancel {
            reason,
            prescription: None,
        }),
    }
}
