//! Who a message's member is, and what covers the person: asked for many messages at once.

use std::sync::Arc;

use takmil_domain::ids::{Identifier, MemberId, ParticipantId};
use takmil_store::{KnownMember, Resolution, Store, StoreError};
use tokio::task::JoinHandle;

use crate::Inner;
use crate::error::Error;
use crate::outage::Outage;
use crate::together::{self, Desk};

/// What is known of a member.
#[derive(Debug, Clone)]
pub(crate) enum Recognised {
    /// One person bears the identifiers.
    Member(Arc<KnownMember>),
    /// Nobody does.
    Unknown,
    /// They name several persons.
    Ambiguous,
}

type Lists = Vec<Vec<Identifier>>;
type Answers = Result<Vec<Recognised>, Error>;

/// Asks the store about members for everybody who waits.
pub(crate) struct Recogniser(Desk<Lists, Answers>);

impl Recogniser {
    /// Starts it. It ends when this is gone.
    pub(crate) fn start(inner: &Arc<Inner>) -> (Recogniser, JoinHandle<()>) {
        let (desk, questions) = together::desk(inner.config.queue_orders);
        let inner = Arc::clone(inner);
        let task = async move {
            let outage = Outage::new("members cannot be looked up");
            let work = |lists| for_all(&inner.store, lists, &outage);
            questions.serve(inner.config.turn_orders, work).await;
        };
        (Recogniser(desk), tokio::spawn(task))
    }

    /// Whom each list of a sender's identifiers names, in the order asked.
    ///
    /// # Errors
    /// If the store cannot serve, too much waits, or the engine is stopping.
    pub(crate) async fn recognise(&self, sender: &ParticipantId, lists: Lists) -> Answers {
        let coming = self.0.ask(sender, lists)?;
        coming.await.unwrap_or(Err(Error::Stopping))
    }
}

async fn for_all(store: &Store, lists: Vec<Lists>, outage: &Outage) -> Vec<Answers> {
    let sizes: Vec<usize> = lists.iter().map(Vec::len).collect();
    let all: Lists = lists.into_iter().flatten().collect();
    match ask(store, &all).await {
        Ok(answers) => {
            outage.went_well();
            let mut answers = answers.into_iter();
            let mut take = |size| Ok(answers.by_ref().take(size).collect());
            sizes.into_iter().map(&mut take).collect()
        }
        Err(error) => {
            outage.failed(&error);
            sizes.iter().map(|_| Err(Error::Unavailable)).collect()
        }
    }
}

async fn ask(store: &Store, lists: &[Vec<Identifier>]) -> Result<Vec<Recognised>, StoreError> {
    let resolutions = store.resolve_members(lists).await?;
    let ids: Vec<MemberId> = resolutions
        .iter()
        .filter_map(|resolution| match resolution {
            Resolution::Known(id) => Some(*id),
            _ => None,
        })
        .collect();
    let members: Vec<Arc<KnownMember>> = store
        .known_members(&ids)
        .await?
        .into_iter()
        .map(Arc::new)
        .collect();
    let recognised = |resolution| match resolution {
        // They come in the order of their ids.
        Resolution::Known(id) => members
            .binary_search_by_key(&id, |member| member.id)
            .ok()
            .and_then(|at| members.get(at))
            .map_or(Recognised::Unknown, |member| {
                Recognised::Member(Arc::clone(member))
            }),
        Resolution::Unknown => Recognised::Unknown,
        Resolution::Ambiguous(_) => Recognised::Ambiguous,
    };
    Ok(resolutions.into_iter().map(recognised).collect())
}
