//! Work that is done for many at once: a task takes everything that waits for it, up to a bound, does it
//! together, and answers each. Nobody waits for company: what comes alone is done alone.

use std::future::Future;

use tokio::sync::{mpsc, oneshot};

/// A question with the way back to who asked it.
pub(crate) struct Waiting<Q, A> {
    question: Q,
    reply: oneshot::Sender<A>,
}

/// An answer that will come; an error where the task has ended.
pub(crate) type Coming<A> = oneshot::Receiver<A>;

/// A question to be sent, and where its answer comes.
pub(crate) fn ask<Q, A>(question: Q) -> (Waiting<Q, A>, Coming<A>) {
    let (reply, coming) = oneshot::channel();
    (Waiting { question, reply }, coming)
}

/// Serves until all senders are gone and everything that waited is done. `work` answers in the order asked.
pub(crate) async fn serve<Q, A, F>(
    mut receiver: mpsc::Receiver<Waiting<Q, A>>,
    most: usize,
    mut work: impl FnMut(Vec<Q>) -> F,
) where
    F: Future<Output = Vec<A>>,
{
    let mut waiting = Vec::with_capacity(most);
    while receiver.recv_many(&mut waiting, most.max(1)).await > 0 {
        let (questions, replies): (Vec<Q>, Vec<_>) = waiting
            .drain(..)
            .map(|one: Waiting<Q, A>| (one.question, one.reply))
            .unzip();
        for (reply, answer) in replies.into_iter().zip(work(questions).await) {
            // Who has gone away finds what was done in the store.
            let _ = reply.send(answer);
        }
    }
}
