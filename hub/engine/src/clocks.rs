//! What becomes due by the clock: reservations that expire, consultations that a crash cut off, insurers to be reminded
//! of what waits for them, partitions of the months to come, documents that another hub has changed. Of several hubs on one database one does all but the
//! last; where two do it at once, the lanes see to it that it is done once.

use std::sync::{Arc, Weak};
use std::time::Duration;

use takmil_domain::date::Instant;

use crate::Inner;
use crate::error::Error;
use crate::lane::Lanes;
use crate::outage::Outage;
use crate::turn::Order;

/// The most that is looked at in one go; the rest comes with the next tick.
const MOST: u32 = 500;

/// The lease of the hub whose clocks do what is due.
const LEASE: &str = "clocks";

/// For how many ticks a lease is taken: a hub that has gone is followed by another that soon. It is taken again
/// after half of them.
const LEASE_TICKS: u64 = 10;

/// How often partitions are looked after.
const PARTITIONS_EVERY_MS: u64 = 3_600_000;

/// Looks at every tick for what is due, until the lanes are gone.
pub(crate) async fn run(inner: Arc<Inner>, lanes: Weak<Lanes>) {
    let mut stop = inner.stop.subscribe();
    let tick_ms = inner.config.clock_ms.max(10);
    let mut ticks = tokio::time::interval(Duration::from_millis(tick_ms));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut held = Held::default();
    let outage = Outage::new("what is due cannot be done; every tick tries again");
    let holder = uuid::Uuid::from_bytes(bits(&inner)).to_string();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => {}
        }
        let Some(lanes) = lanes.upgrade() else { break };
        match tick(&inner, &lanes, &holder, &mut held).await {
            Ok(()) => outage.went_well(),
            Err(error) => outage.failed(&error),
        }
    }
    // Another hub need not wait for the end of the lease.
    if let Err(error) = inner.store.release(LEASE, &holder).await {
        tracing::debug!(%error, "the lease of the clocks ends by itself");
    }
}

/// What the hub has in hand between ticks.
#[derive(Debug, Default)]
struct Held {
    /// When the lease is to be taken again.
    renew_at: Option<Instant>,
    /// When partitions are to be looked after again.
    partitions_at: Option<Instant>,
}

/// A name's worth of random bits.
pub(crate) fn bits(inner: &Inner) -> [u8; 16] {
    let mut bits = [0; 16];
    let random = (inner.random)().into_iter().chain((inner.random)());
    for (to, from) in bits.iter_mut().zip(random) {
        *to = from;
    }
    bits
}

async fn tick(inner: &Inner, lanes: &Lanes, holder: &str, held: &mut Held) -> Result<(), Error> {
    inner.refresh_catalog().await?;
    let now = (inner.clock)();
    if held.renew_at.is_none_or(|at| at <= now) {
        let for_ms = inner.config.clock_ms.max(10).saturating_mul(LEASE_TICKS);
        let is_ours = inner.store.lease(LEASE, holder, now, for_ms).await?;
        held.renew_at = is_ours.then(|| now.plus_ms(for_ms / 2));
        if !is_ours {
            return Ok(());
        }
    }
    if held.partitions_at.is_none_or(|at| at <= now) {
        inner.store.make_partitions(now).await?;
        held.partitions_at = Some(now.plus_ms(PARTITIONS_EVERY_MS));
    }
    let mut pending = Vec::new();
    for overdue in inner.store.overdue(now, MOST).await? {
        let message = overdue.message;
        pending.push(lanes.go_on(message, Order::Overdue { message })?);
    }
    for message in inner.store.expired_reservations(now.day(), MOST).await? {
        pending.push(lanes.go_on(message, Order::Expire { message })?);
    }
    for pending in pending {
        pending.done().await?;
    }
    Ok(())
}
