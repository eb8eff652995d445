//! `takmil serve`: one hub, until it is told to stop.

use clap::Args;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigFile, Exit, Fatal};
use crate::faces::Phase;
use crate::hub::Hub;
use crate::telemetry;

/// What to serve.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

/// Serves until SIGTERM, after which it goes on for as long as its notice lasts, or until SIGINT or a second SIGTERM,
/// after which it does not. At SIGHUP it looks whether certificates have changed.
pub(super) async fn run(arguments: Arguments) -> Result<Exit, Fatal> {
    let config = arguments.config.load()?;
    telemetry::start_log(&config.telemetry)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let notice = Duration::from_millis(config.listen.notice_ms);
    let hub = Hub::start(config).await?;
    let partners = hub.partners()?.map(tracing::field::display);
    tracing::info!(address = %hub.address()?, url = hub.base(), partners, "the hub takes messages");
    let renewal = hub.renewal();
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            renewal.look_now();
        }
    });
    let phase = hub.phase();
    let end = async move {
        let gives_notice = tokio::select! {
            _ = terminate.recv() => !notice.is_zero(),
            _ = interrupt.recv() => false,
        };
        if gives_notice {
            phase.send_replace(Phase::Leaving);
            tracing::info!("the hub serves a little longer, and tells balancers that it goes");
            tokio::select! {
                () = tokio::time::sleep(notice) => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        tracing::info!("the hub is stopping");
    };
    hub.run(end).await;
    tracing::info!("the hub has stopped");
    Ok(Exit::Well)
}
