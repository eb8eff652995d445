//! Members and covers: enrolled again and again, found by any of their identifiers.

use takmil_domain::ids::{Identifier, PlanId};
use takmil_domain::party::{InsurerRole, Sex};
use takmil_domain::plan::Relationship;
use takmil_store::{EnrolRefusal, Resolution, Scope, StoreError};

use crate::bench::{Backend, both};
use crate::samples::{NOW, day, enrolment, house, insurer, provider};

both! {
    enrolling_again_changes_nothing
    a_cover_is_brought_up_to_date_and_a_new_one_added
    a_family_shares_an_account
    a_member_is_known_by_any_of_its_identifiers
    two_members_are_never_merged
    within_one_list_later_enrolments_know_earlier_ones
    what_cannot_be_enrolled_is_refused_with_its_reason
    members_are_loaded_many_at_once_with_covers_in_order
}

fn national(value: &str) -> Identifier {
    Identifier::new("urn:national", value)
}

fn card(value: &str) -> Identifier {
    Identifier::new("urn:alpha:card", value)
}

async fn enrolling_again_changes_nothing(on: Backend) {
    let house = house(on).await;
    let same = enrolment("alpha", "certificate-1", "0012345679");
    let before = house.store.covers(&Scope::Hub, house.member).await.unwrap();
    let twice = [same.clone(), same];
    let enrolled = house
        .store
        .enrol(&insurer("alpha"), &twice, NOW.plus_ms(9))
        .await
        .unwrap();
    for answer in enrolled {
        let enrolled = answer.unwrap();
        assert_eq!(
            (enrolled.member, enrolled.account),
            (house.member, house.account)
        );
    }
    assert_eq!(
        house.store.covers(&Scope::Hub, house.member).await.unwrap(),
        before
    );
}

async fn a_cover_is_brought_up_to_date_and_a_new_one_added(on: Backend) {
    let house = house(on).await;
    let mut ended = enrolment("alpha", "certificate-1", "0012345679");
    ended.end = Some(day("2025-09-22"));
    ended.suspended = true;
    ended.member.name = None;
    ended.member.sex = Some(Sex::Female);
    let mut moved = enrolment("alpha", "certificate-2", "0012345679");
    moved.start = day("2025-09-23");
    moved.member.birth_date = None;
    let both = [ended, moved];
    let enrolled = house.store.enrol(&Scope::Hub, &both, NOW).await.unwrap();
    let new_account = enrolled[1].as_ref().unwrap().account;
    assert_ne!(
        new_account, house.account,
        "another certificate is another account"
    );
    let covers = house.store.covers(&Scope::Hub, house.member).await.unwrap();
    assert_eq!(covers.len(), 2);
    assert_eq!(
        (covers[0].account, covers[0].end),
        (house.account, Some(day("2025-09-22")))
    );
    assert!(covers[0].suspended);
    assert_eq!(
        (covers[1].account, covers[1].start),
        (new_account, day("2025-09-23"))
    );
    let person = house.store.person(&Scope::Hub, house.member).await.unwrap();
    assert_eq!(
        (person.birth_date, person.sex),
        (Some(day("1980-05-17")), Some(Sex::Female))
    );
}

async fn a_family_shares_an_account(on: Backend) {
    let house = house(on).await;
    let mut child = enrolment("alpha", "certificate-1", "0087654321");
    child.relationship = Relationship::Daughter;
    let enrolled = house.store.enrol(&Scope::Hub, &[child], NOW).await.unwrap();
    let child = enrolled[0].as_ref().unwrap();
    assert_eq!(child.account, house.account);
    assert_ne!(child.member, house.member);

    // Which of a child's insurers pays first may go by the birthdays of those who insure it.
    let members = [house.member, child.member];
    let known = house.store.known_members(&members).await.unwrap();
    let born = |member| {
        let known = known.iter().find(|known| known.id == member).unwrap();
        known.covers[0].principal_born
    };
    assert_eq!(born(house.member), None);
    assert_eq!(born(child.member), Some(day("1980-05-17")));
}

async fn a_member_is_known_by_any_of_its_identifiers(on: Backend) {
    let house = house(on).await;
    let mut carded = enrolment("alpha", "certificate-1", "0012345679");
    carded.member.identifiers.push(card("C-1"));
    house
        .store
        .enrol(&Scope::Hub, &[carded], NOW)
        .await
        .unwrap();
    let known = Resolution::Known(house.member);
    let table = [
        (vec![card("C-1")], known.clone()),
        (vec![national("۰۰۱۲۳۴۵۶۷۹")], known.clone()),
        (vec![card("C-9"), national("0012345679")], known),
        (vec![card("C-9")], Resolution::Unknown),
        (vec![Identifier::new("", "0012345679")], Resolution::Unknown),
        (vec![], Resolution::Unknown),
    ];
    for (identifiers, expected) in &table {
        let found = house.store.resolve_member(identifiers).await.unwrap();
        assert_eq!(found, *expected, "{identifiers:?}");
    }
    let lists: Vec<_> = table.iter().map(|(list, _)| list.clone()).collect();
    let all: Vec<_> = table.iter().map(|(_, expected)| expected.clone()).collect();
    assert_eq!(house.store.resolve_members(&lists).await.unwrap(), all);
}

