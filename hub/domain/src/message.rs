//! The canonical message: what a sender says, in the hub's own words, whatever wire format it came in.
//!
//! It holds nothing that the hub adds on taking it (its id, its time, who was authenticated): that is the envelope's.

use serde::{Deserialize, Serialize, Serializer};

use crate::bill::Bill;
use crate::code::{Code, Coded};
use crate::date::{Date, Period, When};
use crate::ids::Identifier;
use crate::money::{Amount, Currency, Quantity};
use crate::party::{CoverageReference, Member, Party};
use crate::prescription::{Dispense, Prescription};

/// The version of the canonical schema that this hub writes.
pub const SCHEMA: &str = "1";

/// A message in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Wire")]
pub struct Message {
    /// What all kinds have in common.
    pub head: Head,
    /// What it is about.
    pub body: Body,
}

/// What messages of every kind have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The sender's own identifiers of the message; they make a retransmission recognisable.
    pub identifiers: Vec<Identifier>,
    /// Earlier messages that this one belongs to, by their senders' identifiers.
    pub correlates: Vec<Correlate>,
    /// As the sender sees it: active, draft, cancelled…
    pub status: Option<String>,
    /// How urgent.
    pub priority: Option<Coded>,
    /// When the sender made it.
    pub created: Option<When>,
    /// The day it is about, where its lines do not say.
    pub occurred_on: Option<Date>,
    /// The currency of every amount in it.
    pub currency: Option<Currency>,
    /// The language the sender wants to be answered in (BCP 47).
    pub language: Option<String>,
    /// Whom it is about.
    pub member: Member,
    /// Who asks.
    pub provider: Option<Party>,
    /// Where it was done or is to be done, where that is named beside the provider.
    pub facility: Option<Party>,
    /// The vendor or office that sends it for the provider.
    pub submitted_by: Option<Party>,
    /// The person who did it.
    pub actor: Option<Party>,
    /// The insurer it is addressed to, where it names one.
    pub recipient: Option<Party>,
    /// The covers it names.
    pub coverages: Vec<CoverageReference>,
    /// Findings, numbers and documents that support it.
    pub supporting: Vec<Supporting>,
    /// Documents by reference.
    pub attachments: Vec<Attachment>,
    /// Free words of the sender.
    pub texts: Vec<String>,
    /// Places in the sender's body that were not understood: kept there, never invented here.
    pub unread: Vec<String>,
}

/// The kinds of message that a provider sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Is this member covered, and for what?
    Eligibility,
    /// What would the shares be? Nothing is reserved.
    Estimate,
    /// What was ordered.
    Prescription,
    /// What was handed out.
    Dispense,
    /// A visit or stay begins: shares, and limits reserved for them.
    Admission,
    /// May this be done, and will it be paid?
    Preauthorization,
    /// This was done; pay it.
    Claim,
    /// An earlier message is taken back.
    Cancel,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Kind] = &[
        Kind::Eligibility,
        Kind::Estimate,
        Kind::Prescription,
        Kind::Dispense,
        Kind::Admission,
        Kind::Preauthorization,
        Kind::Claim,
        Kind::Cancel,
    ];

    /// The name in messages and addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Eligibility => "eligibility",
            Kind::Estimate => "estimate",
            Kind::Prescription => "prescription",
            Kind::Dispense => "dispense",
            Kind::Admission => "admission",
            Kind::Preauthorization => "preauthorization",
            Kind::Claim => "claim",
            Kind::Cancel => "cancel",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// What a message is about; one variant for each [`Kind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// See [`Kind::Eligibility`].
    Eligibility(Eligibility),
    /// See [`Kind::Estimate`].
    Estimate(Bill),
    /// See [`Kind::Prescription`].
    Prescription(Prescription),
    /// See [`Kind::Dispense`].
    Dispense(Dispense),
    /// See [`Kind::Admission`].
    Admission(Admission),
    /// See [`Kind::Preauthorization`].
    Preauthorization(Preauthorization),
    /// See [`Kind::Claim`].
    Claim(Claim),
    /// See [`Kind::Cancel`].
    Cancel(Cancel),
}

impl Message {
    /// The kind of the message.
    pub fn kind(&self) -> Kind {
        match self.body {
            Body::Eligibility(_) => Kind::Eligibility,
            Body::Estimate(_) => Kind::Estimate,
            Body::Prescription(_) => Kind::Prescription,
            Body::Dispense(_) => Kind::Dispense,
            Body::Admission(_) => Kind::Admission,
            Body::Preauthorization(_) => Kind::Preauthorization,
            Body::Claim(_) => Kind::Claim,
            Body::Cancel(_) => Kind::Cancel,
        }
    }
}

/// A question about cover.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eligibility {
    /// What is asked: discovery, validation, benefits, authorisation requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// For when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serviced: Option<Period>,
    /// For what, where services are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill: Option<Bill>,
}

