//! The parties that the hub talks to, and what it exchanges with insurers.

mod faults;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bill::BillClass;
use crate::date::{Date, Instant};
use crate::ids::{DeliveryId, Identifier, MessageId, ParticipantId};
use crate::message::Kind;
use crate::money::{Amount, Currency, Quantity};
use crate::party::Sector;

/// A party that the hub talks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// The name in the hub.
    pub id: ParticipantId,
    /// The name people know it by.
    pub title: String,
    /// What it is to the hub.
    pub role: Role,
    /// How its messages name it: licence numbers, facility codes, senders' URIs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// The currency of amounts whose message names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// A provider's owner, where tariffs differ by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<Sector>,
    /// The insurers in whose networks a provider is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// How an insurer is reached, and how the hub answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// Where a provider is told, by signed webhooks, how its messages go on after the first answer; where the central
    /// register takes what is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Endpoint>,
}

impl Participant {
    /// Where the hub delivers what it owes it, if anywhere.
    pub fn listens(&self) -> Option<&Endpoint> {
        let contract = self.contract.as_ref();
        let own = contract.and_then(|contract| contract.endpoint.as_ref());
        let told = self.callback.as_ref();
        own.or(told.filter(|_| self.role == Role::Provider))
    }

    /// As [`Participant::listens`], to change it.
    pub fn listens_mut(&mut self) -> Option<&mut Endpoint> {
        let contract = self.contract.as_mut();
        let own = contract.and_then(|contract| contract.endpoint.as_mut());
        own.or(self.callback.as_mut())
    }

    /// The entry without secrets, as it is shown.
    pub fn without_secrets(mut self) -> Participant {
        if let Some(endpoint) = self.listens_mut() {
            (endpoint.secret, endpoint.former) = (None, None);
        }
        self
    }

    /// The entry with the secrets of the one before it, where it says nothing of them itself and listens as that did.
    pub fn keeping_secrets_of(mut self, before: &Participant) -> Participant {
        let before = before.listens();
        if let (Some(endpoint), Some(before)) = (self.listens_mut(), before)
            && endpoint.transport == before.transport
        {
            endpoint.secret = endpoint.secret.take().or_else(|| before.secret.clone());
            endpoint.former = endpoint.former.take().or_else(|| before.former.clone());
        }
        self
    }
}

/// A provider's place in an insurer's network: the insurer alone for its first tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenNetwork", into = "WrittenNetwork")]
pub struct Network {
    /// The insurer.
    pub insurer: ParticipantId,
    /// The tier, from 1.
    pub tier: u8,
}

/// The JSON form of a [`Network`].
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenNetwork {
    First(ParticipantId),
    Tier { insurer: ParticipantId, tier: u8 },
}

impl From<WrittenNetwork> for Network {
    fn from(written: WrittenNetwork) -> Network {
        match written {
            WrittenNetwork::First(insurer) => Network { insurer, tier: 1 },
            WrittenNetwork::Tier { insurer, tier } => Network { insurer, tier },
        }
    }
}

impl From<Network> for WrittenNetwork {
    fn from(network: Network) -> WrittenNetwork {
        match network {
            Network { insurer, tier: 1 } => WrittenNetwork::First(insurer),
            Network { insurer, tier } => WrittenNetwork::Tier { insurer, tier },
        }
    }
}

/// What a participant is to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Treats members and sends messages.
    Provider,
    /// Pays.
    Insurer,
    /// Watches.
    Regulator,
    /// Runs the hub.
    Operator,
    /// The central register of insurance, which gives policies, endorsements and claims their unique codes.
    Register,
}

impl Role {
    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Provider => "provider",
            Role::Insurer => "insurer",
            Role::Regulator => "regulator",
            Role::Operator => "operator",
            Role::Register => "register",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Role> {
        [
            Role::Provider,
            Role::Insurer,
            Role::Regulator,
            Role::Operator,
            Role::Register,
        ]
        .into_iter()
        .find(|role| role.as_str() == text)
    }
}

