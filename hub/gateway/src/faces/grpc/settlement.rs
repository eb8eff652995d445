//! The book of settlement over gRPC, for an insurer's finance system: the same rows, and the same refusals, as over REST.

use serde_json::{Value, json};
use takmil_domain::date::Date;
use takmil_domain::digest::sha256;
use takmil_domain::ids::{DifferenceId, ParticipantId};
use takmil_domain::settlement::payment::RowFate;
use takmil_domain::settlement::state::DifferenceState;
use takmil_domain::settlement::{Due, PayeeKind, Receipt};
use takmil_insurers::grpc::delivery;
use takmil_proto::v1::settlement_service_server::SettlementService;
use takmil_proto::v1::{self, notify_payments_response, state_figures_response};
use takmil_store::{
    BookFilter, DifferenceRecord, FiguresReceipt, StatementFilter, StatementRecord,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{UNREAD, insurer, one_by_one, wire_failure};
use crate::auth::{self, Identity};
use crate::backup::hex;
use crate::code::{Code, Failure};
use crate::faces::App;
use crate::faces::rest::{due_place, notify_payment, take_figures};

/// How many rows are read at once.
const PAGE: u32 = 500;

/// The service.
pub(super) struct Book {
    pub(super) app: App,
}

type Told<T> = ReceiverStream<Result<T, Status>>;

#[tonic::async_trait]
impl SettlementService for Book {
    type ListDuesStream = Told<v1::ListDuesResponse>;
    type ListStatementsStream = Told<v1::ListStatementsResponse>;
    type ListDifferencesStream = Told<v1::ListDifferencesResponse>;
    type NotifyPaymentsStream = Told<v1::NotifyPaymentsResponse>;
    type StateFiguresStream = Told<v1::StateFiguresResponse>;

    async fn list_dues(
        &self,
        request: Request<v1::ListDuesRequest>,
    ) -> Result<Response<Self::ListDuesStream>, Status> {
        let identity = insurer(&request)?;
        let asked = request.into_inner();
        let (whose, open) = (with(&asked.provider_id)?, asked.open);
        let first = place(&asked.after, due_place)?;
        let page = move |app: App, identity: Identity, after: Option<_>| {
            let whose = whose.clone();
            async move {
                let (store, scope) = (&app.store, &identity.scope);
                let after = after.as_ref();
                store.dues(scope, &whose, None, open, after, PAGE).await
            }
        };
        let row = |due: Due| {
            let place = (due.message, due.pair.insurer.clone());
            (owed(&due), place)
        };
        Ok(self.all(identity, first, page, row))
    }

    async fn list_statements(
        &self,
        request: Request<v1::ListStatementsRequest>,
    ) -> Result<Response<Self::ListStatementsStream>, Status> {
        let identity = insurer(&request)?;
        let asked = request.into_inner();
        let filter = StatementFilter {
            whose: with(&asked.provider_id)?,
            from: place(&asked.from, Date::parse)?,
            to: place(&asked.to, Date::parse)?,
        };
        let first = place(&asked.after, |text| text.parse::<u64>().ok())?;
        let page = move |app: App, identity: Identity, after: Option<u64>| {
            let filter = filter.clone();
            async move {
                let (store, scope) = (&app.store, &identity.scope);
                let after = after.unwrap_or(0);
                store.statements(scope, &filter, after, PAGE).await
            }
        };
        let row = |record: StatementRecord| (stated(&record), record.number);
        Ok(self.all(identity, first, page, row))
    }

    async fn list_differences(
        &self,
        request: Request<v1::ListDifferencesRequest>,
    ) -> Result<Response<Self::ListDifferencesStream>, Status> {
        let identity = insurer(&request)?;
        let asked = request.into_inner();
        let whose = with(&asked.provider_id)?;
        let state = place(&asked.state, DifferenceState::parse)?;
        let first = place(&asked.after, DifferenceId::parse)?;
        let page = move |app: App, identity: Identity, after| {
            let whose = whose.clone();
            async move {
                let (store, scope) = (&app.store, &identity.scope);
                store.differences(scope, &whose, state, after, PAGE).await
            }
        };
        let row = |record: DifferenceRecord| (differs(&record), record.id);
        Ok(self.all(identity, first, page, row))
    }

    async fn notify_payments(
        &self,
        request: Request<Streaming<v1::NotifyPaymentsRequest>>,
    ) -> Result<Response<Self::NotifyPaymentsStream>, Status> {
        let identity = insurer(&request)?;
        let notices = request.into_inner();
        Ok(one_by_one(&self.app, identity, notices, notified))
    }

    async fn state_figures(
        &self,
        request: Request<Streaming<v1::StateFiguresRequest>>,
    ) -> Result<Response<Self::StateFiguresStream>, Status> {
        let identity = insurer(&request)?;
        let figures = request.into_inner();
        Ok(one_by_one(&self.app, identity, figures, compared))
    }
}

impl Book {
    /// Tells all rows of a list, page by page, until there are no more or nobody listens.
    fn all<R, P, W, F>(
        &self,
        identity: Identity,
        first: Option<P>,
        page: impl Fn(App, Identity, Option<P>) -> F + Send + 'static,
        row: impl Fn(R) -> (W, P) + Send + 'static,
    ) -> Response<Told<W>>
    where
        R: Send + 'static,
        P: Send + 'static,
        W: Send + 'static,
        F: Future<Output = Result<Vec<R>, takmil_store::StoreError>> + Send,
    {
        let (tell, told) = mpsc::channel(UNREAD);
        let app = self.app.clone();
        tokio::spawn(async move {
            let mut after = first;
            loop {
                let read = match auth::still(&app, &identity).await {
                    Ok(()) => page(app.clone(), identity.clone(), after.take()).await,
                    Err(failure) => {
                        // Who has left does not hear why.
                        let _ = tell.send(Err(failure.into())).await;
                        return;
                    }
                };
                let rows = match read {
                    Ok(rows) => rows,
                    Err(error) => {
                        let _ = tell.send(Err(Failure::from(error).into())).await;
                        return;
                    }
                };
                let is_last = u32::try_from(rows.len()).is_ok_and(|count| count < PAGE);
                for own in rows {
                    let (written, place) = row(own);
                    after = Some(place);
                    if tell.send(Ok(written)).await.is_err() {
                        return;
                    }
                }
                if is_last {
                    return;
                }
            }
        });
        Response::new(ReceiverStream::new(told))
    }
}

/// Reads a word of a question; empty where nothing is said.
fn place<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Failure> {
    let unreadable = || {
        let detail = "a cursor is one that the hub gave, a day has the form YYYY-MM-DD, a state one of those named";
        Failure::new(Code::Parameter, detail)
    };
    match text {
        "" => Ok(None),
        _ => read(text).map(Some).ok_or_else(unreadable),
    }
}

/// The rows with one provider, or with all.
fn with(provider: &str) -> Result<BookFilter, Failure> {
    Ok(BookFilter {
        insurer: None,
        provider: place(provider, ParticipantId::parse)?,
    })
}

fn payee(kind: PayeeKind) -> i32 {
    let kind = match kind {
        PayeeKind::Provider => v1::PayeeKind::Provider,
        PayeeKind::Member => v1::PayeeKind::Member,
        PayeeKind::Other => v1::PayeeKind::Other,
    };
    kind.into()
}

fn owed(due: &Due) -> v1::ListDuesResponse {
    let lines = due.lines.iter().map(|line| v1::DueLine {
        seq: line.seq,
        billed: line.billed.get(),
        base: line.base.get(),
        amount: line.amount.get(),
    });
    v1::ListDuesResponse {
        message_id: due.message.to_string(),
        provider_id: due.pair.provider.to_string(),
        payee: payee(due.pair.payee),
        currency_code: due.pair.currency.to_string(),
        on_day: due.on_day.to_string(),
        due_on: due.due_on.to_string(),
        incurred: due.incurred.get(),
        noticed: due.noticed.get(),
        confirmed: due.confirmed.get(),
        disputed: due.disputed.get(),
        written_off: due.written_off.get(),
        open: due.open().get(),
        lines: lines.collect(),
        cursor: format!("{}:{}", due.message, due.pair.insurer),
    }
}

fn stated(record: &StatementRecord) -> v1::ListStatementsResponse {
    let statement = &record.statement;
    let sums = statement.sums.iter();
    v1::ListStatementsResponse {
        number: record.number,
        provider_id: statement.pair.provider.to_string(),
        payee: payee(statement.pair.payee),
        currency_code: statement.pair.currency.to_string(),
        day: statement.day.to_string(),
        opening: statement.opening,
        sums: sums
            .map(|(kind, sum)| (kind.as_str().to_owned(), *sum))
            .collect(),
        closing: statement.closing,
        claims: statement.claims,
        transfers: statement.transfers,
        made_at: Some(delivery::moment(statement.made_at)),
        digest: hex(statement.digest),
        cursor: record.number.to_string(),
    }
}

fn differs(record: &DifferenceRecord) -> v1::ListDifferencesResponse {
    v1::ListDifferencesResponse {
        difference_id: record.id.to_string(),
        difference_json: serde_json::to_string(record).unwrap_or_default(),
        cursor: record.id.to_string(),
    }
}

/// A payment's notice as the document that REST takes.
fn notice(wire: &v1::NotifyPaymentsRequest) -> Value {
    let amount = wire.amount.clone().unwrap_or_default();
    let mut notice = json!({
        "reference": wire.reference,
        "provider": wire.provider_id,
        "currency": amount.currency_code,
        "amount": amount.units,
        "paid_on": wire.paid_on,
    });
    let mut say = |name: &str, value: Option<Value>| {
        if let (Some(value), Some(notice)) = (value, notice.as_object_mut()) {
            notice.insert(name.to_owned(), value);
        }
    };
    // A kind that nobody knows is refused by its place, as any other word is.
    say(
        "payee",
        match v1::PayeeKind::try_from(wire.payee) {
            Ok(v1::PayeeKind::Unspecified) => None,
            Ok(v1::PayeeKind::Provider) => Some(json!(PayeeKind::Provider)),
            Ok(v1::PayeeKind::Member) => Some(json!(PayeeKind::Member)),
            Ok(v1::PayeeKind::Other) => Some(json!(PayeeKind::Other)),
            Err(_) => Some(json!(wire.payee)),
        },
    );
    let instrument = Some(&wire.instrument).filter(|text| !text.is_empty());
    say("instrument", instrument.map(|text| json!(text)));
    say("statement", wire.statement.map(|number| json!(number)));
    let rows = wire.rows.iter().map(|row| {
        let mut named = json!({"message": row.message_id});
        if let Some(line) = row.line {
            named["line"] = json!(line);
        }
        if let Some(amount) = row.amount {
            named["amount"] = json!(amount);
        }
        named
    });
    let rows: Vec<Value> = rows.collect();
    say("allocations", (!rows.is_empty()).then(|| json!(rows)));
    notice
}

async fn notified(
    app: App,
    identity: Identity,
    row: u64,
    received: v1::NotifyPaymentsRequest,
) -> Result<v1::NotifyPaymentsResponse, Status> {
    let result = match notify_payment(&app, &identity, &notice(&received)).await {
        Ok(receipt) => notify_payments_response::Result::Taken(booked(&receipt)),
        // What is wrong with one notice is its own result; what is wrong with the hub ends the stream.
        Err(failure) if failure.code.http().is_server_error() => return Err(failure.into()),
        Err(failure) => notify_payments_response::Result::Problem(wire_failure(&failure)),
    };
    Ok(v1::NotifyPaymentsResponse {
        row,
        reference: received.reference,
        result: Some(result),
    })
}

fn booked(receipt: &Receipt) -> v1::PaymentTaken {
    let fate = |own: &RowFate| v1::PaymentRowTaken {
        booked: own.booked.get(),
        refused: own.refused.map(|own| wire_failure(&own.into())),
    };
    v1::PaymentTaken {
        payment_id: receipt.payment.to_string(),
        allocated: receipt.allocated.get(),
        prepaid: receipt.prepaid.get(),
        rows: receipt.rows.iter().map(fate).collect(),
    }
}

/// Figures as the document that REST takes.
fn figures(wire: &v1::StateFiguresRequest) -> Value {
    let claims = wire.claims.iter().map(|own| {
        let mut claim = json!({"message": own.message_id, "amount": own.amount});
        match v1::AnswerState::try_from(own.state) {
            Ok(v1::AnswerState::Unspecified) => {}
            Ok(state) => {
                let name = state.as_str_name().trim_start_matches("ANSWER_STATE_");
                claim["state"] = json!(name.to_ascii_lowercase());
            }
            Err(_) => claim["state"] = json!(own.state),
        }
        if !own.limits.is_empty() {
            claim["limits"] = json!(own.limits);
        }
        claim
    });
    json!({
        "reference": wire.reference,
        "from": wire.from,
        "to": wire.to,
        "claims": claims.collect::<Vec<Value>>(),
    })
}

async fn compared(
    app: App,
    identity: Identity,
    row: u64,
    received: v1::StateFiguresRequest,
) -> Result<v1::StateFiguresResponse, Status> {
    let document = figures(&received);
    let digest = sha256(document.to_string().as_bytes());
    let result = match take_figures(&app, &identity, &document, digest).await {
        Ok(receipt) => state_figures_response::Result::Taken(taken(&receipt)),
        Err(failure) if failure.code.http().is_server_error() => return Err(failure.into()),
        Err(failure) => state_figures_response::Result::Problem(wire_failure(&failure)),
    };
    Ok(v1::StateFiguresResponse {
        row,
        reference: received.reference,
        result: Some(result),
    })
}

fn taken(receipt: &FiguresReceipt) -> v1::FiguresTaken {
    let refused = receipt.refused.iter().map(|own| v1::Problem {
        pointer: own.pointer.clone(),
        ..wire_failure(&own.refused.into())
    });
    v1::FiguresTaken {
        claims: u64::try_from(receipt.taken).unwrap_or(u64::MAX),
        refused: refused.collect(),
    }
}
