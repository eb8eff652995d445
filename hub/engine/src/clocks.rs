//! What becomes due by the clock: reservations that expire, consultations that a crash cut off, documents that
//! another node has changed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use takmil_domain::answer::State;

use crate::Inner;
use crate::error::Error;
use crate::lane::Lanes;
use crate::turn::Order;

/// The most that is looked at in one go; the rest comes with the next tick.
const MOST: u32 = 500;

/// Looks at every tick for what is due, until the lanes are gone.
pub(crate) async fn run(inner: Arc<Inner>, lanes: Weak<Lanes>) {
    let mut stop = inner.stop.subscribe();
    let mut ticks = tokio::time::interval(Duration::from_millis(inner.config.clock_ms.max(10)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        let Some(lanes) = lanes.upgrade() else { return };
        if let Err(error) = tick(&inner, &lanes).await {
            tracing::error!(%error, "what is due could not be done; the next tick tries again");
        }
    }
}

async fn tick(inner: &Inner, lanes: &Lanes) -> Result<(), Error> {
    inner.refresh_catalog().await?;
    let now = (inner.clock)();
    let mut pending = Vec::new();
    for overdue in inner.store.overdue(now, MOST).await? {
        if overdue.state == State::Consulting {
            let order = Order::Overdue {
                message: overdue.message,
            };
            pending.push(lanes.wait_in(overdue.message, order).await?);
        }
    }
    for message in inner.store.expired_reservations(now.day(), MOST).await? {
        pending.push(lanes.wait_in(message, Order::Expire { message }).await?);
    }
    for pending in pending {
        pending.done().await?;
    }
    Ok(())
}
