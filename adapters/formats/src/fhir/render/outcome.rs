//! OperationOutcomes: what was wrong with a body, and what is told of a message that nothing was computed for.

use takmil_domain::clinical::Level;
use takmil_domain::problem::ProblemCode;
use takmil_domain::reason::Reason;

use super::head;
use crate::fhir::datatypes::{FINDINGS, Object, REASONS, words};
use crate::fhir::r4;
use crate::fhir::tree::Node;
use crate::{Answered, Cause, Fault};

/// The code system of the hub's problem codes.
const PROBLEMS: &str = "urn:takmil:problem";

/// What was wrong, with the place in `body` in FHIRPath; `body` is the root, as the pointers are.
pub(super) fn refused(faults: &[Fault<'_>], body: &Node<'_>, id: Option<&str>) -> Node<'static> {
    let issues = faults.iter().map(|fault| issue(fault, body));
    let unnamed = faults.is_empty().then(|| {
        let issue = Object::new()
            .put("severity", "error")
            .put("code", "exception");
        issue.into()
    });
    Object::resource("OperationOutcome")
        .maybe("id", id.map(str::to_owned))
        .list("issue", issues.chain(unnamed))
        .into()
}

fn issue(fault: &Fault<'_>, body: &Node<'_>) -> Node<'static> {
    let coding = Object::new()
        .put("system", PROBLEMS)
        .put("code", fault.code);
    let details = Object::new()
        .list("coding", [coding.into()])
        .put("text", fault.meaning);
    let path = Some(r4::expression(body, fault.pointer)).filter(|path| !path.is_empty());
    Object::new()
        .put("severity", "error")
        .put("code", issue_type(fault.cause))
        .put("details", details)
        .maybe("diagnostics", words(fault.detail))
        .list("expression", path.as_deref().and_then(words))
        .into()
}

/// HL7's word for a cause, from its list of issue types.
fn issue_type(cause: Cause) -> &'static str {
    match cause {
        Cause::Body(problem) => body_issue_type(problem),
        Cause::Request => "invalid",
        Cause::Credentials => "login",
        Cause::Forbidden => "forbidden",
        Cause::NotFound => "not-found",
        Cause::Unsupported => "not-supported",
        Cause::Conflict => "conflict",
        Cause::Duplicate => "duplicate",
        Cause::Timeout => "timeout",
        Cause::Throttled => "throttled",
        Cause::Busy => "transient",
        Cause::Internal => "exception",
    }
}

fn body_issue_type(problem: ProblemCode) -> &'static str {
    match problem {
        ProblemCode::NotText
        | ProblemCode::Malformed
        | ProblemCode::ControlCharacter
        | ProblemCode::TooMany
        | ProblemCode::Unknown
        | ProblemCode::WrongType => "structure",
        ProblemCode::TooLarge | ProblemCode::TooDeep | ProblemCode::TooManyLines => "too-long",
        ProblemCode::UnknownFormat | ProblemCode::NoMessage | ProblemCode::WrongKind => {
            "not-supported"
        }
        ProblemCode::Missing => "required",
        ProblemCode::BadValue
        | ProblemCode::BadDate
        | ProblemCode::BadIdentifier
        | ProblemCode::Negative
        | ProblemCode::OutOfRange
        | ProblemCode::UnknownCurrency => "value",
        ProblemCode::DateOrder | ProblemCode::MixedCurrency | ProblemCode::DuplicateLine => {
            "invariant"
        }
        ProblemCode::DanglingReference => "not-found",
    }
}

/// What is told of a message without shares: that it was taken and under which number, every reason, and the
/// places of codes that wait to be mapped.
pub(super) fn told(answered: &Answered<'_>) -> Node<'static> {
    let answer = answered.answer;
    let taken = Object::new()
        .put("severity", "information")
        .put("code", "informational")
        .put(
            "details",
            Object::new().put(
                "text",
                head::disposition(answered, head::standing(answer.state)),
            ),
        )
        .put(
            "diagnostics",
            format!("the hub has the message as {}", answer.id),
        );
    let unmapped = answer.unmapped.iter().map(|place| {
        noted("warning", "code-invalid", Reason::CodeUnmapped).maybe(
            "diagnostics",
            words(&format!("in the canonical message at {place}")),
        )
    });
    let is_told_by_place =
        |reason: &Reason| *reason == Reason::CodeUnmapped && !answer.unmapped.is_empty();
    let reasons = head::reasons(answer).into_iter();
    let reasons = reasons
        .filter(|reason| !is_told_by_place(reason))
        .map(|reason| {
            if reason.refuses() {
                noted("warning", "business-rule", reason)
            } else {
                noted("information", "informational", reason)
            }
        });
    let findings = answer.findings.iter().map(|finding| {
        let severity = match finding.level {
            Level::Information => "information",
            Level::Warning | Level::Refusal => "warning",
        };
        let rule = finding.rule;
        coded_issue(
            severity,
            "business-rule",
            (FINDINGS, rule.code()),
            rule.meaning(),
        )
        .put("diagnostics", head::found(finding))
    });
    let issues = [taken]
        .into_iter()
        .chain(findings)
        .chain(reasons)
        .chain(unmapped);
    Object::resource("OperationOutcome")
        .put("id", answer.id.to_string())
        .list("issue", issues.map(Node::from))
        .into()
}

/// That there is more than is told.
pub(super) fn more() -> Node<'static> {
    let text = "There are more than are told here; a number, or days, would narrow the question.";
    let issue = Object::new()
        .put("severity", "warning")
        .put("code", "incomplete")
        .put("details", Object::new().put("text", text));
    Object::resource("OperationOutcome")
        .list("issue", [issue.into()])
        .into()
}

fn noted(severity: &'static str, code: &'static str, reason: Reason) -> Object {
    coded_issue(severity, code, (REASONS, reason.code()), reason.meaning())
}

fn coded_issue(
    severity: &'static str,
    code: &'static str,
    (system, detail): (&'static str, &'static str),
    meaning: &'static str,
) -> Object {
    let coding = Object::new().put("system", system).put("code", detail);
    Object::new()
        .put("severity", severity)
        .put("code", code)
        .put(
            "details",
            Object::new()
                .list("coding", [coding.into()])
                .put("text", meaning),
        )
}
