//! The pages that people read. They are made on the server, carry no script, and fetch nothing from elsewhere.

pub mod docs;
