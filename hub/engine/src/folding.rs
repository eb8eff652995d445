//! The database's log is folded into its file beside the lanes, little by little, so that no turn has to wait until all
//! of it is.

use std::sync::Arc;
use std::time::Duration;

use crate::Inner;
use crate::outage::Outage;

/// Rather often: each time it writes what some hundreds of messages have changed.
const EVERY: Duration = Duration::from_millis(500);

/// Folds until the hub stops.
pub(crate) async fn run(inner: Arc<Inner>) {
    let mut stop = inner.stop.subscribe();
    let outage = Outage::new("the database's log cannot be folded; it grows");
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        match inner.store.fold_log().await {
            Ok(()) => outage.went_well(),
            Err(error) => outage.failed(&error),
        }
    }
}
