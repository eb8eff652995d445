//! A payment as a claim payment advice (835). It balances on each level: charge - adjustments = paid for every service
//! and claim, and claims - provider adjustments = the payment.
//!
//! Adjustment reasons (CARC, x12.org/codes): 23 what the prior payer did, 96 what this insurer does not owe, 133 what it
//! owes and does not pay now. Which part of what is not owed the member bears, the book does not say: the group is OA.

use std::collections::BTreeMap;

use takmil_domain::ids::MessageId;
use takmil_domain::money::Amount;
use takmil_domain::settlement::{Due, DueLine, Payment};

use super::answer::MEDIA_TYPE;
use super::answer::writer::{Writer, components};
use crate::Written;

/// What was paid of one claim: of the whole, and of single lines.
#[derive(Default)]
struct Paid {
    whole: Option<Amount>,
    lines: BTreeMap<u32, Amount>,
}

impl Paid {
    fn total(&self) -> Amount {
        self.lines.values().copied().chain(self.whole).sum()
    }
}

/// Writes the 835 of a payment. Its control numbers are made from the payment's id.
pub(super) fn write(payment: &Payment, dues: &[Due]) -> Written {
    let digits = |text: String| text.replace('-', "");
    let day = digits(payment.paid_on.to_string());
    let made: String = payment
        .noticed_at
        .to_string()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let (made_on, made_at) = (
        made.get(..8).unwrap_or_default(),
        made.get(8..12).unwrap_or_default(),
    );
    let id = payment.id.to_string();
    // The last bytes of an id are the random ones.
    let tail = id.get(id.len().saturating_sub(7)..).unwrap_or_default();
    let control = u64::from_str_radix(tail, 16).unwrap_or(1);
    let control_text = control.to_string();
    let (insurer, provider) = (
        payment.pair.insurer.as_str(),
        payment.pair.provider.as_str(),
    );
    let exponent = payment.pair.currency.exponent(payment.paid_on);
    let text = |amount: Amount| amount.to_decimal(exponent);

    let mut writer = Writer::new(insurer, provider, made_on, made_at, control);
    let version = "005010X221A1";
    writer.open_group(&[
        "HP",
        insurer,
        provider,
        made_on,
        made_at,
        &control_text,
        "X",
        version,
    ]);
    writer.open("835", "");
    // Which bank accounts it went between the hub does not know, and only a cheque needs none.
    let mut bpr = vec!["BPR", "I"];
    let amount = text(payment.amount);
    bpr.extend([amount.as_str(), "C", "CHK"]);
    bpr.extend([""; 11]);
    bpr.push(&day);
    writer.segment(&bpr);
    writer.segment(&["TRN", "1", &payment.reference, insurer]);
    writer.segment(&["CUR", "PR", payment.pair.currency.as_str()]);
    writer.segment(&["REF", "F2", &id]);
    writer.segment(&["DTM", "405", made_on]);
    writer.segment(&["N1", "PR", insurer]);
    writer.segment(&["N1", "PE", provider]);
    let claims = by_claim(payment);
    if !claims.is_empty() {
        writer.segment(&["LX", "1"]);
    }
    let mut reached = Amount::ZERO;
    for (message, paid) in &claims {
        let due = dues.iter().find(|due| due.message == *message);
        claim(*message, paid, due, &text, &mut writer);
        reached += paid.total();
    }
    // What waits for later claims is paid ahead of them: below zero, because it adds to the payment.
    let ahead = reached - payment.amount;
    if !ahead.is_zero() {
        let year = format!("{}1231", day.get(..4).unwrap_or_default());
        let reason = components(&["AP", &payment.reference]);
        writer.segment(&["PLB", provider, &year, &reason, &text(ahead)]);
    }
    Written {
        media_type: MEDIA_TYPE,
        bytes: writer.finish().into_bytes(),
    }
}

fn by_claim(payment: &Payment) -> BTreeMap<MessageId, Paid> {
    let mut claims: BTreeMap<MessageId, Paid> = BTreeMap::new();
    for ((message, line), amount) in &payment.allocations {
        let paid = claims.entry(*message).or_default();
        match line {
            None => paid.whole = Some(paid.whole.unwrap_or_default() + *amount),
            Some(line) => *paid.lines.entry(*line).or_default() += *amount,
        }
    }
    claims
}

/// One claim, with its lines where everything that was paid of it names one.
fn claim(
    message: MessageId,
    paid: &Paid,
    due: Option<&Due>,
    text: &dyn Fn(Amount) -> String,
    writer: &mut Writer,
) {
    let number = message.to_string();
    let total = paid.total();
    let lines = due.map_or(&[] as &[DueLine], |due| &due.lines);
    let sum = |part: fn(&DueLine) -> Amount| -> Amount { lines.iter().map(part).sum() };
    let (billed, base, owed) = (
        sum(|line| line.billed),
        sum(|line| line.base),
        sum(|line| line.amount),
    );
    // What is taken back, and a claim of which nothing is known, stand with what was paid alone.
    let is_known = !lines.is_empty() && total >= Amount::ZERO;
    let charge = if is_known { billed } else { total };
    let state = match () {
        () if total < Amount::ZERO => "22",
        () if base > Amount::ZERO => "2",
        () => "1",
    };
    writer.segment(&[
        "CLP",
        &number,
        state,
        &text(charge),
        &text(total),
        "",
        "ZZ",
        &number,
    ]);
    if !is_known {
        return;
    }
    let known = |line: &u32| lines.iter().any(|own| own.seq == *line);
    let by_line = paid.whole.is_none() && paid.lines.keys().all(known);
    if !by_line {
        adjust(billed, base, owed, total, text, writer);
        return;
    }
    for line in lines {
        let paid = paid.lines.get(&line.seq).copied().unwrap_or_default();
        let seq = line.seq.to_string();
        // The code of a service is the provider's, and sealed with its claim: the line's number tells which it is.
        let service = components(&["ZZ", &seq]);
        writer.segment(&["SVC", &service, &text(line.billed), &text(paid)]);
        adjust(line.billed, line.base, line.amount, paid, text, writer);
        writer.segment(&["REF", "6R", &seq]);
    }
}

/// What lies between a charge and what was paid of it.
fn adjust(
    billed: Amount,
    base: Amount,
    owed: Amount,
    paid: Amount,
    text: &dyn Fn(Amount) -> String,
    writer: &mut Writer,
) {
    let parts = [
        ("23", base),
        ("96", billed - base - owed),
        ("133", owed - paid),
    ];
    let parts = parts.map(|(reason, amount)| (reason, amount, text(amount)));
    let mut cas = vec!["CAS", "OA"];
    for (reason, amount, text) in &parts {
        if !amount.is_zero() {
            // Reason, amount, and no quantity.
            cas.extend([*reason, text.as_str(), ""]);
        }
    }
    if cas.len() > 2 {
        writer.segment(&cas);
    }
}
