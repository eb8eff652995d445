//! That nothing is taken away on which an insurer's program rests. A descriptor is told as facts, one for each field,
//! value of an enum and call, in which everything stands that the other side has to agree with; what was published is the
//! list of facts in `baseline.json`. A fact that is no longer so breaks somebody, and a new one breaks nobody.
//!
//! With `TAKMIL_BLESS=1` the baseline is written anew, as it is to be at each release.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
};
use takmil_proto::FILE_DESCRIPTOR_SET;

type Facts = BTreeSet<String>;

/// What a set of descriptors says of our own package.
fn facts(set: &FileDescriptorSet) -> Facts {
    let mut facts = Facts::new();
    let own = |file: &&FileDescriptorProto| file.package().starts_with("takmil.");
    for file in set.file.iter().filter(own) {
        let package = file.package();
        for message in &file.message_type {
            of_message(package, message, &mut facts);
        }
        for values in &file.enum_type {
            of_enum(package, values, &mut facts);
        }
        for service in &file.service {
            of_service(package, service, &mut facts);
        }
    }
    facts
}

fn of_message(within: &str, message: &DescriptorProto, facts: &mut Facts) {
    let name = format!("{within}.{}", message.name());
    facts.insert(format!("message {name}"));
    for field in &message.field {
        facts.insert(of_field(&name, message, field));
    }
    for inner in &message.nested_type {
        of_message(&name, inner, facts);
    }
    for values in &message.enum_type {
        of_enum(&name, values, facts);
    }
}

fn of_field(name: &str, message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().to_owned(),
        plain => format!("{plain:?}").to_lowercase(),
    };
    let label = match field.label() {
        Label::Repeated => "repeated ",
        _ if field.proto3_optional() => "optional ",
        _ => "",
    };
    let number = field.number();
    // What stands in a oneof excludes the others in it.
    let choice = field
        .oneof_index
        .and_then(|at| message.oneof_decl.get(usize::try_from(at).ok()?))
        .filter(|_| !field.proto3_optional())
        .map_or(String::new(), |choice| format!(" of {}", choice.name()));
    format!(
        "field {name}.{} = {number}: {label}{kind}{choice}",
        field.name()
    )
}

fn of_enum(within: &str, values: &EnumDescriptorProto, facts: &mut Facts) {
    for value in &values.value {
        let (name, number) = (value.name(), value.number());
        facts.insert(format!(
            "value {within}.{}.{name} = {number}",
            values.name()
        ));
    }
}

fn of_service(within: &str, service: &ServiceDescriptorProto, facts: &mut Facts) {
    let streams = |is_stream: bool| if is_stream { "stream " } else { "" };
    for call in &service.method {
        facts.insert(format!(
            "call {within}.{}.{}: {}{} -> {}{}",
            service.name(),
            call.name(),
            streams(call.client_streaming()),
            call.input_type(),
            streams(call.server_streaming()),
            call.output_type(),
        ));
    }
}

fn now() -> FileDescriptorSet {
    prost::Message::decode(FILE_DESCRIPTOR_SET).unwrap()
}

fn baseline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline.json")
}

#[test]
fn nothing_that_was_published_is_taken_away() {
    let now = facts(&now());
    if std::env::var_os("TAKMIL_BLESS").is_some() {
        let written = serde_json::to_string_pretty(&now).unwrap();
        std::fs::write(baseline(), written + "\n").unwrap();
    }
    let published: Vec<String> =
        serde_json::from_slice(&std::fs::read(baseline()).unwrap()).unwrap();
    assert!(published.len() > 300, "{} facts", published.len());
    let broken: Vec<&String> = published
        .iter()
        .filter(|fact| !now.contains(*fact))
        .collect();
    assert!(broken.is_empty(), "insurers rest on this: {broken:#?}");
}

/// A change to a set of descriptors.
type Change = fn(&mut FileDescriptorSet);

fn message<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut DescriptorProto {
    let mut messages = set.file.iter_mut().flat_map(|file| &mut file.message_type);
    messages.find(|own| own.name() == name).unwrap()
}

fn field<'a>(set: &'a mut FileDescriptorSet, of: &str, name: &str) -> &'a mut FieldDescriptorProto {
    let mut fields = message(set, of).field.iter_mut();
    fields.find(|own| own.name() == name).unwrap()
}

fn service(set: &mut FileDescriptorSet) -> &mut ServiceDescriptorProto {
    let mut services = set.file.iter_mut().flat_map(|file| &mut file.service);
    services.find(|own| own.name() == "HubService").unwrap()
}

#[test]
fn whatever_breaks_an_insurer_is_found() {
    let breaking: &[(&str, Change)] = &[
        ("a field is gone", |set| {
            message(set, "Money").field.remove(0);
        }),
        ("a field has another number", |set| {
            field(set, "Money", "units").number = Some(9)
        }),
        ("a field has another type", |set| {
            field(set, "Money", "units").set_type(Type::Int32);
        }),
        ("a field holds another message", |set| {
            field(set, "Line", "billed").type_name = Some(".takmil.v1.Code".to_owned());
        }),
        ("a list is one", |set| {
            field(set, "Bill", "lines").set_label(Label::Optional)
        }),
        ("a field has another name", |set| {
            field(set, "Money", "units").name = Some("amount".to_owned());
        }),
        ("a choice is none", |set| {
            field(set, "UpsertCoveragesResponse", "taken").oneof_index = None;
        }),
        ("a message is gone", |set| {
            let files = set.file.iter_mut();
            files.for_each(|file| file.message_type.retain(|own| own.name() != "Letter"));
        }),
        ("a value is gone", |set| {
            let mut enums = set.file.iter_mut().flat_map(|file| &mut file.enum_type);
            let verdict = enums.find(|own| own.name() == "Verdict").unwrap();
            verdict.value.pop();
        }),
        ("a call is gone", |set| {
            service(set).method.pop();
        }),
        ("a call takes something else", |set| {
            service(set).method[0].input_type = Some(".takmil.v1.Money".to_owned());
        }),
        ("a call answers something else", |set| {
            service(set).method[0].output_type = Some(".takmil.v1.Money".to_owned());
        }),
        ("a stream is none", |set| {
            service(set).method[0].client_streaming = None
        }),
        ("an answer is no stream", |set| {
            service(set).method[0].server_streaming = None
        }),
    ];
    let published = facts(&now());
    for (what, change) in breaking {
        let mut changed = now();
        change(&mut changed);
        let changed = facts(&changed);
        assert!(published.difference(&changed).next().is_some(), "{what}");
    }
}

#[test]
fn what_is_added_breaks_nobody() {
    let adding: &[Change] = &[
        |set| {
            let mut more = field(set, "Money", "units").clone();
            (more.name, more.number) = (Some("more".to_owned()), Some(99));
            message(set, "Money").field.push(more);
        },
        |set| {
            let mut more = service(set).method[0].clone();
            more.name = Some("More".to_owned());
            service(set).method.push(more);
        },
        |set| {
            let mut more = message(set, "Money").clone();
            more.name = Some("More".to_owned());
            set.file.last_mut().unwrap().message_type.push(more);
        },
    ];
    let published = facts(&now());
    for change in adding {
        let mut changed = now();
        change(&mut changed);
        let changed = facts(&changed);
        assert!(changed.len() > published.len());
        assert!(published.difference(&changed).next().is_none());
    }
}