/// How an insurer is reached, and how the hub answers for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Who decides.
    pub mode: AnswerMode,
    /// How long a consulted insurer has, in milliseconds.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// How long it has for messages of these kinds, where that differs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deadlines: BTreeMap<Kind, u64>,
    /// How many questions to it wait for its answer at once. Who comes beyond waits for a place within the deadline.
    #[serde(
        default = "default_ask_parallel",
        skip_serializing_if = "is_default_ask_parallel"
    )]
    pub ask_parallel: u16,
    /// After how long without an answer it is asked once more, beside the first call and under the same id, in
    /// milliseconds; the first answer counts. Never where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge_ms: Option<u64>,
    /// What the hub may answer in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<StandInTerms>,
    /// Where it listens; `None` for an insurer that only pulls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// Who ratifies its plans before they come into force, as an allied insurer or the regulator may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratified_by: Option<ParticipantId>,
    /// How many days before its first day a price list has to be given notice of.
    #[serde(default)]
    pub price_notice_days: u32,
    /// How many hours it has for what waits for its decision, before it is reminded.
    #[serde(default = "default_decision_hours")]
    pub decision_hours: u32,
    /// For how many days after a decision its sender may appeal to this insurer.
    #[serde(default = "default_appeal_days")]
    pub appeal_days: u32,
    /// How many days after a decision it has to pay what it owes by it.
    #[serde(default = "default_pay_days")]
    pub pay_days: u32,
    /// Whether its policies, endorsements and claims are registered with the central register.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub registers: bool,
    /// How it takes what the hub owes it.
    #[serde(default, skip_serializing_if = "DeliveryTerms::is_default")]
    pub delivery: DeliveryTerms,
    /// Who says whether a member is covered, where a provider asks that.
    #[serde(default, skip_serializing_if = "EligibilitySource::is_hub")]
    pub eligibility: EligibilitySource,
}

impl Contract {
    /// How long a consulted insurer has for a message of a kind, in milliseconds.
    pub fn deadline(&self, kind: Kind) -> u64 {
        let own = self.deadlines.get(&kind);
        own.copied().unwrap_or(self.deadline_ms)
    }
}

/// How an insurer takes what the hub owes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryTerms {
    /// How many deliveries are on the way to it at once; as many as the hub's settings say where nothing is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u16>,
    /// How many a second it takes, of a backlog too; as many as go where nothing is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// After how long the hub finds out whether it is back, in milliseconds; each time it is not, the wait doubles.
    pub probe_ms: u64,
    /// The longest such wait, in milliseconds: so long after it is back it is met at the latest.
    pub probe_most_ms: u64,
}

impl Default for DeliveryTerms {
    fn default() -> Self {
        Self {
            parallel: None,
            per_second: None,
            probe_ms: 1_000,
            probe_most_ms: 10_000,
        }
    }
}

impl DeliveryTerms {
    fn is_default(&self) -> bool {
        *self == DeliveryTerms::default()
    }
}

fn default_ask_parallel() -> u16 {
    64
}

fn is_default_ask_parallel(parallel: &u16) -> bool {
    *parallel == default_ask_parallel()
}

/// How many days an insurer has to pay where its contract says nothing.
pub const PAY_DAYS: u32 = 30;

fn default_pay_days() -> u32 {
    PAY_DAYS
}

fn default_deadline_ms() -> u64 {
    2_000
}

/// Three days, as payers commonly have for what is urgent.
fn default_decision_hours() -> u32 {
    72
}

/// A month, as most payers give.
fn default_appeal_days() -> u32 {
    30
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerMode {
    /// The hub's computation is the insurer's answer.
    Delegated,
    /// The insurer is asked, with the hub's computation as a proposal.
    Consulted,
    /// As consulted; a silent insurer is answered for within limits.
    StandIn,
}

/// Who says whether a member is covered, where a provider asks that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EligibilitySource {
    /// The hub, by the covers that the insurer has registered.
    #[default]
    Hub,
    /// The insurer, which is asked each time; the hub where it is silent.
    Live,
}

impl EligibilitySource {
    fn is_hub(&self) -> bool {
        *self == EligibilitySource::Hub
    }
}

/// What the hub may answer in an insurer's place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandInTerms {
    /// The most for one visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_visit: Option<Amount>,
    /// The most for one member on one day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<Amount>,
    /// Only for bills of these classes; for all where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<BillClass>,
}

/// Where and how an insurer listens. `Debug` masks the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// By which transport.
    pub transport: Transport,
    /// The address.
    pub url: String,
    /// The certificate authority that its server certificate goes back to, as PEM; the machine's own roots where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// The secret that webhooks are signed with ("whsec_…").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The secret before it, with which they are signed, too, for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<FormerSecret>,
}

impl Endpoint {
    /// The secrets that webhooks are signed with at a moment, the one in force first: while it changes its secret, a
    /// receiver goes by whichever it has.
    pub fn secrets(&self, now: Instant) -> impl Iterator<Item = &str> {
        let former = self.former.as_ref().filter(|former| now < former.until);
        let former = former.map(|former| former.secret.as_str());
        self.secret.as_deref().into_iter().chain(former)
    }

    /// Puts another secret in force. What was in force until now counts beside it until a moment.
    pub fn rotate(&mut self, secret: String, until: Instant) {
        let former = self.secret.replace(secret);
        self.former = former.map(|secret| FormerSecret { secret, until });
    }
}

