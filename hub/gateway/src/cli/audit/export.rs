//! `takmil audit export`: the log as a folder, for whoever verifies it. It needs the store, and no secret.

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use takmil_domain::audit::{
    Asset, KEPT, KeptCheckpoint, LATEST, POLICY, TILE_WIDTH, Tile, bundle_bytes,
};
use takmil_store::{LogHead, Store};

use super::super::{ConfigFile, Exit, Fatal};
use crate::audit::policy;
use crate::config::Config;
use crate::hub::open_store;

/// Where to.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder, made where it is missing. An earlier export of the same log is brought up to date.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
}

/// How many checkpoints, and how many tiles, are read at once.
const PAGE: u32 = 1_000;
const TILES: usize = 256;

/// Exports, and says what.
pub(in crate::cli) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    let config = arguments.config.load()?;
    if config.store.is_missing() {
        return Err(format!("there is no store in {}", config.store.path.display()).into());
    }
    let store = open_store(&config).await?;
    let exported = export(&store, &config, &arguments.to).await;
    store.close().await;
    let head = exported?;
    let (size, root) = (head.size, head.root);
    if json {
        println!("{}", json!({"size": size, "root": root}));
    } else {
        println!("{size} entries, root {root}, in {}", arguments.to.display());
    }
    Ok(Exit::Well)
}

async fn export(store: &Store, config: &Config, to: &Path) -> Result<LogHead, Fatal> {
    // What was kept before the head was read is not beyond it.
    let mut kept = checkpoints(store).await?;
    let head = store.log_head().await?;
    let (Some(latest), Some(key)) = (&head.checkpoint, &head.key) else {
        return Err("the log has not begun: no hub has run on this store".into());
    };
    if kept.last() != Some(latest) {
        kept.push(latest.clone());
    }
    let progress = ProgressBar::new(head.size);
    for tile in Tile::all(head.size).take_while(|tile| tile.level == 0) {
        let first = tile.index.saturating_mul(TILE_WIDTH.into());
        let entries = store.log_entries(first, tile.width.into()).await?;
        if entries.len() != usize::from(tile.width) {
            return Err(format!("{} has not all its entries", Asset::Entries(tile)).into());
        }
        write(
            to,
            &Asset::Entries(tile).to_string(),
            bundle_bytes(&entries),
        )?;
        progress.inc(tile.width.into());
    }
    progress.finish_and_clear();
    let tiles: Vec<Tile> = Tile::all(head.size).collect();
    for some in tiles.chunks(TILES) {
        let found = store.log_tiles(some.iter().copied()).await?;
        for tile in some {
            let hashes = found.get(*tile);
            let hashes = hashes.ok_or_else(|| format!("{} is missing", Asset::Hashes(*tile)))?;
            let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
            write(to, &Asset::Hashes(*tile).to_string(), bytes)?;
        }
    }
    write(to, POLICY, policy(config, key)?)?;
    write(to, KEPT, lines(kept)?)?;
    // Last: whoever finds it finds the rest.
    write(to, LATEST, latest)?;
    Ok(head)
}

/// All checkpoints that were kept, from the first.
async fn checkpoints(store: &Store) -> Result<Vec<String>, Fatal> {
    let (mut from, mut kept) = (0, Vec::new());
    loop {
        let page = store.log_checkpoints(from, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(kept);
        };
        from = last.saturating_add(1);
        kept.extend(page.into_iter().map(|(_, note)| note));
    }
}

fn lines(kept: Vec<String>) -> Result<String, Fatal> {
    let mut lines = String::new();
    for checkpoint in kept {
        lines.push_str(&serde_json::to_string(&KeptCheckpoint { checkpoint })?);
        lines.push('\n');
    }
    Ok(lines)
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> Result<(), Fatal> {
    let path = folder.join(name);
    let cannot = |error: std::io::Error| format!("{} cannot be written: {error}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(cannot)?;
    }
    Ok(fs::write(&path, bytes).map_err(cannot)?)
}
