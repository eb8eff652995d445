//! The hub's service for insurers, over the same port: covers and decisions as streams, deliveries within a
//! credit, health and reflection.

use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use takmil_proto::v1::hub_service_client::HubServiceClient;
use takmil_proto::v1::{self, deliveries_request, upsert_coverages_response};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::hub::{Hub, INSURER, PROVIDER, claim};

async fn channel(hub: &Hub) -> Channel {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(hub.certificate()));
    Endpoint::from_shared(hub.base.clone())
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect()
        .await
        .unwrap()
}

fn with_key<T>(body: T, key: &str) -> Request<T> {
    let mut request = Request::new(body);
    let value: MetadataValue<_> = format!("Bearer {key}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

fn cover(member: &str, plan: &str) -> v1::UpsertCoveragesRequest {
    v1::UpsertCoveragesRequest {
        coverage: Some(v1::Coverage {
            role: v1::InsurerRole::Supplementary.into(),
            policy: "G-1".to_owned(),
            certificate: format!("G-1-{member}"),
            member: Some(v1::Member {
                identifiers: vec![v1::Identifier {
                    system: "urn:takmil:sample:member".to_owned(),
                    value: member.to_owned(),
                }],
                ..v1::Member::default()
            }),
            plan_id: plan.to_owned(),
            start: "2025-01-01".to_owned(),
            ..v1::Coverage::default()
        }),
    }
}

#[tokio::test]
async fn covers_stream_in_and_each_row_is_answered() {
    let hub = Hub::start("");
    let mut client = HubServiceClient::new(channel(&hub).await);
    let rows: Vec<_> = (0..1_200)
        .map(|row| {
            cover(
                &format!("G-{row}"),
                if row == 700 {
                    "none"
                } else {
                    "ma-mutuelle-360"
                },
            )
        })
        .collect();
    let request = with_key(tokio_stream::iter(rows), &hub.place.key(INSURER));
    let mut answers = client.upsert_coverages(request).await.unwrap().into_inner();
    let mut seen = 0;
    while let Some(answer) = answers.message().await.unwrap() {
        seen += 1;
        assert_eq!(answer.row, seen);
        let refused = matches!(
            answer.result,
            Some(upsert_coverages_response::Result::Problem(_))
        );
        assert_eq!(refused, seen == 701, "row {seen}");
    }
    assert_eq!(seen, 1_200);
    let paid = hub
        .send(
            Method::POST,
            "/v1/claims",
            &hub.place.key(PROVIDER),
            &claim("G-1", "G-7"),
        )
        .await
        .ok();
    assert_eq!(
        paid["decision"]["totals"]["supplementary"][0][0],
        json!(INSURER)
    );
}

#[tokio::test]
async fn calls_without_an_insurers_key_are_turned_away() {
    let hub = Hub::start("");
    let mut client = HubServiceClient::new(channel(&hub).await);
    let none = client
        .upsert_coverages(tokio_stream::iter([cover("G-1", "x")]))
        .await
        .unwrap_err();
    assert_eq!(none.code(), Code::Unauthenticated);
    let wrong_role = with_key(
        tokio_stream::iter([cover("G-1", "x")]),
        &hub.place.key(PROVIDER),
    );
    assert_eq!(
        client
            .upsert_coverages(wrong_role)
            .await
            .unwrap_err()
            .code(),
        Code::PermissionDenied
    );
}

#[tokio::test]
async fn deliveries_flow_within_the_credit_and_come_again_until_acknowledged() {
    let hub = Hub::start("");
    let (provider, insurer) = (hub.place.key(PROVIDER), hub.place.key(INSURER));
    for number in ["V-1", "V-2", "V-3"] {
        hub.send(
            Method::POST,
            "/v1/claims",
            &provider,
            &claim(number, "MA-2001"),
        )
        .await
        .ok();
    }
    let mut client = HubServiceClient::new(channel(&hub).await);
    let subscribe = |credit| v1::DeliveriesRequest {
        request: Some(deliveries_request::Request::Subscribe(v1::Subscribe {
            credit,
        })),
    };
    let ack = |delivery: &v1::Delivery| v1::DeliveriesRequest {
        request: Some(deliveries_request::Request::Ack(v1::DeliveryAck {
            delivery_id: delivery.delivery_id.clone(),
            outcome: v1::AckOutcome::Taken.into(),
            ..v1::DeliveryAck::default()
        })),
    };
    let open = async |client: &mut HubServiceClient<Channel>, credit| {
        let (tell, told) = mpsc::channel(8);
        tell.send(subscribe(credit)).await.unwrap();
        let stream = client
            .deliveries(with_key(ReceiverStream::new(told), &insurer))
            .await
            .unwrap()
            .into_inner();
        (tell, stream)
    };

    let (tell, mut stream) = open(&mut client, 2).await;
    let first = stream.message().await.unwrap().unwrap().delivery.unwrap();
    let second = stream.message().await.unwrap().unwrap().delivery.unwrap();
    let beyond = tokio::time::timeout(Duration::from_millis(600), stream.message()).await;
    assert!(beyond.is_err(), "the credit is used up");
    tell.send(ack(&first)).await.unwrap();
    let third = stream.message().await.unwrap().unwrap().delivery.unwrap();
    assert!(third.delivery_id != first.delivery_id && third.delivery_id != second.delivery_id);
    drop((tell, stream));

    // What was not acknowledged comes again, under the same ids.
    let (_tell, mut stream) = open(&mut client, 10).await;
    let mut again = Vec::new();
    for _ in 0..2 {
        again.push(
            stream
                .message()
                .await
                .unwrap()
                .unwrap()
                .delivery
                .unwrap()
                .delivery_id,
        );
    }
    again.sort();
    let mut expected = vec![second.delivery_id, third.delivery_id];
    expected.sort();
    assert_eq!(again, expected);

    let (_tell, mut no_credit) = open(&mut client, 0).await;
    assert_eq!(
        no_credit.message().await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn health_and_reflection_describe_the_service() {
    let hub = Hub::start("");
    let channel = channel(&hub).await;
    let service = "takmil.v1.HubService".to_owned();
    let health = HealthClient::new(channel.clone())
        .check(HealthCheckRequest {
            service: service.clone(),
        })
        .await
        .unwrap();
    assert_eq!(health.into_inner().status, 1, "serving");

    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::iter([ask]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    assert!(
        list.service.iter().any(|own| own.name == service),
        "{list:?}"
    );
}
