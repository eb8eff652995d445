//! What an insurer says of a member's cover as the wire's types.

use takmil_domain::date::Date;
use takmil_domain::ids::MessageId;
use takmil_domain::participant::{CoverStanding, CoverStatement};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_proto::v1;

/// Reads a statement.
///
/// # Errors
/// A [`Problem`] with a pointer by field names into [`v1::CoverStatement`].
pub(super) fn read(wire: v1::CoverStatement) -> Result<CoverStatement, Problem> {
    let standing = match v1::CoverStanding::try_from(wire.standing) {
        Ok(v1::CoverStanding::Active) => CoverStanding::Active,
        Ok(v1::CoverStanding::Inactive) => CoverStanding::Inactive,
        Ok(v1::CoverStanding::Suspended) => CoverStanding::Suspended,
        Ok(v1::CoverStanding::Unspecified) | Err(_) => {
            let detail = "a statement has a standing that this hub knows";
            return Err(Problem::new(ProblemCode::BadValue, "/standing", detail));
        }
    };
    let message = MessageId::parse(&wire.message_id).ok_or_else(|| {
        let detail = "the hub's id of a message is a UUID";
        Problem::new(ProblemCode::BadIdentifier, "/message_id", detail)
    })?;
    Ok(CoverStatement {
        message,
        reference: wire.reference,
        standing,
        start: day(&wire.start, "/start")?,
        end: day(&wire.end, "/end")?,
        benefits: wire.benefits,
        note: Some(wire.note).filter(|note| !note.is_empty()),
    })
}

fn day(text: &str, pointer: &str) -> Result<Option<Date>, Problem> {
    let text = Some(text).filter(|text| !text.is_empty());
    let detail = "a day has the form YYYY-MM-DD";
    let wrong = || Problem::new(ProblemCode::BadDate, pointer, detail);
    text.map(|text| Date::parse(text).ok_or_else(wrong))
        .transpose()
}
