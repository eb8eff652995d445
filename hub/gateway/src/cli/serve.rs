//! `takmil serve`: one hub, until it is told to stop.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigFile, Exit, Fatal};
use crate::hub::Hub;
use crate::telemetry;

/// What to serve.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

/// Serves until SIGTERM or SIGINT. At SIGHUP it looks whether certificates have changed.
pub(super) async fn run(arguments: Arguments) -> Result<Exit, Fatal> {
    let config = arguments.config.load()?;
    telemetry::start_log(&config.telemetry)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let hub = Hub::start(config).await?;
    let partners = hub.partners()?.map(tracing::field::display);
    tracing::info!(address = %hub.address()?, url = hub.base(), partners, "the hub takes messages");
    let renewal = hub.renewal();
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            renewal.look_now();
        }
    });
    let end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("the hub is stopping");
    };
    hub.run(end).await;
    tracing::info!("the hub has stopped");
    Ok(Exit::Well)
}
