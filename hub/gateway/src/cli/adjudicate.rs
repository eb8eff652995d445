//! `takmil adjudicate`: the shares of a bill from files, of every case of a case file, or of a stored decision again.

use clap::{ArgGroup, Args};
use serde_json::json;
use std::io::{Write, stdout};
use std::path::PathBuf;
use takmil_domain::ids::MessageId;
use takmil_engine::{Derived, derive};
use takmil_portal::explain::Language;

use super::{ConfigFile, Exit, Fatal};
use crate::adjudicate::{self, Error};
use crate::hub::open_store;

/// What to adjudicate.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["bill", "cases", "decision"]))]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// The plan file: a plan, a list of plans (the insurers in order), or plans with tariffs, covers and remainders.
    #[arg(long, value_name = "FILE", requires = "bill")]
    plan: Option<PathBuf>,
    /// The bill: a message in any format that the hub reads.
    #[arg(long, value_name = "FILE", requires = "plan")]
    bill: Option<PathBuf>,
    /// Tells the shares in a member's language instead: fa, ar, pt, fr or en.
    #[arg(long, value_name = "LANGUAGE", requires = "bill", value_parser = language)]
    explain: Option<Language>,
    /// A case file, or a file of scenarios (`.json`); a line of JSON comes out for each.
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// The id of a message whose stored decision is derived again.
    #[arg(long, value_name = "ID", value_parser = message_id)]
    decision: Option<MessageId>,
}

fn message_id(text: &str) -> Result<MessageId, &'static str> {
    MessageId::parse(text).ok_or("expected the hub's id of a message, a UUID")
}

fn language(text: &str) -> Result<Language, &'static str> {
    Language::parse(text).ok_or("expected fa, ar, pt, fr or en")
}

/// Adjudicates, and prints what came of it.
pub(super) async fn run(arguments: Arguments, json: bool) -> Result<Exit, Fatal> {
    let mut out = stdout().lock();
    if let Some(cases) = &arguments.cases {
        let summary = match adjudicate::case_file(cases, &mut out) {
            Err(Error::Refused(refusal)) => {
                eprintln!("takmil: the {refusal}");
                return Ok(Exit::Refused);
            }
            summary => summary?,
        };
        return Ok(if summary.refused == 0 {
            Exit::Well
        } else {
            Exit::Refused
        });
    }
    if let (Some(plan), Some(bill)) = (&arguments.plan, &arguments.bill) {
        let done = match arguments.explain {
            Some(language) => adjudicate::explained(plan, bill, language, json, &mut out),
            None => adjudicate::files(plan, bill, json, &mut out),
        };
        return match done {
            Ok(()) => Ok(Exit::Well),
            Err(Error::Refused(refusal)) => {
                eprintln!("takmil: the {refusal}");
                Ok(Exit::Refused)
            }
            Err(error) => Err(error.into()),
        };
    }
    drop(out);
    let Some(id) = arguments.decision else {
        return Ok(Exit::Usage);
    };
    let store = open_store(&arguments.config.load()?).await?;
    let derived = derive(&store, id).await;
    store.close().await;
    print_derived(&derived?, json)
}

fn print_derived(derived: &Derived, json: bool) -> Result<Exit, Fatal> {
    let Derived { decision, same } = derived;
    let mut out = stdout().lock();
    if json {
        writeln!(out, "{}", json!({"same": same, "decision": decision}))?;
    } else {
        let verdict = if *same { "the same" } else { "NOT the same" };
        let totals = &decision.totals;
        writeln!(
            out,
            "derived again: {verdict}\nbilled {} base {} supplementary {} waived {} member {} ({})",
            totals.billed,
            totals.base,
            totals.supplementary_total(),
            totals.written_off,
            totals.member,
            decision.currency
        )?;
    }
    Ok(if *same { Exit::Well } else { Exit::Refused })
}
