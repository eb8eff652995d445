//! Every way in which a request can fail, and what HTTP, gRPC and wire formats call it: one table, one place.
//!
//! The caller gets a code, a safe sentence and the request's id; the cause goes to the log. What is wrong
//! with one message is a [`ProblemCode`] of the domain; which status that gets is decided here too.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::error::Error;
use std::sync::Arc;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::settlement::Refused;
use takmil_formats::{Cause, Fault};
use takmil_store::StoreError;
use tonic::Code as Grpc;

macro_rules! codes {
    ($($variant:ident $code:literal $http:ident $grpc:ident $cause:ident $meaning:literal)+) => {
        /// The ways in which a request can fail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Code { $(#[doc = $meaning] $variant,)+ }

        impl Code {
            /// Every code, for the published list.
            pub(crate) const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The stable public code.
            pub(crate) fn code(self) -> &'static str {
                match self { $(Code::$variant => $code,)+ }
            }

            /// What it means, in one sentence.
            pub(crate) fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)+ }
            }

            /// Its HTTP status.
            pub(crate) fn http(self) -> StatusCode {
                match self { $(Code::$variant => StatusCode::$http,)+ }
            }

            /// Its gRPC status.
            pub(crate) fn grpc(self) -> Grpc {
                match self { $(Code::$variant => Grpc::$grpc,)+ }
            }

            /// What kind of thing it is to a wire format that has words of its own for it.
            fn cause(self) -> Cause {
                match self { $(Code::$variant => Cause::$cause,)+ }
            }
        }
    };
}

codes! {
    Body "API-BODY" BAD_REQUEST InvalidArgument Request "The body cannot be read."
    Parameter "API-PARAMETER" BAD_REQUEST InvalidArgument Request "A parameter or header of the request is wrong."
    Credentials "API-CREDENTIALS" UNAUTHORIZED Unauthenticated Credentials "The request carries no credentials that the hub knows."
    Certificate "API-CERTIFICATE" UNAUTHORIZED Unauthenticated Credentials "The client certificate is registered for nobody; have it registered at the hub."
    Forbidden "API-FORBIDDEN" FORBIDDEN PermissionDenied Forbidden "These credentials do not allow this."
    NoCertificate "API-NO-CERTIFICATE" FORBIDDEN PermissionDenied Forbidden "A key does not open this here; come to the partner port with a client certificate."
    NotFound "API-NOT-FOUND" NOT_FOUND NotFound NotFound "There is nothing here that these credentials may see."
    Method "API-METHOD" METHOD_NOT_ALLOWED Unimplemented Unsupported "The address does not take this method."
    Timeout "API-TIMEOUT" REQUEST_TIMEOUT DeadlineExceeded Timeout "The request took longer than the hub waits."
    Conflict "API-CONFLICT" CONFLICT FailedPrecondition Conflict "It contradicts what was decided before."
    Erased "API-ERASED" GONE FailedPrecondition NotFound "The member was erased, and with it what was sent and answered."
    Size "API-SIZE" PAYLOAD_TOO_LARGE OutOfRange Request "The body is larger than the hub takes."
    Media "API-MEDIA" UNSUPPORTED_MEDIA_TYPE InvalidArgument Unsupported "The hub speaks no such format here."
    Invalid "API-INVALID" UNPROCESSABLE_ENTITY InvalidArgument Request "The body was read, and its content is wrong."
    Changed "API-CHANGED" UNPROCESSABLE_ENTITY AlreadyExists Duplicate "Another content was taken before under the same key or identifier."
    Rate "API-RATE" TOO_MANY_REQUESTS ResourceExhausted Throttled "More requests than these credentials may send; wait as long as told."
    Stalled "API-STALLED" TOO_MANY_REQUESTS ResourceExhausted Throttled "The stream is not read; what it carried is offered again."
    Internal "API-INTERNAL" INTERNAL_SERVER_ERROR Internal Internal "The hub failed; the request's id leads to the cause."
    Busy "API-BUSY" SERVICE_UNAVAILABLE Unavailable Busy "The hub cannot take it now; repeat it later with the same key."
}

impl Code {
    /// The code of a problem with a body, by what the sender has to do about it.
    pub(crate) fn of(problem: ProblemCode) -> Code {
        match problem {
            ProblemCode::NotText
            | ProblemCode::Malformed
            | ProblemCode::ControlCharacter
            | ProblemCode::TooDeep
            | ProblemCode::NoMessage => Code::Body,
            ProblemCode::TooLarge => Code::Size,
            ProblemCode::UnknownFormat => Code::Media,
            _ => Code::Invalid,
        }
    }

