//! An insurer's side of the hub's own service: covers, decisions, and deliveries from behind a firewall.

use std::time::Duration;

use takmil_proto::v1::deliveries_request::Request as Said;
use takmil_proto::v1::hub_service_client::HubServiceClient;
use takmil_proto::v1::settlement_service_client::SettlementServiceClient;
use takmil_proto::{MAX_DELIVERY_BYTES, v1};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status, Streaming};

use crate::Error;
use crate::tls::{Identity, use_ring};

/// How long a connection to the hub may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// Acknowledgements that may wait to be sent: as many as the largest credit.
const MAX_WAITING: usize = 1_000;

/// A client of the hub's service for insurers. Connects when it is first used; a clone shares the connection.
#[derive(Clone)]
pub struct HubClient {
    service: HubServiceClient<Channel>,
    book: SettlementServiceClient<Channel>,
    /// The key, where it has one.
    authorization: Option<MetadataValue<Ascii>>,
}

impl HubClient {
    /// A client with an insurer's key. `ca_pem` is the authority that the hub's certificate goes back to; the
    /// machine's own where there is none.
    ///
    /// # Errors
    /// [`Error::Hub`] where address, authority or key cannot be used.
    pub fn new(url: &str, ca_pem: Option<&str>, key: &str) -> Result<Self, Error> {
        let authorization = format!("Bearer {key}").parse();
        let authorization =
            authorization.map_err(|_| Error::Hub("the key is not ASCII".to_owned()))?;
        Self::connecting(url, trust(ca_pem), Some(authorization))
    }

    /// A client of the hub's partner port, with an insurer's certificate. `ca_pem` as for [`HubClient::new`].
    ///
    /// # Errors
    /// [`Error::Hub`] where address, authority or certificate cannot be used.
    pub fn presenting(url: &str, ca_pem: Option<&str>, identity: &Identity) -> Result<Self, Error> {
        let Identity {
            certificate_pem,
            key_pem,
        } = identity;
        let shown = tonic::transport::Identity::from_pem(certificate_pem, key_pem);
        Self::connecting(url, trust(ca_pem).identity(shown), None)
    }

    fn connecting(
        url: &str,
        tls: ClientTlsConfig,
        authorization: Option<MetadataValue<Ascii>>,
    ) -> Result<Self, Error> {
        use_ring();
        let unusable = |error: &dyn std::fmt::Display| Error::Hub(error.to_string());
        let target = Channel::from_shared(url.to_owned()).map_err(|error| unusable(&error))?;
        let target = target.connect_timeout(CONNECT).tcp_nodelay(true);
        let target: Endpoint = match target.uri().scheme_str() {
            Some("https") => target.tls_config(tls).map_err(|error| unusable(&error))?,
            _ => target,
        };
        let channel = target.connect_lazy();
        let service = HubServiceClient::new(channel.clone());
        Ok(Self {
            service: service.max_decoding_message_size(MAX_DELIVERY_BYTES),
            book: SettlementServiceClient::new(channel),
            authorization,
        })
    }

    /// Registers covers; one result each, in their order.
    ///
    /// # Errors
    /// The status with which the hub ended the stream. What was answered before it is lost: send again.
    pub async fn upsert_coverages(
        &self,
        coverages: Vec<v1::Coverage>,
    ) -> Result<Vec<v1::UpsertCoveragesResponse>, Status> {
        let rows = coverages.into_iter().map(|coverage| {
            let coverage = Some(coverage);
            v1::UpsertCoveragesRequest { coverage }
        });
        let rows = self.signed(tokio_stream::iter(rows));
        let results = self.service.clone().upsert_coverages(rows).await?;
        results.into_inner().collect().await
    }

    /// Submits decisions; one result each, in their order.
    ///
    /// # Errors
    /// The status with which the hub ended the stream. What was answered before it is lost: send again.
    pub async fn submit_decisions(
        &self,
        decisions: Vec<v1::InsurerDecision>,
    ) -> Result<Vec<v1::SubmitDecisionsResponse>, Status> {
        let rows = decisions.into_iter().map(|decision| {
            let decision = Some(decision);
            v1::SubmitDecisionsRequest { decision }
        });
        let rows = self.signed(tokio_stream::iter(rows));
        let results = self.service.clone().submit_decisions(rows).await?;
        results.into_inner().collect().await
    }

    /// Opens a delivery stream that has at most `credit` deliveries unacknowledged.
    ///
    /// # Errors
    /// The status with which the hub refuses the stream.
    pub async fn deliveries(&self, credit: u32) -> Result<DeliveryStream, Status> {
        let (said, rows) = mpsc::channel(MAX_WAITING);
        let rows = self.signed(ReceiverStream::new(rows));
        let subscribe = Said::Subscribe(v1::Subscribe { credit });
        say(&said, subscribe).await?;
        let incoming = self.service.clone().deliveries(rows).await?;
        let incoming = incoming.into_inner();
        Ok(DeliveryStream { said, incoming })
    }

    /// What is owed now, so many deliveries at most.
    ///
    /// # Errors
    /// The status with which the hub refuses.
    pub async fn pull(&self, most: u32) -> Result<Vec<v1::Delivery>, Status> {
        let request = self.signed(v1::PullRequest { most });
        let response = self.service.clone().pull(request).await?;
        Ok(response.into_inner().deliveries)
    }

