//! Plans, base plans and tariffs: versions for ever, changes by revision.

use takmil_domain::exchange::ExchangeRate;
use takmil_domain::plan::{BasePlan, Regulation};
use takmil_domain::tariff::Tariff;
use takmil_store::{Revision, Scope, StoreError, Upserted};

use crate::bench::{Backend, both};
use crate::samples::{house, insurer, plan, provider};

both! {
    a_version_is_kept_once_and_never_changes
    a_version_follows_the_one_before_in_time
    a_catalogue_tells_what_has_changed_since
    documents_are_their_owners_to_change
    rates_and_regulations_are_kept_once
}

fn base_plan(version: u32) -> BasePlan {
    let text = format!(
        r#"{{"id":"base","version":{version},"insurer":"beta","title":"Base","currency":"IRR",
            "from":"2025-01-01","tariff":"national","rates":[]}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn tariff(id: &str, version: u32, contract: Option<(&str, &str)>) -> Tariff {
    let contract = contract.map_or_else(
        || "null".to_owned(),
        |(provider, insurer)| format!(r#"{{"provider":"{provider}","insurer":"{insurer}"}}"#),
    );
    let text = format!(
        r#"{{"id":"{id}","version":{version},"title":"T","currency":"IRR","from":"2025-01-01",
            "contract":{contract},"prices":[]}}"#
    );
    serde_json::from_str(&text).unwrap()
}

async fn a_version_is_kept_once_and_never_changes(on: Backend) {
    let house = house(on).await;
    let (store, hub) = (&house.store, Scope::Hub);
    let first = plan("alpha-plan", 1, "alpha");
    assert_eq!(
        store.upsert_plan(&hub, &first).await.unwrap(),
        Upserted::Same
    );
    let mut other = first.clone();
    other.title = "Another".to_owned();
    let refused = store.upsert_plan(&hub, &other).await;
    assert!(matches!(
        refused,
        Err(StoreError::PlanDiffers { version: 1, .. })
    ));
    other.version = 2;
    let early = store.upsert_plan(&insurer("alpha"), &other).await;
    assert!(matches!(
        early,
        Err(StoreError::PlanOutOfLine { version: 2, pointer, .. }) if pointer == "/from"
    ));
    other.from = other.from.add_days(365);
    let kept = store.upsert_plan(&insurer("alpha"), &other).await.unwrap();
    assert!(matches!(kept, Upserted::New(_)));
    assert_eq!(
        store.plans(&insurer("alpha")).await.unwrap(),
        [first, other]
    );
}

async fn a_version_follows_the_one_before_in_time(on: Backend) {
    let house = house(on).await;
    let (store, hub) = (&house.store, Scope::Hub);
    let later = |from: takmil_domain::date::Date| from.add_days(31);
    store.upsert_base_plan(&hub, &base_plan(1)).await.unwrap();
    let mut plan = base_plan(2);
    let early = store.upsert_base_plan(&hub, &plan).await;
    assert!(matches!(
        early,
        Err(StoreError::PlanOutOfLine { version: 2, pointer, .. }) if pointer == "/from"
    ));
    plan.from = later(plan.from);
    let kept = store.upsert_base_plan(&hub, &plan).await.unwrap();
    assert!(matches!(kept, Upserted::New(_)));

    let first = tariff("national", 1, None);
    store.upsert_tariff(&hub, &first).await.unwrap();
    let early = store
        .upsert_tariff(&hub, &tariff("national", 2, None))
        .await;
    assert!(matches!(
        early,
        Err(StoreError::TariffOutOfLine { version: 2, pointer, .. }) if pointer == "/from"
    ));
    let mut document = tariff("national", 2, None).document().clone();
    document.from = later(document.from);
    let second = Tariff::try_from(document).unwrap();
    let kept = store.upsert_tariff(&hub, &second).await.unwrap();
    assert!(matches!(kept, Upserted::New(_)));
    let again = store.upsert_tariff(&hub, &first).await.unwrap();
    assert_eq!(again, Upserted::Same);
}

