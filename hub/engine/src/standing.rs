//! What is owed and what is late, for those who watch over the hub: added up now and then, for it takes a look at every
//! document that is on its way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use takmil_domain::ids::ParticipantId;
use takmil_domain::money::Currency;
use takmil_domain::settlement::age::Age;
use takmil_domain::settlement::stage::Stage;
use takmil_store::{BookFilter, Scope};

use crate::Inner;
use crate::error::Error;
use crate::outage::Outage;
use crate::seen::Seen;
use crate::stages::told;

/// How often it is added up, by the hub's clock, and how often it is looked whether it is time.
const EVERY_MS: u64 = 3_600_000;
const LOOK: Duration = Duration::from_secs(1);

/// How many documents are read in one go.
const READ: u32 = 500;

/// What is owed and what is late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MoneyStanding {
    /// What insurers owe, argued about or not, by insurer, currency and age, in smallest units.
    pub owed: BTreeMap<(ParticipantId, Currency, Age), i64>,
    /// How many documents await a stage whose deadline has passed, by insurer and stage.
    pub late: BTreeMap<(ParticipantId, Stage), u64>,
}

/// Adds up what is owed and what is late.
async fn add_up(inner: &Inner) -> Result<MoneyStanding, Error> {
    let (store, none) = (&inner.store, BookFilter::default());
    let mut standing = MoneyStanding::default();
    let today = inner.settlement.day((inner.clock)());
    for aged in store.aging(&Scope::Hub, &none, today).await? {
        for (age, sums) in aged.aging.ages {
            let key = (aged.pair.insurer.clone(), aged.pair.currency, age);
            let owed = standing.owed.entry(key).or_default();
            *owed = owed.saturating_add(sums.open.saturating_add(sums.disputed));
        }
    }
    let mut after = None;
    loop {
        let found = store.progress(&Scope::Hub, &none, None, true, after.as_ref(), READ);
        let found = found.await?;
        let Some(last) = found.last() else {
            return Ok(standing);
        };
        after = Some((last.message, last.insurer.clone()));
        for document in found {
            let document = told(inner, document);
            let awaited = document.stages.iter().filter(|own| own.at.is_none());
            for late in awaited.filter(|own| own.late) {
                let key = (document.insurer.clone(), late.stage);
                let count: &mut u64 = standing.late.entry(key).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
}

/// Tells now and then what is owed and what is late, until the hub stops.
pub(crate) async fn run(inner: Arc<Inner>) {
    let mut stop = inner.stop.subscribe();
    let outage = Outage::new("what is owed and late cannot be added up; it is tried again");
    let mut next = None;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = (inner.clock)();
        if next.is_some_and(|next| now < next) {
            continue;
        }
        match add_up(&inner).await {
            Ok(standing) => {
                (inner.observe)(Seen::Money(&standing));
                next = Some(now.plus_ms(EVERY_MS));
                outage.went_well();
            }
            Err(error) => outage.failed(&error),
        }
    }
}
