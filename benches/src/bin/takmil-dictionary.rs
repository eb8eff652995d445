//! `takmil-dictionary`: trains the dictionary by which the store compresses messages, from a database that
//! `takmil demo --once --data DIR` has made. That is all invented: a dictionary holds pieces of what it was trained
//! on, and every copy of the hub carries it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use takmil_store::{FileKeys, MessageFilter, Place, Scope, Store, StoreConfig};

/// How many messages are asked for at once.
const PAGE: u32 = 1_000;

/// Trains the dictionary for messages at rest
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The database of a demo.
    database: PathBuf,
    /// Where the dictionary is written.
    #[arg(default_value = "hub/store/dictionary/messages.zdict")]
    to: PathBuf,
    /// Its size: beyond this more of it gains little and costs the processor's cache.
    #[arg(long, default_value_t = 32 << 10)]
    bytes: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match train(&Arguments::parse()).await {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("takmil-dictionary: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn train(arguments: &Arguments) -> Result<String, Box<dyn std::error::Error>> {
    let config = StoreConfig {
        place: Place::File(arguments.database.clone()),
        readers: 1,
        random: Arc::new(|| [0; 10]),
        keys: Arc::new(FileKeys::read(
            &arguments.database.with_extension("member.keys"),
            arguments.database.with_extension("erased"),
        )?),
    };
    let store = Store::open(&config).await?;
    let scope = Scope::Hub;
    let mut samples = Vec::new();
    let mut last = None;
    loop {
        let filter = MessageFilter::default();
        let page = store.messages(&scope, &filter, last, PAGE).await?;
        for envelope in &page {
            let mut sample = store.original(&scope, envelope.id).await?;
            sample.extend(store.canonical(&scope, envelope.id).await?);
            samples.push(sample);
            samples.push(store.answer(&scope, envelope.id).await?.into_bytes());
        }
        match page.last() {
            Some(envelope) => last = Some(envelope.id),
            None => break,
        }
    }
    let dictionary = zstd::dict::from_samples(&samples, arguments.bytes)?;
    std::fs::write(&arguments.to, &dictionary)?;
    Ok(format!(
        "{} bytes from {} samples, in {}",
        dictionary.len(),
        samples.len(),
        arguments.to.display()
    ))
}
