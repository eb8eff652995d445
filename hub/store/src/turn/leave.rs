//! Pre-authorisations as a turn finds them: what was authorised, and what was used of it.

use std::collections::BTreeSet;

use takmil_domain::code::Code;
use takmil_domain::date::Date;
use takmil_domain::ids::{MemberId, MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::money::{Amount, Quantity};

use super::Turn;
use crate::column::Row;
use crate::error::StoreError;
use crate::rows::{Id, over};

/// A line that an insurer authorised for a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorised {
    /// For whom.
    pub member: MemberId,
    /// The number of the authorisation.
    pub number: String,
    /// By whom.
    pub insurer: ParticipantId,
    /// The line.
    pub seq: u32,
    /// The service.
    pub code: Code,
    /// How many, where they are counted.
    pub quantity: Option<Quantity>,
    /// How much money, where it is bounded.
    pub amount: Option<Amount>,
    /// The last day on which it counts.
    pub valid_until: Date,
    /// The message that asked for it.
    pub message: MessageId,
}

/// An authorised line as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAuthorisation {
    /// The line.
    pub line: Authorised,
    /// Whether the message that asked for it was taken back, and the authorisation with it.
    pub cancelled: bool,
    /// What was used of it.
    pub uses: Vec<AuthorisedUse>,
}

/// What a message used of an authorised line, unless it was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorisedUse {
    /// The message.
    pub message: MessageId,
    /// How many.
    pub quantity: Quantity,
    /// How much money.
    pub amount: Amount,
}

macro_rules! authorisations {
    () => {
        "select a.member, a.number, a.insurer, a.seq, a.system, a.code, a.quantity, a.amount,
             a.valid_until, a.message, m.state
         from batch join authorisation a on a.member = batch.member and a.number = batch.number
         join message m on m.id = a.message
         order by a.member, a.number, a.insurer, a.seq"
    };
}

impl Turn {
    /// The lines authorised for members under numbers, whoever authorised them.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn authorisations(
        &mut self,
        numbers: &[(MemberId, String)],
    ) -> Result<Vec<KeptAuthorisation>, StoreError> {
        let sql = over!(
            member id, number text;
            sqlite(authorisations!())
            postgres(authorisations!(), " for no key update of a")
        );
        let of_uses = over!(
            member id, number text;
            "select u.member, u.number, u.insurer, u.seq, u.message, u.quantity, u.amount
             from batch
             join authorisation_use u on u.member = batch.member and u.number = batch.number
             join message m on m.id = u.message
             where m.state not in ('cancelled', 'reversed')
             order by u.message, u.line"
        );
        let numbers: BTreeSet<_> = numbers.iter().collect();
        let rows: Vec<_> = numbers
            .into_iter()
            .map(|(member, number)| (Id::from(*member), number))
            .collect();
        let found = self.db().ask(sql, &rows).await?;
        let mut all = found
            .iter()
            .map(authorised)
            .collect::<Result<Vec<_>, _>>()?;
        if all.is_empty() {
            return Ok(all);
        }
        for row in self.db().ask(of_uses, &rows).await? {
            let member = MemberId(row.uuid("member")?);
            let (number, seq) = (row.text("number")?, row.number::<u32>("seq")?);
            let insurer: ParticipantId = row.named("insurer")?;
            let is_of = |own: &&mut KeptAuthorisation| {
                let line = &own.line;
                (line.member, line.number.as_str(), line.seq) == (member, number, seq)
                    && line.insurer == insurer
            };
            if let Some(own) = all.iter_mut().find(is_of) {
                own.uses.push(AuthorisedUse {
                    message: MessageId(row.uuid("message")?),
                    quantity: quantity(&row)?.unwrap_or(Quantity::ZERO),
                    amount: amount(&row)?.unwrap_or_default(),
                });
            }
        }
        Ok(all)
    }
}

fn quantity(row: &Row) -> Result<Option<Quantity>, StoreError> {
    let unreadable = StoreError::Unreadable { what: "quantity" };
    let text = row.text_maybe("quantity")?;
    text.map(|text| Quantity::parse(text).ok_or(unreadable))
        .transpose()
}

fn amount(row: &Row) -> Result<Option<Amount>, StoreError> {
    let unreadable = StoreError::Unreadable { what: "amount" };
    let number = row.number_maybe("amount")?;
    number
        .map(|amount| Amount::new(amount).ok_or(unreadable))
        .transpose()
}

fn authorised(row: &Row) -> Result<KeptAuthorisation, StoreError> {
    let line = Authorised {
        member: MemberId(row.uuid("member")?),
        number: row.text("number")?.to_owned(),
        insurer: row.named("insurer")?,
        seq: row.number("seq")?,
        code: Code::new(row.text("system")?, row.text("code")?),
        quantity: quantity(row)?,
        amount: amount(row)?,
        valid_until: row.named("valid_until")?,
        message: MessageId(row.uuid("message")?),
    };
    Ok(KeptAuthorisation {
        line,
        cancelled: row.named::<State>("state")?.is_taken_back(),
        uses: Vec::new(),
    })
}
