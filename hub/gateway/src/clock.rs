//! The one place of the binary where the time is read.

use std::time::{SystemTime, UNIX_EPOCH};
use takmil_domain::date::Instant;

/// This moment.
pub(crate) fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since
        .ok()
        .and_then(|since| i64::try_from(since.as_micros()).ok());
    Instant(micros.unwrap_or(0))
}
