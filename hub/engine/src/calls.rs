//! What senders and insurers say to a message that is there: it is taken back, a question is replied to, a decision is
//! appealed against, an insurer decides.

use std::sync::Arc;

use takmil_domain::audit::Receipt;
use takmil_domain::code::Coded;
use takmil_domain::ids::{Identifier, MessageId, ParticipantId};
use takmil_domain::message::{Attachment, Body, Cancel, Correlate, Head, Message, Relation};
use takmil_domain::participant::{InsurerDecision, Participant};

use crate::Engine;
use crate::consult;
use crate::error::Error;
use crate::record::Spoken;
use crate::submission::{Refusal, Submission, Taken};
use crate::turn::{Appealing, Done, Late, MESSAGE_SYSTEM, Order};

/// A question of an insurer's, with the reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The insurer's reference of the question.
    pub reference: String,
    /// The reply.
    pub reply: String,
    /// Documents that belong to the reply, by reference.
    pub attachments: Vec<Attachment>,
}

/// What became of an insurer's late decision.
#[derive(Debug, Clone)]
pub struct DecisionReceipt {
    /// The answer as it stands now.
    pub answer: Arc<Spoken>,
    /// Whether the hub had taken this decision before; then it had no further effect.
    pub repeated: bool,
    /// Whether the insurer had decided by a later revision already; it is kept, and changes nothing.
    pub superseded: bool,
    /// Whether it came after the message was decided: recorded for review by people, without moving money.
    pub under_review: bool,
    /// The log's promise to have it; none of a repeat, which the log has.
    pub receipt: Option<Arc<Receipt>>,
}

impl Engine {
    /// Takes back an earlier message of the same sender, by the hub's id of it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the sender has sent no such message; else if the hub itself failed.
    pub async fn cancel(
        &self,
        sender: &Arc<Participant>,
        id: MessageId,
        reason: Option<String>,
        idempotency_key: Option<String>,
    ) -> Result<Result<Taken, Refusal>, Error> {
        let message = Message {
            head: Head {
                correlates: vec![Correlate {
                    relation: Relation::Cancels,
                    identifier: Identifier::new(MESSAGE_SYSTEM, id.to_string()),
                    coded: None,
                }],
                ..Head::default()
            },
            body: Body::Cancel(Cancel {
                reason: reason.map(Coded::words),
                ..Cancel::default()
            }),
        };
        let submission = Submission {
            sender: Arc::clone(sender),
            format: &takmil_formats::native::FORMAT,
            expect: None,
            body: takmil_formats::native::write(&message),
            idempotency_key,
            received_at: self.now(),
        };
        let outcome = self
            .submit(submission)
            .await?
            .pop()
            .ok_or(Error::NotFound)?;
        if outcome.result.as_ref().is_ok_and(|taken| {
            taken
                .answer
                .reasons
                .contains(&takmil_domain::reason::Reason::NothingToCancel)
        }) {
            return Err(Error::NotFound);
        }
        Ok(outcome.result)
    }

    /// Takes what the sender of a message replies to an insurer's question, which it names by the insurer's reference.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the sender has sent no such message, or no such question was asked to it; else if the
    /// hub itself failed.
    pub async fn reply(
        &self,
        sender: &Participant,
        message: MessageId,
        question: Question,
    ) -> Result<Result<Taken, Refusal>, Error> {
        let order = Order::Reply {
            message,
            sender: sender.id.clone(),
            reference: question.reference,
            text: question.reply,
            attachments: question.attachments,
        };
        self.say(sender, message, order).await
    }

    /// Takes what the sender of a decided message says against an insurer's part in it, and puts the message before that
    /// insurer again.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the sender has sent no such message; else if the hub itself failed.
    pub async fn appeal(
        &self,
        sender: &Participant,
        message: MessageId,
        appeal: Appealing,
    ) -> Result<Result<Taken, Refusal>, Error> {
        let order = Order::Appeal {
            message,
            sender: sender.id.clone(),
            appeal: Box::new(appeal),
        };
        self.say(sender, message, order).await
    }

    /// Takes what the sender of a message says to it.
    async fn say(
        &self,
        sender: &Participant,
        message: MessageId,
        order: Order,
    ) -> Result<Result<Taken, Refusal>, Error> {
        self.inner.audit.know(&self.inner.store, &sender.id).await?;
        let pending = self.lanes()?.add(message, &sender.id, order)?;
        let (done, receipt) = pending.done().await?;
        let taken = |answer, repeated| {
            Ok(Taken {
                answer,
                repeated,
                receipt,
            })
        };
        Ok(match done {
            Done::Answered { answer, .. } => taken(answer, false),
            Done::Repeated(answer) | Done::Late { answer, .. } => taken(answer, true),
            Done::Changed { earlier } => Err(Refusal::Changed { earlier }),
            Done::Refused(problems) => Err(Refusal::Invalid(problems)),
            Done::Differs(_) | Done::Nothing => return Err(Error::NotFound),
        })
    }

    /// Takes an insurer's decision on a message that waits for it, or that was decided in its place.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such message, or none in which the insurer has a share; [`Error::Changed`] if
    /// it has decided otherwise under the same reference.
    pub async fn decide(
        &self,
        insurer: &ParticipantId,
        decision: InsurerDecision,
    ) -> Result<DecisionReceipt, Error> {
        let message = decision.message;
        self.inner.audit.know(&self.inner.store, insurer).await?;
        let heard = vec![(insurer.clone(), consult::heard(decision.clone()))];
        let order = Order::Hear {
            message,
            heard,
            decision: Some((insurer.clone(), decision)),
        };
        let pending = self.lanes()?.add(message, insurer, order)?;
        let (done, receipt) = pending.done().await?;
        match done {
            Done::Answered { answer, .. } => Ok(DecisionReceipt {
                answer,
                repeated: false,
                superseded: false,
                under_review: false,
                receipt,
            }),
            Done::Late { answer, is } => Ok(DecisionReceipt {
                under_review: is == Late::Objects && answer.state.is_decided(),
                answer,
                repeated: is == Late::Repeated,
                superseded: is == Late::Superseded,
                receipt,
            }),
            Done::Changed { .. } => Err(Error::Changed),
            Done::Repeated(_) | Done::Refused(_) | Done::Differs(_) | Done::Nothing => {
                Err(Error::NotFound)
            }
        }
    }
}