/// The start of a visit or stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Coded>,
    /// The base insurer's confirmation number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_confirmation: Option<String>,
    /// How many days it is expected to last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_days: Option<u32>,
    /// What is planned.
    pub bill: Bill,
}

/// A request for leave to treat at the insurer's cost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preauthorization {
    /// What is asked for.
    pub bill: Bill,
}

/// A bill to be paid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Whether more bills of the same stay follow: then what the admission reserved stays for them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interim: bool,
    /// The bill.
    pub bill: Bill,
}

/// An earlier message is taken back. Which one, the correlates say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Coded>,
    /// The order that is taken back, where the sender repeats it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prescription: Option<Prescription>,
}

/// An earlier message that this one belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlate {
    /// How it is related.
    pub relation: Relation,
    /// The sender's identifier of it.
    pub identifier: Identifier,
    /// The sender's own word for the relation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<Coded>,
}

/// How an earlier message is related.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The admission whose reservation is used.
    Admission,
    /// The prescription that is filled.
    Prescription,
    /// The pre-authorisation that is used.
    Preauthorization,
    /// The message that this one replaces.
    Replaces,
    /// The message that this one takes back.
    Cancels,
    /// The referral it rests on.
    Referral,
    /// The order or bundle that several messages belong to.
    Group,
    /// Related in another way.
    Related,
}

/// A finding, number or document that supports a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supporting {
    /// The number by which lines name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// What kind of information.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Coded>,
    /// Which information.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<Coded>,
    /// When, or from when to when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Period>,
    /// Its value, where it is a number, with the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// The unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The unit's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_code: Option<Code>,
    /// Its value, where it is an identifier or a reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    /// Its value, where it is money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
    /// Its value in words, or a reference to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its value, where it is yes or no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yes: Option<bool>,
    /// Why it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Coded>,
}

/// A document by reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 of the bytes, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Where it is: a URL, or a pointer into the sender's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

macro_rules! wire {
    ($($field:ident: $type:ty, $skip:literal;)+ ; $($body:ident $variant:ident: $content:ty;)+) => {
        /// The JSON form: common fields, the kind, and the body under the kind's own name.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            kind: Kind,
            #[serde(default)]
            schema: Option<String>,
            $(#[serde(default)] $field: $type,)+
            $(#[serde(default)] $body: Option<$content>,)+
        }

        #[derive(Serialize)]
        struct WireRef<'a> {
            kind: Kind,
            schema: &'static str,
            $(#[serde(skip_serializing_if = $skip)] $field: &'a $type,)+
            $(#[serde(skip_serializing_if = "Option::is_none")] $body: Option<&'a $content>,)+
        }

        impl TryFrom<Wire> for Message {
            type Error = &'static str;

            fn try_from(wire: Wire) -> Result<Message, &'static str> {
                if wire.schema.is_some_and(|schema| schema != SCHEMA) {
                    return Err("this hub speaks schema 1");
                }
                let mut body = None;
                $(if let Some(content) = wire.$body {
                    if body.replace(Body::$variant(content)).is_some() {
                        return Err("a message has one body");
                    }
                })+
                let message = Message {
                    head: Head { $($field: wire.$field,)+ },
                    body: body.ok_or("the body that the kind names is missing")?,
                };
                if message.kind() == wire.kind { Ok(message) } else { Err("the body is not of the kind that the message names") }
            }
        }

        impl Serialize for Message {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $(let $body = match &self.body { Body::$variant(content) => Some(content), _ => None };)+
                WireRef { kind: self.kind(), schema: SCHEMA, $($field: &self.head.$field,)+ $($body,)+ }.serialize(serializer)
            }
        }
    };
}

fn is_nobody(member: &Member) -> bool {
    *member == Member::default()
}

wire! {
    identifiers: Vec<Identifier>, "Vec::is_empty";
    correlates: Vec<Correlate>, "Vec::is_empty";
    status: Option<String>, "Option::is_none";
    priority: Option<Coded>, "Option::is_none";
    created: Option<When>, "Option::is_none";
    occurred_on: Option<Date>, "Option::is_none";
    currency: Option<Currency>, "Option::is_none";
    language: Option<String>, "Option::is_none";
    member: Member, "is_nobody";
    provider: Option<Party>, "Option::is_none";
    facility: Option<Party>, "Option::is_none";
    submitted_by: Option<Party>, "Option::is_none";
    actor: Option<Party>, "Option::is_none";
    recipient: Option<Party>, "Option::is_none";
    coverages: Vec<CoverageReference>, "Vec::is_empty";
    supporting: Vec<Supporting>, "Vec::is_empty";
    attachments: Vec<Attachment>, "Vec::is_empty";
    texts: Vec<String>, "Vec::is_empty";
    unread: Vec<String>, "Vec::is_empty";
    ;
    eligibility Eligibility: Eligibility;
    estimate Estimate: Bill;
    prescription Prescription: Prescription;
    dispense Dispense: Dispense;
    admission Admission: Admission;
    preauthorization Preauthorization: Preauthorization;
    claim Claim: Claim;
    cancel Cancel: Cancel;
}