    /// Says what became of deliveries; one result each, in their order.
    ///
    /// # Errors
    /// The status with which the hub refuses. What it had noted before is noted still: say it again.
    pub async fn acknowledge(
        &self,
        acks: Vec<v1::DeliveryAck>,
    ) -> Result<Vec<v1::AckResult>, Status> {
        let request = self.signed(v1::AcknowledgeRequest { acks });
        let response = self.service.clone().acknowledge(request).await?;
        Ok(response.into_inner().results)
    }

    /// Proposes versions of plans, as JSON; one result each, in their order. The key is a plan author's.
    ///
    /// # Errors
    /// The status with which the hub ended the stream.
    pub async fn submit_plans(
        &self,
        plans: Vec<Vec<u8>>,
    ) -> Result<Vec<v1::SubmitPlansResponse>, Status> {
        let rows = plans.into_iter();
        let rows = rows.map(|plan_json| v1::SubmitPlansRequest { plan_json });
        let rows = self.signed(tokio_stream::iter(rows));
        let results = self.service.clone().submit_plans(rows).await?;
        results.into_inner().collect().await
    }

    /// All that has changed since a cursor; since the beginning where it is empty.
    ///
    /// # Errors
    /// The status with which the hub ended the stream.
    pub async fn history(&self, updated_after: &str) -> Result<Vec<v1::HistoryResponse>, Status> {
        let request = self.signed(v1::HistoryRequest {
            updated_after: updated_after.to_owned(),
        });
        let rows = self.service.clone().history(request).await?;
        rows.into_inner().collect().await
    }

    /// What the insurer owes for claims.
    ///
    /// # Errors
    /// The status with which the hub ended the stream.
    pub async fn dues(
        &self,
        asked: v1::ListDuesRequest,
    ) -> Result<Vec<v1::ListDuesResponse>, Status> {
        let rows = self.book.clone().list_dues(self.signed(asked)).await?;
        rows.into_inner().collect().await
    }

    /// The statements of days that are over.
    ///
    /// # Errors
    /// The status with which the hub ended the stream.
    pub async fn statements(
        &self,
        asked: v1::ListStatementsRequest,
    ) -> Result<Vec<v1::ListStatementsResponse>, Status> {
        let mut book = self.book.clone();
        let rows = book.list_statements(self.signed(asked)).await?;
        rows.into_inner().collect().await
    }

    /// Where figures differ.
    ///
    /// # Errors
    /// The status with which the hub ended the stream.
    pub async fn differences(
        &self,
        asked: v1::ListDifferencesRequest,
    ) -> Result<Vec<v1::ListDifferencesResponse>, Status> {
        let mut book = self.book.clone();
        let rows = book.list_differences(self.signed(asked)).await?;
        rows.into_inner().collect().await
    }

    /// Gives notice of payments; one result each, in their order.
    ///
    /// # Errors
    /// The status with which the hub ended the stream. What was answered before it is lost: send again.
    pub async fn notify_payments(
        &self,
        notices: Vec<v1::NotifyPaymentsRequest>,
    ) -> Result<Vec<v1::NotifyPaymentsResponse>, Status> {
        let rows = self.signed(tokio_stream::iter(notices));
        let results = self.book.clone().notify_payments(rows).await?;
        results.into_inner().collect().await
    }

    /// States figures; one result each, in their order.
    ///
    /// # Errors
    /// The status with which the hub ended the stream. What was answered before it is lost: send again.
    pub async fn state_figures(
        &self,
        figures: Vec<v1::StateFiguresRequest>,
    ) -> Result<Vec<v1::StateFiguresResponse>, Status> {
        let rows = self.signed(tokio_stream::iter(figures));
        let results = self.book.clone().state_figures(rows).await?;
        results.into_inner().collect().await
    }

    fn signed<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(key) = self.authorization.clone() {
            request.metadata_mut().insert("authorization", key);
        }
        request
    }
}

fn trust(ca_pem: Option<&str>) -> ClientTlsConfig {
    match ca_pem {
        Some(ca_pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca_pem)),
        None => ClientTlsConfig::new().with_native_roots(),
    }
}

/// Deliveries as they come, to be acknowledged one by one. Dropping it ends the stream.
pub struct DeliveryStream {
    said: mpsc::Sender<v1::DeliveriesRequest>,
    incoming: Streaming<v1::DeliveriesResponse>,
}

impl DeliveryStream {
    /// The next delivery, when there is one; `None` where the hub has ended the stream.
    ///
    /// # Errors
    /// The status with which the stream broke.
    pub async fn next(&mut self) -> Result<Option<v1::DeliveriesResponse>, Status> {
        self.incoming.message().await
    }

    /// Acknowledges a delivery, which gives its credit back.
    ///
    /// # Errors
    /// That the stream is gone.
    pub async fn acknowledge(&self, ack: v1::DeliveryAck) -> Result<(), Status> {
        say(&self.said, Said::Ack(ack)).await
    }
}

async fn say(to: &mpsc::Sender<v1::DeliveriesRequest>, said: Said) -> Result<(), Status> {
    let request = Some(said);
    let sent = to.send(v1::DeliveriesRequest { request }).await;
    sent.map_err(|_| Status::unavailable("the delivery stream has ended"))
}