/// A secret that was exchanged. It has no `Debug`, so that no log ever shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerSecret {
    /// The secret.
    pub secret: String,
    /// Until when it counts.
    pub until: Instant,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("transport", &self.transport)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A transport from the hub to an insurer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// The insurer's own gRPC service.
    Grpc,
    /// Signed webhooks.
    Rest,
}

/// Something owed to one insurer, or to the provider that sent the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id; the same at every attempt.
    pub id: DeliveryId,
    /// To whom.
    pub insurer: ParticipantId,
    /// What is to be done with it.
    pub purpose: Purpose,
    /// The message it is about.
    pub message: MessageId,
    /// The kind of the message.
    pub kind: Kind,
    /// Deliveries of one claim go in this order, one after the other.
    pub sequence: i64,
    /// When it became owed.
    pub created_at: Instant,
    /// The document, as JSON: `{"message": …, "answer": …}`; to a provider the whole webhook.
    pub document: String,
}

/// What whoever gets a delivery is to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Decide, now.
    Decide,
    /// Take note of what was decided.
    Decided,
    /// Decide, later: what the hub could not decide in its place, or answered in its place for acceptance.
    Review,
    /// Take note that the message was taken back.
    Cancelled,
    /// Take note of how far the own message has come: to the provider that sent it.
    Answered,
    /// Decide, with what the provider replied to the own question.
    Clarified,
    /// Say whether the member is covered, now.
    Eligibility,
}

impl Purpose {
    const ALL: [Purpose; 7] = [
        Purpose::Decide,
        Purpose::Decided,
        Purpose::Review,
        Purpose::Cancelled,
        Purpose::Answered,
        Purpose::Clarified,
        Purpose::Eligibility,
    ];

    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Decide => "decide",
            Purpose::Decided => "decided",
            Purpose::Review => "review",
            Purpose::Cancelled => "cancelled",
            Purpose::Answered => "answered",
            Purpose::Clarified => "clarified",
            Purpose::Eligibility => "eligibility",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Purpose> {
        let mut all = Purpose::ALL.into_iter();
        all.find(|purpose| purpose.as_str() == text)
    }
}

/// An insurer's decision on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InsurerDecision {
    /// The hub's id of the message.
    pub message: MessageId,
    /// The insurer's own reference; a repeat with the same one has no further effect.
    pub reference: String,
    /// What it says.
    pub verdict: InsurerVerdict,
    /// Its amounts, line by line, where it adjusts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<DecidedLine>,
    /// The last day on which what it authorises counts, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Date>,
    /// Why, in words; or what it asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The how-manieth word on the message it is, as the insurer counts: of several the highest counts, in whichever order
    /// they come. Zero where it does not count.
    #[serde(default, skip_serializing_if = "is_uncounted")]
    pub revision: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_uncounted(revision: &u32) -> bool {
    *revision == 0
}

/// What an insurer says to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InsurerVerdict {
    /// As proposed.
    Approve,
    /// Other amounts on some lines.
    Adjust,
    /// Nothing.
    Refuse,
    /// Later.
    Pend,
    /// A question to the provider, in the note: the message waits for its answer.
    Ask,
}

impl InsurerVerdict {
    /// Whether it decides.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            InsurerVerdict::Approve | InsurerVerdict::Adjust | InsurerVerdict::Refuse
        )
    }
}

impl InsurerDecision {
    /// Whether it counts where the insurer's own word of this revision counts so far, or none does.
    ///
    /// Who has decided is not undecided again, and an earlier revision that was held up on its way changes nothing: so what
    /// counts in the end is the same in whichever order words come. Two that decide under one revision contradict each
    /// other, and the first stands.
    pub fn counts_after(&self, decided: Option<u32>) -> bool {
        decided.is_none_or(|decided| self.verdict.is_final() && self.revision > decided)
    }
}

/// An insurer's amount for one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecidedLine {
    /// The line.
    pub seq: u32,
    /// What the insurer pays of it.
    pub amount: Amount,
    /// How many it authorises, where that is not what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// Why, in the insurer's codes or words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// What an insurer says of a member's cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverStatement {
    /// The hub's id of the message that asks.
    pub message: MessageId,
    /// The insurer's own reference.
    pub reference: String,
    /// Whether the member is covered on the day that is asked about.
    pub standing: CoverStanding,
    /// The first day of the cover, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Date>,
    /// The last day of the cover, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Date>,
    /// For what, by the insurer's own names of its benefits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benefits: Vec<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Whether a member is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverStanding {
    /// Covered.
    Active,
    /// Not covered.
    Inactive,
    /// Covered, but payments are suspended.
    Suspended,
}
