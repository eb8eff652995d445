//! What can go wrong with a simulated party itself.

/// Why a simulated party could not be made or could not ask.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket could not be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A certificate or key cannot be served with.
    #[error("cannot serve with this certificate and key: {0}")]
    Identity(String),
    /// A secret for webhooks is none.
    #[error("the secret is not \"whsec_\" and base64")]
    Secret,
    /// The hub's address or authority, or the key for it, cannot be used.
    #[error("cannot call the hub by this: {0}")]
    Hub(String),
    /// The hub could not be reached, or the connection broke.
    #[error("the hub cannot be reached")]
    Unreachable(#[from] reqwest::Error),
    /// PostgreSQL's programs are not on this machine.
    #[error("PostgreSQL is not installed; on Debian: apt-get install postgresql")]
    NoPostgres,
    /// A PostgreSQL server could not be started, or refused a statement.
    #[error("PostgreSQL: {0}")]
    Postgres(String),
    /// Redis's program is not on this machine.
    #[error("Redis is not installed; on Debian: apt-get install redis-server")]
    NoRedis,
    /// A Redis server could not be started, or refused what it was asked.
    #[error("Redis: {0}")]
    Redis(String),
    /// The hub's answer is larger than any that it gives.
    #[error("the hub's answer is larger than {most} bytes")]
    TooLarge {
        /// How large it may be.
        most: usize,
    },
}
