//! Who may call what: one row for each operation of every face. An operation without a row is not served.
//!
//! What a caller then sees of what it may call is its scope's matter, in the store.

use takmil_domain::participant::Role;
use takmil_store::StaffRole;

use crate::auth::Identity;
use crate::code::{Code, Failure};
use crate::config::MetricsAccess;

use Callers::{Anyone, Collectors, People, Person, Systems};

/// An operation, and who may call it.
pub(crate) struct Operation {
    /// The method.
    method: &'static str,
    /// The address as the router has it; of a call over gRPC, its service and name.
    path: &'static str,
    /// Who may call it.
    callers: Callers,
}

/// Who may call an operation.
enum Callers {
    /// Whoever asks.
    Anyone,
    /// The systems of participants of these roles. A key opens it where `listen.api_keys` lets keys in.
    Systems(&'static [Role]),
    /// People and systems of participants of these roles. A key opens it wherever it comes from, because people
    /// have no certificates.
    People(&'static [Role]),
    /// A person with this role, of a participant of these roles.
    Person(StaffRole, &'static [Role]),
    /// Operators, or whoever asks: `telemetry.metrics` says which.
    Collectors,
}

const PROVIDERS: &[Role] = &[Role::Provider];
const INSURERS: &[Role] = &[Role::Insurer];
/// To whom the hub owes deliveries, and who sees to those that were refused.
const OWED: &[Role] = &[Role::Insurer, Role::Operator];
/// The parties of a price list, and of what is owed.
const PARTIES: &[Role] = &[Role::Provider, Role::Insurer];
/// Who may read whole decisions: an insurer has its own view of them in its deliveries.
const READERS: &[Role] = &[Role::Provider, Role::Regulator, Role::Operator];
/// Who may read entries of the log; of insurers, those that witness it.
const WITNESSES: &[Role] = &[Role::Regulator, Role::Insurer];
/// Who may look at an insurer's months.
const BOOKKEEPERS: &[Role] = &[Role::Insurer, Role::Regulator, Role::Operator];
const OPERATORS: &[Role] = &[Role::Operator];
/// Who may change the secret that webhooks are signed with: their own; operators anybody's.
const LISTENERS: &[Role] = &[Role::Provider, Role::Insurer, Role::Operator];
const ALL: &[Role] = &[
    Role::Provider,
    Role::Insurer,
    Role::Regulator,
    Role::Operator,
];

const fn row(method: &'static str, path: &'static str, callers: Callers) -> Operation {
    Operation {
        method,
        path,
        callers,
    }
}

/// Every operation of every face.
const OPERATIONS: &[Operation] = &[
    // What providers send.
    row("POST", "/v1/messages", Systems(PROVIDERS)),
    row("POST", "/v1/messages/$validate", Systems(PROVIDERS)),
    row("POST", "/v1/messages/$inquire", Systems(PROVIDERS)),
    row("POST", "/v1/uploads", People(PROVIDERS)),
    row("GET", "/v1/uploads", People(READERS)),
    row("GET", "/v1/uploads/{id}", People(READERS)),
    row("GET", "/v1/uploads/{id}/results", People(READERS)),
    row("POST", "/v1/eligibility", Systems(PROVIDERS)),
    row("POST", "/v1/eligibility/{id}/cancel", Systems(PROVIDERS)),
    row("POST", "/v1/estimates", Systems(PROVIDERS)),
    row("POST", "/v1/estimates/{id}/cancel", Systems(PROVIDERS)),
    row("POST", "/v1/admissions", Systems(PROVIDERS)),
    row("POST", "/v1/admissions/{id}/cancel", Systems(PROVIDERS)),
    row("POST", "/v1/prescriptions", Systems(PROVIDERS)),
    row("POST", "/v1/prescriptions/{id}/cancel", Systems(PROVIDERS)),
    row("POST", "/v1/dispenses", Systems(PROVIDERS)),
    row("POST", "/v1/dispenses/{id}/cancel", Systems(PROVIDERS)),
    row("POST", "/v1/claims", Systems(PROVIDERS)),
    row("POST", "/v1/claims/{id}/cancel", Systems(PROVIDERS)),
    row("POST", "/v1/preauthorizations", Systems(PROVIDERS)),
    row(
        "POST",
        "/v1/preauthorizations/{id}/cancel",
        Systems(PROVIDERS),
    ),
    row("POST", "/fhir/Claim/$submit", Systems(PROVIDERS)),
    row("POST", "/fhir/Claim/$inquire", Systems(PROVIDERS)),
    row(
        "POST",
        "/fhir/CoverageEligibilityRequest/$submit",
        Systems(PROVIDERS),
    ),
    row("POST", "/fhir/Communication", Systems(PROVIDERS)),
    row("POST", "/fhir/$process-message", Systems(PROVIDERS)),
    // What codes are, and what they are called elsewhere.
    row("GET", "/fhir/CodeSystem/$lookup", People(ALL)),
    row("POST", "/fhir/CodeSystem/$lookup", People(ALL)),
    row("GET", "/fhir/CodeSystem/$validate-code", People(ALL)),
    row("POST", "/fhir/CodeSystem/$validate-code", People(ALL)),
    row("GET", "/fhir/ConceptMap/$translate", People(ALL)),
    row("POST", "/fhir/ConceptMap/$translate", People(ALL)),
    row("GET", "/fhir/ValueSet/$expand", People(ALL)),
    row("POST", "/fhir/ValueSet/$expand", People(ALL)),
    row("GET", "/fhir/ValueSet/$validate-code", People(ALL)),
    row("POST", "/fhir/ValueSet/$validate-code", People(ALL)),
    row("GET", "/v1/code-tables", People(ALL)),
    row("GET", "/v1/unmapped/suggestions", People(ALL)),
    row("GET", "/v1/local-map", People(ALL)),
    row(
        "POST",
        "/v1/local-map",
        Person(StaffRole::Operator, OPERATORS),
    ),
    // Where is my message?
    row("GET", "/v1/messages", Systems(ALL)),
    row("GET", "/v1/messages/{id}", Systems(ALL)),
    row("POST", "/v1/messages/{id}/replies", Systems(PROVIDERS)),
    row("POST", "/v1/messages/{id}/appeals", Systems(PROVIDERS)),
    row("GET", "/v1/decisions/{id}/explanation", Systems(READERS)),
    row("GET", "/v1/feed", Systems(ALL)),
    row("GET", "/v1/messages/{id}/receipt", Systems(ALL)),
    // The tamper-evident log.
    row("GET", "/v1/audit/checkpoint", People(ALL)),
    row("GET", "/v1/audit/policy", People(ALL)),
    row("GET", "/v1/audit/tile/{level}/{*index}", People(ALL)),
    row("GET", "/v1/audit/tile/entries/{*index}", People(WITNESSES)),
    row("GET", "/v1/audit/inclusion/{leaf}", People(ALL)),
    row("GET", "/v1/audit/consistency", People(ALL)),
    // What insurers tell the hub, and what it owes them.
    row("PUT", "/v1/coverages", Systems(INSURERS)),
    row("POST", "/v1/decisions", Systems(INSURERS)),
    row("POST", "/v1/postings", Systems(INSURERS)),
    row("PUT", "/v1/code-map", Systems(INSURERS)),
    row("POST", "/v1/code-map/items", People(INSURERS)),
    row("GET", "/v1/code-map", People(BOOKKEEPERS)),
    row("GET", "/v1/unmapped", People(ALL)),
    row("GET", "/v1/registrations", People(ALL)),
    row("GET", "/v1/insurer-faults", People(BOOKKEEPERS)),
    row("GET", "/v1/deliveries", Systems(OWED)),
    row("POST", "/v1/deliveries/ack", Systems(INSURERS)),
    row("POST", "/v1/deliveries/{id}/ack", Systems(INSURERS)),
    row("POST", "/v1/deliveries/redeliver", Systems(OWED)),
    row("POST", "/v1/deliveries/{id}/redeliver", Systems(OWED)),
    row("POST", "/v1/deliveries/{id}/resolve", People(OWED)),
    row("GET", "/v1/deliveries/health", Systems(OWED)),
    row("GET", "/v1/members/{id}/remainders", Systems(ALL)),
    row(
        "POST",
        "/takmil.v1.HubService/UpsertCoverages",
        Systems(INSURERS),
    ),
    row(
        "POST",
        "/takmil.v1.HubService/SubmitDecisions",
        Systems(INSURERS),
    ),
    row(
        "POST",
        "/takmil.v1.HubService/Deliveries",
        Systems(INSURERS),
    ),
    row("POST", "/takmil.v1.HubService/Pull", Systems(INSURERS)),
    row(
        "POST",
        "/takmil.v1.HubService/Acknowledge",
        Systems(INSURERS),
    ),
    row(
        "POST",
        "/takmil.v1.HubService/SubmitPlans",
        Person(StaffRole::PlanAuthor, INSURERS),
    ),
    row("POST", "/takmil.v1.HubService/History", Systems(INSURERS)),
    row(
        "POST",
        "/takmil.v1.SettlementService/ListDues",
        Systems(INSURERS),
    ),
    row(
        "POST",
        "/takmil.v1.SettlementService/ListStatements",
        Systems(INSURERS),
    ),
    row(
        "POST",
        "/takmil.v1.SettlementService/ListDifferences",
        Systems(INSURERS),
    ),
    row(
        "POST",
        "/takmil.v1.SettlementService/NotifyPayments",
        Systems(INSURERS),
    ),
    row(
        "POST",
        "/takmil.v1.SettlementService/StateFigures",
        Systems(INSURERS),
    ),
    // The book of settlement.
    row("GET", "/v1/dues", People(ALL)),
    row("GET", "/v1/aging", People(ALL)),
    row("GET", "/v1/stages", People(ALL)),
    row("GET", "/v1/statements", People(ALL)),
    row("GET", "/v1/statements/{number}", People(ALL)),
    row("POST", "/v1/payments", Systems(INSURERS)),
    row("GET", "/v1/payments", People(ALL)),
    row("GET", "/v1/payments/{id}", People(ALL)),
    row("POST", "/v1/payments/{id}/confirm", People(PROVIDERS)),
    row("POST", "/v1/payments/{id}/bounce", People(PROVIDERS)),
    row("POST", "/v1/disputes", People(PARTIES)),
    row("GET", "/v1/disputes", People(ALL)),
    row("POST", "/v1/disputes/{id}/decide", People(PARTIES)),
    row("POST", "/v1/figures", Systems(PARTIES)),
    row("GET", "/v1/differences", People(ALL)),
    row("POST", "/v1/differences/{id}/resolve", People(PARTIES)),
    row("GET", "/v1/periods/{month}", People(BOOKKEEPERS)),
    row(
        "POST",
        "/v1/periods/{month}/close",
        Person(StaffRole::Finance, INSURERS),
    ),
    // Who talks to the hub.
    row("GET", "/v1/participants", People(OPERATORS)),
    row("GET", "/v1/participants/{id}", People(OPERATORS)),
    row("PUT", "/v1/participants/{id}", People(OPERATORS)),
    row("POST", "/v1/participants/{id}/secret", People(LISTENERS)),
    // What people of insurers propose and decide.
    row(
        "PUT",
        "/v1/plans/{id}",
        Person(StaffRole::PlanAuthor, INSURERS),
    ),
    row(
        "PUT",
        "/v1/price-lists/{id}",
        Person(StaffRole::PlanAuthor, PARTIES),
    ),
    row(
        "POST",
        "/v1/corrections",
        Person(StaffRole::PlanAuthor, INSURERS),
    ),
    row(
        "POST",
        "/v1/simulations",
        Person(StaffRole::PlanAuthor, INSURERS),
    ),
    row("GET", "/v1/approvals", People(ALL)),
    row(
        "POST",
        "/v1/approvals/{id}/approve",
        Person(StaffRole::Approver, ALL),
    ),
    row(
        "POST",
        "/v1/approvals/{id}/refuse",
        Person(StaffRole::Approver, ALL),
    ),
    // What the hub publishes of itself.
    row("GET", "/v1/reasons", Anyone),
    row("GET", "/v1/clinical-rules", Anyone),
    row("GET", "/v1/problems", Anyone),
    row("GET", "/v1/states", Anyone),
    row("GET", "/v1/schemas/{name}", Anyone),
    row("GET", "/openapi.json", Anyone),
    row("GET", "/docs", Anyone),
    row("GET", "/docs/style.css", Anyone),
    row("GET", "/docs/reader", Anyone),
    row("POST", "/docs/reader", Anyone),
    row("GET", "/fhir/metadata", Anyone),
    row(
        "POST",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Anyone,
    ),
    // For those who run the hub.
    row("GET", "/healthz", Anyone),
    row("GET", "/readyz", Anyone),
    row("GET", "/metrics", Collectors),
    row("POST", "/grpc.health.v1.Health/Check", Anyone),
    row("POST", "/grpc.health.v1.Health/Watch", Anyone),
];

/// The operation at an address, where there is one.
pub(crate) fn find(method: &str, path: &str) -> Option<&'static Operation> {
    // The router answers HEAD as GET without a body.
    let method = if method == "HEAD" { "GET" } else { method };
    let at = |operation: &&Operation| operation.path == path && operation.method == method;
    OPERATIONS.iter().find(at)
}

impl Operation {
    /// Whether anyone may call it, known or not.
    pub(crate) fn is_open(&self, metrics: MetricsAccess) -> bool {
        match self.callers {
            Anyone => true,
            Collectors => metrics == MetricsAccess::Open,
            Systems(_) | People(_) | Person(..) => false,
        }
    }

    /// Whether it is for the systems of participants.
    pub(crate) fn is_for_systems(&self) -> bool {
        matches!(self.callers, Systems(_))
    }

    /// Whether `identity` may call it.
    ///
    /// # Errors
    /// [`Code::Forbidden`] where it may not.
    pub(crate) fn admit(&self, identity: &Identity) -> Result<(), Failure> {
        let roles = match self.callers {
            Anyone => return Ok(()),
            Systems(roles) | People(roles) | Person(_, roles) => roles,
            Collectors => OPERATORS,
        };
        if !roles.contains(&identity.participant.role) {
            return Err(Failure::from(Code::Forbidden));
        }
        match self.callers {
            Person(role, _) if !identity.person()?.roles.contains(&role) => Err(Failure::new(
                Code::Forbidden,
                "this person's roles do not allow it",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::faces::openapi;
    use prost::Message;
    use prost_types::FileDescriptorSet;
    use std::collections::{BTreeMap, BTreeSet};

    /// Every operation over HTTP, and whether it says of itself that it is open to all. That the document holds every
    /// route is a test of its own.
    fn documented() -> BTreeMap<(String, String), bool> {
        let paths = openapi::document()["paths"].as_object().unwrap();
        let of_path = |(path, item): (&String, &serde_json::Value)| {
            let operations = item.as_object().unwrap().clone();
            let path = path.clone();
            operations.into_iter().map(move |(method, operation)| {
                let is_open = operation.get("security").is_some();
                ((method.to_uppercase(), path.clone()), is_open)
            })
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// Every call over gRPC that the services of the hub describe.
    fn described() -> BTreeSet<(String, String)> {
        let sets = [
            takmil_proto::FILE_DESCRIPTOR_SET,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        ];
        let files = sets.map(|set| FileDescriptorSet::decode(set).unwrap().file);
        let mut calls = BTreeSet::new();
        for file in files.iter().flatten() {
            // The insurer's service is the insurers' own to offer.
            let offered = file
                .service
                .iter()
                .filter(|own| own.name() != "InsurerService");
            for service in offered {
                for call in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), call.name());
                    calls.insert(("POST".to_owned(), path));
                }
            }
        }
        calls
    }

    #[test]
    fn every_operation_of_every_face_has_one_row_and_every_row_an_operation() {
        let (documented, described) = (documented(), described());
        assert!(documented.len() > 30 && described.len() > 5);
        let offered: BTreeSet<_> = documented.keys().cloned().chain(described).collect();
        let mut rows = BTreeSet::new();
        for operation in OPERATIONS {
            let row = (operation.method.to_owned(), operation.path.to_owned());
            assert!(rows.insert(row.clone()), "{row:?} has two rows");
        }
        let missing: Vec<_> = offered.difference(&rows).collect();
        let idle: Vec<_> = rows.difference(&offered).collect();
        assert!(missing.is_empty(), "no row says who may call {missing:?}");
        assert!(idle.is_empty(), "nothing is at {idle:?}");
    }

    #[test]
    fn what_is_open_says_so_in_the_interface_and_the_other_way_round() {
        for ((method, path), is_open) in documented() {
            let row = find(&method, &path).unwrap();
            assert_eq!(
                row.is_open(MetricsAccess::Operator),
                is_open,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_not_there() {
        assert!(find("GET", "/v1/messages").is_some() && find("HEAD", "/v1/messages").is_some());
        for (method, path) in [
            ("PUT", "/v1/messages"),
            ("GET", "/v1/messages/1"),
            ("GET", "/"),
            ("POST", "/takmil.v1.HubService/Nothing"),
            ("GET", "/takmil.v1.HubService/Deliveries"),
        ] {
            assert!(find(method, path).is_none(), "{method} {path}");
        }
    }
}
