//! What is told to the central register: once each, in the order of policies, tried until it has its code, seen by its
//! own sides.

use serde_json::json;
use takmil_domain::coverage::Enrolment;
use takmil_domain::date::Instant;
use takmil_domain::ids::RegistrationId;
use takmil_domain::participant::{Participant, Role};
use takmil_domain::registration::{Subject, UniqueCode};
use takmil_store::{
    Batch, Constraint, NewRegistration, NewSubject, RegistrationAttempt, RegistrationBacklog,
    RegistrationFilter, RegistrationRecord, Scope,
};

use crate::bench::{Backend, both};
use crate::samples::{
    House, NOW, broken, day, enrolment, house, id, insurer, participant, provider,
};

both! {
    a_certificate_is_registered_once_and_each_change_of_it
    what_belongs_to_a_policy_waits_for_its_code
    a_code_is_one_things_and_never_changes
}

fn code(number: u64) -> UniqueCode {
    UniqueCode::parse(&format!("{number:011}")).unwrap()
}

fn subjects(found: &[RegistrationRecord]) -> Vec<Subject> {
    let mut subjects: Vec<_> = found.iter().map(|own| own.registration.subject).collect();
    subjects.sort_unstable();
    subjects
}

impl House {
    /// Alpha's contract says that it registers.
    async fn alpha_registers(&self) {
        let mut alpha = serde_json::to_value(participant("alpha", Role::Insurer)).unwrap();
        alpha["contract"] = json!({"mode": "delegated", "registers": true});
        let alpha: Participant = serde_json::from_value(alpha).unwrap();
        self.store.upsert_participant(&alpha).await.unwrap();
    }

    async fn enrols(&self, enrolment: &Enrolment, at: Instant) -> bool {
        let enrolments = std::slice::from_ref(enrolment);
        let taken = self.store.enrol(&Scope::Hub, enrolments, at).await.unwrap();
        taken[0].as_ref().unwrap().changed
    }

    async fn due_registrations(&self, at: Instant) -> Vec<RegistrationRecord> {
        self.store.due_registrations(at, 100).await.unwrap()
    }

    async fn tried(&self, of: &RegistrationRecord, outcome: Result<UniqueCode, (Instant, String)>) {
        let id = of.registration.registration;
        let attempt = RegistrationAttempt {
            id,
            at: NOW,
            outcome,
        };
        self.store.record_registrations(&[attempt]).await.unwrap();
    }

    /// A claim of the clinic with alpha, to be registered with its policy.
    async fn registers_claim(&self) {
        let mut claim = self.claim("clinic");
        claim.insurers = vec![id("alpha")];
        let message = claim.id;
        let register = |what| NewRegistration {
            id: RegistrationId(self.fresh().0),
            insurer: id("alpha"),
            account: self.account,
            what,
            at: NOW,
        };
        let batch = Batch {
            messages: vec![claim],
            registrations: vec![
                register(NewSubject::Policy),
                register(NewSubject::Claim(message)),
                register(NewSubject::Claim(message)),
            ],
            ..Batch::default()
        };
        self.write(&batch).await.unwrap();
    }
}

async fn a_certificate_is_registered_once_and_each_change_of_it(on: Backend) {
    let house = house(on).await;
    let mut cover = enrolment("alpha", "certificate-7", "0012345687");
    assert!(house.enrols(&cover, NOW).await);
    assert!(
        house.due_registrations(NOW).await.is_empty(),
        "alpha does not register"
    );
    house.alpha_registers().await;
    assert!(!house.enrols(&cover, NOW).await);
    assert!(
        house.due_registrations(NOW).await.is_empty(),
        "nothing has changed"
    );
    let fresh = enrolment("alpha", "certificate-8", "0012345695");
    assert!(house.enrols(&fresh, NOW).await);
    assert_eq!(
        subjects(&house.due_registrations(NOW).await),
        [Subject::Policy]
    );
    cover.end = Some(day("2027-01-01"));
    assert!(house.enrols(&cover, NOW.plus_ms(1)).await);
    let all = RegistrationFilter::default();
    let found = house
        .store
        .registrations(&insurer("alpha"), &all, 10)
        .await
        .unwrap();
    assert_eq!(
        subjects(&found),
        [Subject::Policy, Subject::Policy, Subject::Endorsement]
    );
    let endorsed = found.iter().find(|own| !own.registration.covers.is_empty());
    let endorsed = &endorsed.unwrap().registration;
    assert_eq!(endorsed.certificate, "certificate-7");
    assert_eq!(endorsed.covers[0].end, Some(day("2027-01-01")));
    assert!(!endorsed.covers[0].added);
    for stranger in [insurer("beta"), provider("clinic")] {
        let seen = house
            .store
            .registrations(&stranger, &all, 10)
            .await
            .unwrap();
        assert!(seen.is_empty());
    }
}

async fn what_belongs_to_a_policy_waits_for_its_code(on: Backend) {
    let house = house(on).await;
    house.registers_claim().await;
    let due = house.due_registrations(NOW).await;
    assert_eq!(subjects(&due), [Subject::Policy]);
    let later = NOW.plus_ms(5_000);
    house.tried(&due[0], Err((later, "away".to_owned()))).await;
    assert!(house.due_registrations(NOW).await.is_empty());
    let backlog = house.store.registration_backlog().await.unwrap();
    let expected = RegistrationBacklog {
        waiting: 2,
        oldest: Some(NOW),
    };
    assert_eq!(backlog, expected);
    assert_eq!(house.store.hasten_registrations(NOW).await.unwrap(), 1);
    let due = house.due_registrations(NOW).await;
    assert_eq!(
        (due[0].attempts, due[0].error.as_deref()),
        (1, Some("away"))
    );
    house.tried(&due[0], Ok(code(1))).await;
    let due = house.due_registrations(NOW).await;
    assert_eq!(subjects(&due), [Subject::Claim]);
    assert_eq!(due[0].registration.policy_code, Some(code(1)));
    let all = RegistrationFilter::default();
    for (scope, expected) in [
        (provider("clinic"), &[Subject::Claim][..]),
        (provider("pharmacy"), &[]),
    ] {
        let seen = house.store.registrations(&scope, &all, 10).await.unwrap();
        assert_eq!(subjects(&seen), expected);
    }
}

async fn a_code_is_one_things_and_never_changes(on: Backend) {
    let house = house(on).await;
    house.registers_claim().await;
    let policy = house.due_registrations(NOW).await.remove(0);
    house.tried(&policy, Ok(code(1))).await;
    house.tried(&policy, Ok(code(2))).await;
    let claim = house.due_registrations(NOW).await.remove(0);
    assert_eq!(claim.registration.policy_code, Some(code(1)));
    let attempt = RegistrationAttempt {
        id: claim.registration.registration,
        at: NOW,
        outcome: Ok(code(1)),
    };
    let refused = house.store.record_registrations(&[attempt]).await;
    assert_eq!(broken(refused.unwrap_err()), Constraint::RegistrationCode);
    house.tried(&claim, Ok(code(3))).await;
    let waiting = RegistrationFilter {
        is_waiting: true,
        ..RegistrationFilter::default()
    };
    let waiting = house
        .store
        .registrations(&Scope::Hub, &waiting, 10)
        .await
        .unwrap();
    assert!(waiting.is_empty());
}
