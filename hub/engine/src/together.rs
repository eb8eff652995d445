//! Work that is done for many at once: a task takes what waits for it, up to a bound, does it together, and answers
//! each. Nobody waits for company: what comes alone is done alone. Who has something waiting takes turns with the
//! others, so that a party that sends much holds up itself and nobody else.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use takmil_domain::ids::ParticipantId;
use tokio::sync::{Notify, oneshot};

use crate::error::Error;

/// When a party that was turned away should come back: a few turns later.
const RETRY_AFTER_MS: u64 = 1_000;

/// An answer that will come; an error where the task has ended.
pub(crate) type Coming<A> = oneshot::Receiver<A>;

/// A question with the way back to who asked it.
struct Waiting<Q, A> {
    question: Q,
    reply: oneshot::Sender<A>,
}

/// Where parties ask. Once it is dropped, no question comes any more.
pub(crate) struct Desk<Q, A>(Arc<Shared<Q, A>>);

/// Where the questions are answered. Once it is dropped, none is.
pub(crate) struct Questions<Q, A>(Arc<Shared<Q, A>>);

struct Shared<Q, A> {
    queue: Mutex<Queue<Waiting<Q, A>>>,
    came: Notify,
}

/// A desk, and what is asked there. About `most` questions wait, of one party never more than there are places free:
/// one alone may take half of them, two a third each, and there is always room for another.
pub(crate) fn desk<Q, A>(most: usize) -> (Desk<Q, A>, Questions<Q, A>) {
    let shared = Arc::new(Shared {
        queue: Mutex::new(Queue::new(most.max(2))),
        came: Notify::new(),
    });
    (Desk(Arc::clone(&shared)), Questions(shared))
}

impl<Q, A> Desk<Q, A> {
    /// Asks for a party.
    ///
    /// # Errors
    /// [`Error::TooMany`] where the party's part of the queue is full, [`Error::Overloaded`] where all of it is.
    pub(crate) fn ask(&self, party: &ParticipantId, question: Q) -> Result<Coming<A>, Error> {
        self.put(question, |queue, waiting| {
            queue.admit(party)?;
            queue.push(party, waiting);
            Ok(())
        })
    }

    /// Asks for a party whose earlier question this one belongs to: that one was admitted, and this one with it.
    pub(crate) fn ask_on(&self, party: &ParticipantId, question: Q) -> Result<Coming<A>, Error> {
        self.put(question, |queue, waiting| {
            queue.push(party, waiting);
            Ok(())
        })
    }

    /// Asks for nobody: what the hub has begun itself goes before what is fresh.
    pub(crate) fn ask_first(&self, question: Q) -> Result<Coming<A>, Error> {
        self.put(question, |queue, waiting| {
            queue.first.push_back(waiting);
            Ok(())
        })
    }

    /// How many questions wait.
    pub(crate) fn waiting(&self) -> usize {
        self.0.queue().len()
    }

    fn put(
        &self,
        question: Q,
        put: impl FnOnce(&mut Queue<Waiting<Q, A>>, Waiting<Q, A>) -> Result<(), Error>,
    ) -> Result<Coming<A>, Error> {
        let (reply, coming) = oneshot::channel();
        let mut queue = self.0.queue();
        if queue.is_closed {
            return Err(Error::Stopping);
        }
        put(&mut queue, Waiting { question, reply })?;
        drop(queue);
        self.0.came.notify_one();
        Ok(coming)
    }
}

impl<Q, A> Drop for Desk<Q, A> {
    fn drop(&mut self) {
        self.0.queue().is_closed = true;
        self.0.came.notify_one();
    }
}

impl<Q, A> Drop for Questions<Q, A> {
    fn drop(&mut self) {
        // Who still waits hears that nobody answers.
        let mut queue = self.0.queue();
        *queue = Queue::new(0);
        queue.is_closed = true;
    }
}

impl<Q, A> Questions<Q, A> {
    /// Answers until the desk is gone and everything that waited is done. `work` answers in the order asked.
    pub(crate) async fn serve<F>(self, most: usize, mut work: impl FnMut(Vec<Q>) -> F)
    where
        F: Future<Output = Vec<A>>,
    {
        while let Some(waiting) = self.next(most.max(1)).await {
            let (questions, replies): (Vec<Q>, Vec<_>) = waiting
                .into_iter()
                .map(|one| (one.question, one.reply))
                .unzip();
            for (reply, answer) in replies.into_iter().zip(work(questions).await) {
                // Who has gone away finds what was done in the store.
                let _ = reply.send(answer);
            }
        }
    }

    /// What waits, up to `most`, once there is something; nothing when there will be none.
    async fn next(&self, most: usize) -> Option<Vec<Waiting<Q, A>>> {
        loop {
            {
                let mut queue = self.0.queue();
                let taken = queue.take(most);
                if !taken.is_empty() {
                    return Some(taken);
                }
                if queue.is_closed {
                    return None;
                }
            }
            // What came since the look has left its word.
            self.0.came.notified().await;
        }
    }
}

impl<Q, A> Shared<Q, A> {
    fn queue(&self) -> MutexGuard<'_, Queue<Waiting<Q, A>>> {
        // Nothing that holds the lock can fail half way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits: the hub's own, and a line for each party that has something waiting.
struct Queue<T> {
    first: VecDeque<T>,
    lines: HashMap<ParticipantId, VecDeque<T>>,
    /// Whose line is not empty, in the order of their turns.
    turns: VecDeque<ParticipantId>,
    /// How many wait in lines.
    in_lines: usize,
    most: usize,
    is_closed: bool,
}

impl<T> Queue<T> {
    fn new(most: usize) -> Queue<T> {
        Queue {
            first: VecDeque::new(),
            lines: HashMap::new(),
            turns: VecDeque::new(),
            in_lines: 0,
            most,
            is_closed: false,
        }
    }

