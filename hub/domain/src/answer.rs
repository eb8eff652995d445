//! What the hub answers to a message that it took.

use serde::{Deserialize, Serialize};

use crate::clinical::Finding;
use crate::date::{Date, Instant};
use crate::decision::Decision;
use crate::ids::{MessageId, ParticipantId, PlanId};
use crate::life::State;
use crate::message::{Attachment, Kind};
use crate::reason::Reason;

/// The hub's answer to one message. It is stored with the message, and a repeat gets the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The hub's id of the message.
    pub id: MessageId,
    /// The kind of the message.
    pub kind: Kind,
    /// How far it has come.
    pub state: State,
    /// When the hub took it.
    pub received_at: Instant,
    /// When this answer was made.
    pub answered_at: Instant,
    /// What concerns the whole message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// The member's covers, as asked by an eligibility question and found for any other message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<CoverAnswer>,
    /// The shares, where there is a bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What speaks against it from the medical side, by the terms of the member's plans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What insurers have said to it in words, in the order of arrival.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What its sender has appealed against, in the order of arrival.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub appeals: Vec<Appeal>,
    /// An admission's introduction letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Letter>,
    /// Codes that the common scheme does not know: the place in the message, kept and queued for mapping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmapped: Vec<String>,
}

/// What an insurer said to a message in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Who.
    pub insurer: ParticipantId,
    /// Under which reference of its own.
    pub reference: String,
    /// When.
    pub at: Instant,
    /// What.
    pub text: String,
    /// Whether it is a question: the message waits for the reply.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
    /// What the sender of the message replied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}

/// What the sender of a message replied to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// When.
    pub at: Instant,
    /// What.
    pub text: String,
    /// Documents that belong to it, by reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

/// What the sender of a decided message says against an insurer's part in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Appeal {
    /// The insurer that is to look at it again.
    pub insurer: ParticipantId,
    /// Under which reference of the sender's own.
    pub reference: String,
    /// When.
    pub at: Instant,
    /// Why.
    pub text: String,
    /// The lines it is about; all, where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u32>,
    /// Documents that belong to it, by reference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AppealOutcome>,
}

/// What came of an appeal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppealOutcome {
    /// When.
    pub at: Instant,
    /// Whether the decision was changed; else the insurer stands by it.
    pub changed: bool,
}

impl Answer {
    /// The appeal that an insurer has still to look at.
    pub fn open_appeal(&self) -> Option<&Appeal> {
        self.appeals.iter().find(|own| own.outcome.is_none())
    }
}

impl Note {
    /// Whether the reply is still to come.
    pub fn is_open(&self) -> bool {
        self.asks && self.reply.is_none()
    }
}

/// One cover of the member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverAnswer {
    /// The insurer.
    pub insurer: ParticipantId,
    /// The plan and its version in force.
    pub plan: PlanId,
    /// Its version in force on the day, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Whether it is in force on the day.
    pub active: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The first day.
    pub start: Date,
    /// The last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Date>,
    /// Whether the insurer itself says so, which was asked for this answer; else the hub does, as the cover was registered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stated: bool,
    /// For what, by the insurer's own names of its benefits, where it says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benefits: Vec<String>,
}

/// The introduction letter of an admission: the paper form of its reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// Its number.
    pub number: String,
    /// The last day on which it counts.
    pub valid_until: Date,
    /// What it does not cover, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<String>,
}