async fn a_catalogue_tells_what_has_changed_since(on: Backend) {
    let house = house(on).await;
    let (store, hub) = (&house.store, Scope::Hub);
    let all = store.catalogue(Revision::default()).await.unwrap();
    assert_eq!((all.participants.len(), all.plans.len()), (4, 2));
    assert_eq!(all.revision, store.revision().await.unwrap());

    store.upsert_base_plan(&hub, &base_plan(1)).await.unwrap();
    store
        .upsert_tariff(&hub, &tariff("national", 1, None))
        .await
        .unwrap();
    let changed = store.catalogue(all.revision).await.unwrap();
    assert!(changed.revision > all.revision);
    assert_eq!(changed.base_plans, [base_plan(1)]);
    assert_eq!(changed.tariffs, [tariff("national", 1, None)]);
    assert_eq!((changed.participants.len(), changed.plans.len()), (0, 0));
    let nothing = store.catalogue(changed.revision).await.unwrap();
    assert_eq!(nothing.base_plans, []);
    assert_eq!(nothing.revision, changed.revision);
}

async fn documents_are_their_owners_to_change(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let contract = tariff("contract", 1, Some(("clinic", "alpha")));
    let national = tariff("national", 1, None);
    for scope in [insurer("beta"), provider("clinic"), Scope::Regulator] {
        let plan = plan("new", 1, "alpha");
        assert!(matches!(
            store.upsert_plan(&scope, &plan).await,
            Err(StoreError::NotFound)
        ));
        assert!(matches!(
            store.upsert_tariff(&scope, &contract).await,
            Err(StoreError::NotFound)
        ));
        assert!(matches!(
            store.upsert_tariff(&scope, &national).await,
            Err(StoreError::NotFound)
        ));
    }
    store
        .upsert_tariff(&insurer("alpha"), &contract)
        .await
        .unwrap();
    assert!(matches!(
        store.upsert_tariff(&insurer("alpha"), &national).await,
        Err(StoreError::NotFound)
    ));
    // An id belongs to whoever used it first.
    let stolen = plan("alpha-plan", 7, "beta");
    assert!(matches!(
        store.upsert_plan(&Scope::Hub, &stolen).await,
        Err(StoreError::NotFound)
    ));
    let stolen = tariff("contract", 2, None);
    assert!(matches!(
        store.upsert_tariff(&Scope::Hub, &stolen).await,
        Err(StoreError::NotFound)
    ));
    let changed = tariff("contract", 1, Some(("pharmacy", "alpha")));
    assert!(matches!(
        store.upsert_tariff(&Scope::Hub, &changed).await,
        Err(StoreError::TariffDiffers { version: 1, .. })
    ));
    store
        .upsert_base_plan(&insurer("beta"), &base_plan(1))
        .await
        .unwrap();
    assert_eq!(store.base_plans(&insurer("alpha")).await.unwrap(), []);
    assert_eq!(
        store.base_plans(&Scope::Regulator).await.unwrap(),
        [base_plan(1)]
    );
    assert_eq!(store.plans(&provider("clinic")).await.unwrap(), []);
}

async fn rates_and_regulations_are_kept_once(on: Backend) {
    let house = house(on).await;
    let store = &house.store;
    let rate = |rate: &str, on: &str| -> ExchangeRate {
        let text =
            format!(r#"{{"from":"USD","to":"IRR","on":"{on}","rate":{rate},"source":"bank"}}"#);
        serde_json::from_str(&text).unwrap()
    };
    let regulation = |title: &str| -> Regulation {
        let text = format!(
            r#"{{"id":"rules","version":1,"issuer":"alpha","title":"{title}","currency":"IRR",
                "from":"2025-01-01","requirements":[]}}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    let first = rate("420000", "2025-01-01");
    for expected in ["new", "same"] {
        let kept = store.upsert_exchange_rate(&first).await.unwrap();
        assert_eq!(kept == Upserted::Same, expected == "same");
        let kept = store.upsert_regulation(&regulation("one")).await.unwrap();
        assert_eq!(kept == Upserted::Same, expected == "same");
    }
    let second = rate("430000", "2025-02-01");
    store.upsert_exchange_rate(&second).await.unwrap();
    let other = store.upsert_exchange_rate(&rate("1", "2025-01-01")).await;
    assert!(matches!(
        other,
        Err(StoreError::RuleDiffers {
            kind: "exchange",
            ..
        })
    ));
    let other = store.upsert_regulation(&regulation("two")).await;
    assert!(matches!(
        other,
        Err(StoreError::RuleDiffers {
            kind: "regulation",
            ..
        })
    ));
    let all = store.catalogue(Revision::default()).await.unwrap();
    assert_eq!(all.exchange, [first, second]);
    assert_eq!(all.regulations, [regulation("one")]);
}