async fn two_members_are_never_merged(on: Backend) {
    let house = house(on).await;
    let other = enrolment("beta", "certificate-9", "0087654321");
    let enrolled = house.store.enrol(&Scope::Hub, &[other], NOW).await.unwrap();
    let other = enrolled[0].as_ref().unwrap().member;
    let mut both = vec![house.member, other];
    both.sort();
    let mut confused = enrolment("alpha", "certificate-1", "0012345679");
    confused.member.identifiers.push(national("0087654321"));
    let good = enrolment("alpha", "certificate-3", "0055555555");
    let list = [confused.clone(), good];
    let enrolled = house.store.enrol(&Scope::Hub, &list, NOW).await.unwrap();
    assert_eq!(enrolled[0], Err(EnrolRefusal::Ambiguous(both.clone())));
    assert!(enrolled[1].is_ok(), "one refusal does not stop the others");
    let found = house
        .store
        .resolve_member(&confused.member.identifiers)
        .await
        .unwrap();
    assert_eq!(found, Resolution::Ambiguous(both));
}

async fn within_one_list_later_enrolments_know_earlier_ones(on: Backend) {
    let house = house(on).await;
    let mut first = enrolment("alpha", "certificate-5", "0011111111");
    first.member.identifiers.push(card("C-5"));
    let mut second = enrolment("alpha", "certificate-5", "0011111111");
    second.member.identifiers = vec![card("C-5")];
    second.start = day("2026-03-21");
    let list = [first, second];
    let enrolled = house.store.enrol(&Scope::Hub, &list, NOW).await.unwrap();
    assert_eq!(enrolled[0], enrolled[1]);
}

async fn what_cannot_be_enrolled_is_refused_with_its_reason(on: Backend) {
    let house = house(on).await;
    let good = enrolment("alpha", "c", "0099999999");
    let mut nameless = good.clone();
    nameless.member.identifiers = vec![Identifier::new("", "1"), national(" ")];
    let mut planless = good.clone();
    planless.plan = PlanId::parse("no-such-plan").unwrap();
    let mut foreign_plan = good.clone();
    foreign_plan.plan = PlanId::parse("beta-plan").unwrap();
    let mut base = good.clone();
    base.role = InsurerRole::Base;
    let mut reversed = good.clone();
    reversed.end = Some(day("2025-03-20"));
    let mut nobodys = good.clone();
    nobodys.insurer = takmil_domain::ids::ParticipantId::parse("nobody").unwrap();
    let table = [
        (nameless, EnrolRefusal::Unidentified),
        (planless, EnrolRefusal::NoSuchPlan),
        (foreign_plan, EnrolRefusal::NoSuchPlan),
        (base, EnrolRefusal::NoSuchPlan),
        (nobodys, EnrolRefusal::NoSuchPlan),
        (reversed, EnrolRefusal::EndsBeforeStart),
    ];
    for (enrolment, refusal) in table {
        let answers = house
            .store
            .enrol(&Scope::Hub, &[enrolment], NOW)
            .await
            .unwrap();
        assert_eq!(answers, [Err(refusal)]);
    }
    for scope in [insurer("beta"), provider("clinic"), Scope::Regulator] {
        let answers = house
            .store
            .enrol(&scope, std::slice::from_ref(&good), NOW)
            .await
            .unwrap();
        assert_eq!(answers, [Err(EnrolRefusal::NoSuchPlan)], "{scope:?}");
    }
    let unknown = house
        .store
        .resolve_member(&good.member.identifiers)
        .await
        .unwrap();
    assert_eq!(unknown, Resolution::Unknown, "a refusal leaves nothing");
}

async fn members_are_loaded_many_at_once_with_covers_in_order(on: Backend) {
    let house = house(on).await;
    let base: takmil_domain::plan::BasePlan = serde_json::from_str(
        r#"{"id":"base","version":1,"insurer":"beta","title":"Base","currency":"IRR",
            "from":"2025-01-01","tariff":"national","rates":[]}"#,
    )
    .unwrap();
    house
        .store
        .upsert_base_plan(&Scope::Hub, &base)
        .await
        .unwrap();
    let mut based = enrolment("beta", "b", "0012345679");
    based.role = InsurerRole::Base;
    based.plan = base.id;
    let mut second = enrolment("beta", "s", "0012345679");
    second.order = 2;
    let other = enrolment("beta", "o", "0087654321");
    let list = [second, based, other];
    let enrolled = house.store.enrol(&Scope::Hub, &list, NOW).await.unwrap();
    let other = enrolled[2].as_ref().unwrap().member;
    let known = house
        .store
        .known_members(&[other, house.member, other])
        .await
        .unwrap();
    let of = |member| known.iter().find(|known| known.id == member).unwrap();
    assert_eq!(known.len(), 2);
    let order: Vec<_> = of(house.member)
        .covers
        .iter()
        .map(|cover| (cover.insurer.as_str(), cover.role, cover.order))
        .collect();
    let supplementary = InsurerRole::Supplementary;
    let expected = [
        ("beta", InsurerRole::Base, 1),
        ("alpha", supplementary, 1),
        ("beta", supplementary, 2),
    ];
    assert_eq!(order, expected);
    assert_eq!(of(other).covers.len(), 1);
    assert_eq!(of(other).person.birth_date, Some(day("1980-05-17")));

    let own = house
        .store
        .covers(&insurer("beta"), house.member)
        .await
        .unwrap();
    assert!(own.iter().all(|cover| cover.insurer.as_str() == "beta"));
    let foreign = house.store.covers(&insurer("alpha"), other).await;
    assert!(matches!(foreign, Err(StoreError::NotFound)));
}
