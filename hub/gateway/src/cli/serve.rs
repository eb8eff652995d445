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

/// Serves until SIGTERM or SIGINT.
pub(super) async fn run(arguments: Arguments) -> Result<Exit, Fatal> {
    let config = arguments.config.load()?;
    telemetry::start_log(&config.telemetry)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hub = Hub::start(config).await?;
    tracing::info!(address = %hub.address()?, url = hub.base(), "the hub takes messages");
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
