//! An insurer's messages in the order in which they changed.

use takmil_engine::Change;
use takmil_insurers::grpc::delivery;
use takmil_proto::v1;
use tokio::sync::mpsc::Sender;
use tonic::Status;

use crate::auth::{self, Identity};
use crate::code::Failure;
use crate::faces::App;
use crate::faces::changed::changes;

/// How many rows are read at once.
const PAGE: u32 = 100;

type Told = Sender<Result<v1::HistoryResponse, Status>>;

/// Tells of all that has changed since a cursor, until there is nothing more or nobody listens.
pub(super) async fn tell(app: App, identity: Identity, mut after: String, tell: Told) {
    loop {
        let page = match page(&app, &identity, &after).await {
            Ok(page) => page,
            Err(status) => {
                // Who has left does not hear why.
                let _ = tell.send(Err(status)).await;
                return;
            }
        };
        for row in page.rows {
            if tell.send(Ok(row)).await.is_err() {
                return;
            }
        }
        if page.caught_up {
            return;
        }
        after = page.next;
    }
}

struct Page {
    rows: Vec<v1::HistoryResponse>,
    next: String,
    caught_up: bool,
}

async fn page(app: &App, identity: &Identity, after: &str) -> Result<Page, Status> {
    auth::still(app, identity).await?;
    let operation = "HubService/History";
    let changes = changes(app, identity, operation, (after, PAGE)).await?;
    let rows = changes.messages.into_iter().map(row);
    Ok(Page {
        rows: rows.collect::<Result<_, _>>()?,
        next: changes.next.to_string(),
        caught_up: changes.caught_up,
    })
}

fn row(change: Change) -> Result<v1::HistoryResponse, Failure> {
    let parts = change.document.as_deref().map(delivery::parts);
    let parts = parts.transpose().map_err(Failure::internal)?;
    let (message, answer, codes) = parts.map_or((None, None, None), |parts| {
        (Some(parts.message), Some(parts.answer), parts.codes)
    });
    let envelope = change.envelope;
    Ok(v1::HistoryResponse {
        message_id: envelope.id.to_string(),
        kind: delivery::kind(envelope.kind).into(),
        state: delivery::state(envelope.state).into(),
        updated_at: Some(delivery::moment(envelope.updated_at)),
        message,
        answer,
        cursor: change.cursor.to_string(),
        codes,
    })
}
