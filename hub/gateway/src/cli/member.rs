//! `takmil member`: the keys under which members' contents are sealed, and the erasing of a member.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use takmil_domain::ids::MemberId;
use takmil_store::{FileKeys, StoreError};
use uuid::Uuid;

use super::{ConfigFile, Exit, Fatal};
use crate::clock;
use crate::hub::open_store;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes a key file for `[store] key_file`. Every hub on one database has the same; keep a copy apart from all
    /// backups: without it, nothing that was sent can be read.
    Key {
        /// Where. A file that is there stays as it is.
        file: PathBuf,
    },
    /// Erases a member for good: name, birth date, identifiers, and everything that was sent and answered, in every
    /// backup too. Amounts, limits and the audit log stay, of somebody whom nobody can name any more.
    Erase {
        /// The hub's id of the member.
        member: Uuid,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Does it.
pub(super) async fn run(command: Command, json: bool) -> Result<Exit, Fatal> {
    match command {
        Command::Key { file } => {
            if file.exists() {
                let file = file.display();
                return Err(format!("{file} is there already, and stays as it is").into());
            }
            FileKeys::make(&file, rand::random())?;
            match json {
                true => println!("{}", json!({"file": file})),
                false => println!("{}", file.display()),
            }
            Ok(Exit::Well)
        }
        Command::Erase { member, config } => erase(member, &config, json).await,
    }
}

async fn erase(member: Uuid, config: &ConfigFile, json: bool) -> Result<Exit, Fatal> {
    let store = open_store(&config.load()?).await?;
    let erased = store.erase_member(MemberId(member), clock::now()).await;
    store.close().await;
    let (exit, said) = match erased {
        Ok(true) => (Exit::Well, "erased".to_owned()),
        Ok(false) => (Exit::Well, "was erased before".to_owned()),
        Err(StoreError::NotFound) => (Exit::Refused, "there is no such member".to_owned()),
        Err(refused @ StoreError::StillOpen { .. }) => (Exit::Refused, refused.to_string()),
        Err(other) => return Err(other.into()),
    };
    match json {
        true => println!("{}", json!({"member": member, "outcome": said})),
        false => println!("{member}: {said}"),
    }
    Ok(exit)
}
