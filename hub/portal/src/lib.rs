//! What people read: pages, made on the server, which carry no script and fetch nothing from elsewhere; and decisions,
//! told in the languages of members.

pub mod docs;
pub mod explain;
