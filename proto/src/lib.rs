//! The wire between hub and insurers: the types and services of `takmil/v1/*.proto`, generated.
//!
//! Holds no conversion and no rule: what a message means is decided by whoever reads it.

use std::fmt;

/// Version 1 of the types and services.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        reason = "generated code; its documentation is that of the .proto files"
    )]
    tonic::include_proto!("takmil.v1");
}

pub use prost::Message;
pub use prost::bytes::Bytes;
pub use prost_types::Timestamp;

/// The descriptors of every file, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("takmil.v1");

/// The largest delivery: a bill of ten thousand lines with its trace, typed and as a document, fits.
pub const MAX_DELIVERY_BYTES: usize = 64 * 1024 * 1024;

/// The largest answer of an insurer: ten thousand lines with a reason each fit.
pub const MAX_DECISION_BYTES: usize = 1024 * 1024;

impl fmt::Debug for v1::Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|•••", self.system)
    }
}

impl fmt::Debug for v1::Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Member(•••)")
    }
}

impl fmt::Debug for v1::Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("delivery_id", &self.delivery_id)
            .field("insurer_id", &self.insurer_id)
            .field("purpose", &self.purpose())
            .field("message_id", &self.message_id)
            .field("kind", &self.kind())
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{FILE_DESCRIPTOR_SET, v1};
    use prost::Message;

    #[test]
    fn reflection_knows_the_services_and_what_they_are_for() {
        let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let services: Vec<&str> = set
            .file
            .iter()
            .flat_map(|file| file.service.iter().map(|service| service.name()))
            .collect();
        assert_eq!(
            services,
            ["HubService", "InsurerService", "SettlementService"]
        );
        // Reflection needs the imports, too.
        let files: Vec<&str> = set.file.iter().map(|file| file.name()).collect();
        assert!(files.contains(&"google/protobuf/timestamp.proto"));
    }

    #[test]
    fn every_service_message_field_and_value_is_documented() {
        let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let own = set.file.iter().filter(|file| file.package() == "takmil.v1");
        for file in own {
            let documented: Vec<&[i32]> = file
                .source_code_info
                .iter()
                .flat_map(|info| &info.location)
                .filter(|place| place.leading_comments.is_some())
                .map(|place| place.path.as_slice())
                .collect();
            for (at, message) in (0..).zip(&file.message_type) {
                assert!(documented.contains(&&[4, at][..]), "{}", message.name());
                for (field_at, field) in (0..).zip(&message.field) {
                    let path = [4, at, 2, field_at];
                    let name = format!("{}.{}", message.name(), field.name());
                    assert!(documented.contains(&&path[..]), "{name}");
                }
            }
            for (at, service) in (0..).zip(&file.service) {
                assert!(documented.contains(&&[6, at][..]), "{}", service.name());
                for (call_at, call) in (0..).zip(&service.method) {
                    let path = [6, at, 2, call_at];
                    assert!(documented.contains(&&path[..]), "{}", call.name());
                }
            }
            for (at, values) in (0..).zip(&file.enum_type) {
                assert!(documented.contains(&&[5, at][..]), "{}", values.name());
                for (value_at, value) in (0..).zip(&values.value) {
                    let path = [5, at, 2, value_at];
                    assert!(documented.contains(&&path[..]), "{}", value.name());
                }
            }
        }
    }

    #[test]
    fn persons_do_not_show_in_debug_output() {
        let member = v1::Member {
            identifiers: vec![v1::Identifier {
                system: "urn:ir:national-id".into(),
                value: "0012345679".into(),
            }],
            name: "Nobody".into(),
            ..v1::Member::default()
        };
        let delivery = v1::Delivery {
            message: Some(v1::ProviderMessage {
                member: Some(member.clone()),
                ..v1::ProviderMessage::default()
            }),
            document_json: "0012345679".into(),
            ..v1::Delivery::default()
        };
        let coverage = v1::Coverage {
            member: Some(member.clone()),
            ..v1::Coverage::default()
        };
        let shown = format!("{:?} {delivery:?} {coverage:?}", member.identifiers);
        assert!(
            !shown.contains("00123") && !shown.contains("Nobody"),
            "{shown}"
        );
    }
}
