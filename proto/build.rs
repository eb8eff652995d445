//! Compiles the .proto files to Rust and to a descriptor set, without a protoc on the machine.

use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 4] = [
    "takmil/v1/hub.proto",
    "takmil/v1/insurer.proto",
    "takmil/v1/settlement.proto",
    "takmil/v1/types.proto",
];

/// Messages that carry personal data: `Debug` is written by hand for them and shows none of it.
const PERSONAL: [&str; 3] = [
    "takmil.v1.Delivery",
    "takmil.v1.Identifier",
    "takmil.v1.Member",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=takmil");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let encoded = prost::Message::encode_to_vec(&descriptors);
    std::fs::write(out.join("takmil.v1.bin"), encoded)?;
    tonic_prost_build::configure()
        .bytes(".takmil.v1.Delivery.document_json")
        .skip_debug(PERSONAL)
        .compile_fds(descriptors)?;
    Ok(())
}