    fn len(&self) -> usize {
        self.first.len().saturating_add(self.in_lines)
    }

    /// Whether there is room for one more of a party.
    fn admit(&self, party: &ParticipantId) -> Result<(), Error> {
        let retry_after_ms = RETRY_AFTER_MS;
        let free = self.most.saturating_sub(self.len());
        if free == 0 {
            return Err(Error::Overloaded { retry_after_ms });
        }
        match self.lines.get(party).map_or(0, VecDeque::len) < free {
            true => Ok(()),
            false => Err(Error::TooMany { retry_after_ms }),
        }
    }

    fn push(&mut self, party: &ParticipantId, one: T) {
        if let Some(line) = self.lines.get_mut(party) {
            line.push_back(one);
        } else {
            self.lines.insert(party.clone(), VecDeque::from([one]));
            self.turns.push_back(party.clone());
        }
        self.in_lines = self.in_lines.saturating_add(1);
    }

    /// Takes up to `most`: the hub's own, then one of each party in turn.
    fn take(&mut self, most: usize) -> Vec<T> {
        let most = most.min(self.len());
        std::iter::from_fn(|| self.pop()).take(most).collect()
    }

    fn pop(&mut self) -> Option<T> {
        if let Some(first) = self.first.pop_front() {
            return Some(first);
        }
        let party = self.turns.pop_front()?;
        let line = self.lines.get_mut(&party)?;
        let one = line.pop_front()?;
        if line.is_empty() {
            self.lines.remove(&party);
        } else {
            self.turns.push_back(party);
        }
        self.in_lines = self.in_lines.saturating_sub(1);
        Some(one)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn party(name: &str) -> ParticipantId {
        ParticipantId::parse(name).unwrap()
    }

    /// Answers each question with the number of the turn that took it.
    async fn serve(questions: Questions<u32, u32>, most: usize) {
        let mut turn = 0;
        let work = |asked: Vec<u32>| {
            turn += 1;
            std::future::ready(vec![turn; asked.len()])
        };
        questions.serve(most, work).await;
    }

    #[tokio::test]
    async fn who_has_one_waiting_is_answered_in_the_next_turn_however_many_another_has() {
        let (desk, questions) = desk(4_096);
        let (flood, quiet) = (party("flood"), party("quiet"));
        let many: Vec<_> = (0..2_000).map(|n| desk.ask(&flood, n).unwrap()).collect();
        let one = desk.ask(&quiet, 0).unwrap();
        assert_eq!(desk.waiting(), 2_001);
        drop(desk);
        serve(questions, 256).await;
        assert_eq!(one.await, Ok(1));
        let turns = futures::future::join_all(many).await;
        let turns: Vec<u32> = turns.into_iter().map(Result::unwrap).collect();
        assert!(turns.is_sorted(), "a party's own keep their order");
        assert_eq!(turns.last(), Some(&8), "and no turn is left half empty");
    }

    #[tokio::test]
    async fn a_turn_is_shared_evenly_and_what_is_not_used_goes_to_the_others() {
        let (desk, questions) = desk(1_000);
        let of = |name, count| {
            let asked = (0..count).map(|n| desk.ask(&party(name), n).unwrap());
            asked.collect::<Vec<_>>()
        };
        let (a, b, c) = (of("a", 100), of("b", 100), of("c", 3));
        drop(desk);
        serve(questions, 63).await;
        let in_first = |coming: Vec<Coming<u32>>| async {
            let turns = futures::future::join_all(coming).await;
            turns.iter().filter(|turn| **turn == Ok(1)).count()
        };
        let shares = (in_first(a).await, in_first(b).await, in_first(c).await);
        assert_eq!(shares, (30, 30, 3));
    }

    #[tokio::test]
    async fn what_the_hub_has_begun_goes_before_what_is_fresh() {
        let (desk, questions) = desk(100);
        let fresh: Vec<_> = (0..10).map(|n| desk.ask(&party("a"), n).unwrap()).collect();
        let begun = desk.ask_first(10).unwrap();
        drop(desk);
        serve(questions, 1).await;
        assert_eq!(begun.await, Ok(1));
        assert_eq!(futures::future::join_all(fresh).await.last(), Some(&Ok(11)));
    }

    #[test]
    fn a_party_fills_its_own_part_and_never_that_of_another() {
        let (desk, questions) = desk::<u32, ()>(100);
        let table = ["a", "b", "c"].map(|name| {
            let admitted = (0..100).take_while(|n| desk.ask(&party(name), *n).is_ok());
            admitted.count()
        });
        // Half of what is free, each: 100, 50, 25.
        assert_eq!(table, [50, 25, 13]);
        let own = desk.ask(&party("a"), 0);
        assert!(matches!(
            own,
            Err(Error::TooMany {
                retry_after_ms: 1_000
            })
        ));
        let rest = (0..20).map(|n| desk.ask_on(&party("a"), n).is_ok());
        assert_eq!(rest.filter(|is_in| *is_in).count(), 20);
        let all = desk.ask(&party("d"), 0);
        assert!(matches!(
            all,
            Err(Error::Overloaded {
                retry_after_ms: 1_000
            })
        ));
        assert_eq!(desk.waiting(), 108);
        drop(questions);
        let late = desk.ask(&party("d"), 0);
        assert!(matches!(late, Err(Error::Stopping)));
        assert_eq!(desk.waiting(), 0);
    }

    #[tokio::test]
    async fn who_waits_for_a_task_that_has_ended_hears_of_it() {
        let (desk, questions) = desk::<u32, ()>(100);
        let coming = desk.ask(&party("a"), 1).unwrap();
        drop(questions);
        assert!(coming.await.is_err());
    }
}