    /// The code of what the book of settlement does not take.
    pub(crate) fn of_refused(refused: Refused) -> Code {
        match refused {
            Refused::State | Refused::Closed => Code::Conflict,
            Refused::Reference => Code::Changed,
            _ => Code::Invalid,
        }
    }

    /// The code of a bare HTTP status that another layer has set.
    pub(crate) fn of_status(status: StatusCode) -> Code {
        let same = |code: &&Code| code.http() == status;
        let fallback = match status.is_server_error() {
            true => Code::Internal,
            false => Code::Body,
        };
        Code::ALL.iter().find(same).copied().unwrap_or(fallback)
    }
}

/// A request that failed: what its sender is told, and what the log is told.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// In which way.
    pub(crate) code: Code,
    /// A safe sentence beyond the code's meaning.
    pub(crate) detail: Option<String>,
    /// What is wrong with the body, where it is the body.
    pub(crate) problems: Vec<Problem>,
    /// Why the book of settlement does not take it, where it is that.
    pub(crate) refused: Option<Refused>,
    /// When to try again.
    pub(crate) retry_after_s: Option<u64>,
    /// What went wrong inside the hub, for the log alone.
    pub(crate) cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure with a sentence of its own.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Failure {
        Failure {
            detail: Some(detail.into()),
            ..Failure::from(code)
        }
    }

    /// A failure of the hub itself.
    pub(crate) fn internal(cause: impl Error + Send + Sync + 'static) -> Failure {
        Failure {
            cause: Some(Arc::new(cause)),
            ..Failure::from(Code::Internal)
        }
    }

    /// A failure to serve now.
    pub(crate) fn busy(retry_after_s: u64) -> Failure {
        Failure {
            retry_after_s: Some(retry_after_s),
            ..Failure::from(Code::Busy)
        }
    }

    /// The public code: the first problem's own, where there is one, or the book's.
    pub(crate) fn public_code(&self) -> &'static str {
        match (self.problems.first(), self.refused) {
            (Some(problem), _) => problem.code.code(),
            (None, Some(refused)) => refused.code(),
            (None, None) => self.code.code(),
        }
    }

    /// The meaning of the public code.
    pub(crate) fn meaning(&self) -> &'static str {
        match (self.problems.first(), self.refused) {
            (Some(problem), _) => problem.code.meaning(),
            (None, Some(refused)) => refused.meaning(),
            (None, None) => self.code.meaning(),
        }
    }

    /// Everything that was wrong, as wire formats tell it.
    pub(crate) fn faults(&self) -> Vec<Fault<'_>> {
        if !self.problems.is_empty() {
            return self.problems.iter().map(Fault::from).collect();
        }
        vec![Fault {
            code: self.code.code(),
            meaning: self.code.meaning(),
            pointer: "",
            detail: self.sentence(),
            cause: self.code.cause(),
        }]
    }

    /// A sentence for the sender's engineer.
    pub(crate) fn sentence(&self) -> &str {
        let problem = self.problems.first().map(|problem| problem.detail.as_str());
        let own = self.detail.as_deref().or(problem);
        own.unwrap_or_else(|| self.meaning())
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Failure {
        Failure {
            code,
            detail: None,
            problems: Vec::new(),
            refused: None,
            retry_after_s: None,
            cause: None,
        }
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Failure {
        let first = problems.first().map(|problem| Code::of(problem.code));
        Failure {
            problems,
            ..Failure::from(first.unwrap_or(Code::Invalid))
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::from(vec![problem])
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        Failure {
            refused: Some(refused),
            ..Failure::from(Code::of_refused(refused))
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        match error {
            StoreError::NotFound => Failure::from(Code::NotFound),
            StoreError::Erased => Failure::from(Code::Erased),
            StoreError::OwnProposal(_) => {
                Failure::new(Code::Forbidden, "another person than the proposer decides")
            }
            StoreError::AlreadyDecided(_) => Failure::new(Code::Conflict, "it is decided already"),
            StoreError::PlanOutOfLine {
                pointer, detail, ..
            }
            | StoreError::TariffOutOfLine {
                pointer, detail, ..
            } => vec![Problem::new(ProblemCode::BadValue, pointer, detail)].into(),
            StoreError::PlanDiffers { .. }
            | StoreError::TariffDiffers { .. }
            | StoreError::RuleDiffers { .. } => Failure::new(
                Code::Conflict,
                "this version is kept already, with other contents; raise the version",
            ),
            StoreError::Broken { .. } => Failure {
                cause: Some(Arc::new(error)),
                ..Failure::new(
                    Code::Conflict,
                    "it names what is not there, or is named by another already",
                )
            },
            StoreError::Unavailable(_) | StoreError::Contended => Failure {
                cause: Some(Arc::new(error)),
                ..Failure::busy(RETRY_UNAVAILABLE_S)
            },
            _ => Failure::internal(error),
        }
    }
}

impl From<takmil_engine::Error> for Failure {
    fn from(error: takmil_engine::Error) -> Failure {
        use takmil_engine::Error;
        match error {
            Error::UnreadableBody(problem) => Failure::from(problem),
            Error::TooMany { retry_after_ms } => Failure {
                retry_after_s: Some(seconds(retry_after_ms)),
                ..Failure::new(Code::Rate, "too many of your messages wait already")
            },
            Error::Overloaded { retry_after_ms } => Failure::busy(seconds(retry_after_ms)),
            Error::Stopping => Failure::busy(RETRY_STOPPING_S),
            Error::Unavailable => Failure::busy(RETRY_UNAVAILABLE_S),
            Error::NotFound => Failure::from(Code::NotFound),
            Error::Changed => Failure::from(Code::Changed),
            Error::Store(error) => Failure::from(error),
            error => Failure::internal(error),
        }
    }
}

/// Whole seconds, as headers have them.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1_000).max(1)
}

/// When to come back to a hub whose database cannot serve for a moment.
const RETRY_UNAVAILABLE_S: u64 = 1;

/// When to come back to a hub that is stopping: another will be up by then, or it again.
const RETRY_STOPPING_S: u64 = 5;

impl IntoResponse for Failure {
    /// A bare status that carries the failure: the outermost layer knows the request's id and the face it
    /// came by, and writes the body.
    fn into_response(self) -> Response {
        let mut response = self.code.http().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> tonic::Status {
        if let Some(cause) = &failure.cause
            // While the database is away, every call fails by the same cause, and the engine tells of it.
            && failure.code != Code::Busy
        {
            tracing::error!(error = %Chain(cause.as_ref()), "a call failed inside the hub");
        }
        let text = format!("{}: {}", failure.public_code(), failure.sentence());
        tonic::Status::new(failure.code.grpc(), text)
    }
}

/// An error with all its causes, in one line of the log.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_codes_are_unique_and_named_alike() {
        let mut codes: Vec<&str> = Code::ALL.iter().map(|code| code.code()).collect();
        assert!(codes.iter().all(|code| code.starts_with("API-")));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
    }

    #[test]
    fn a_refusal_of_the_body_is_never_the_hubs_fault() {
        for problem in ProblemCode::ALL {
            assert!(Code::of(*problem).http().is_client_error(), "{problem:?}");
        }
    }

    #[test]
    fn the_first_problem_speaks_for_the_failure() {
        let wrong_day = Problem::new(ProblemCode::BadDate, "/occurred_on", "not a real day");
        let failure = Failure::from(wrong_day);
        assert_eq!(failure.public_code(), "VAL-DATE");
        assert_eq!(failure.sentence(), "not a real day");
        assert_eq!(failure.code.http(), StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn who_sends_too_much_hears_that_it_is_its_own_and_when_to_come_back() {
        use takmil_engine::Error;
        let retry_after_ms = 1_001;
        for (error, status) in [
            (Error::TooMany { retry_after_ms }, 429),
            (Error::Overloaded { retry_after_ms }, 503),
        ] {
            let failure = Failure::from(error);
            let told = (failure.code.http().as_u16(), failure.retry_after_s);
            assert_eq!(told, (status, Some(2)));
        }
    }

    #[test]
    fn a_bare_status_finds_its_code() {
        assert_eq!(
            Code::of_status(StatusCode::METHOD_NOT_ALLOWED),
            Code::Method
        );
        assert_eq!(Code::of_status(StatusCode::BAD_GATEWAY), Code::Internal);
        assert_eq!(Code::of_status(StatusCode::IM_A_TEAPOT), Code::Body);
    }
}
