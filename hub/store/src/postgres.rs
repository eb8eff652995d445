//! Opening a database of a PostgreSQL server, and entering a scope in it.

use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::db::{Db, PATIENCE, Pool, STATEMENTS, Sql};
use crate::error::StoreError;
use crate::scope::Scope;
use crate::{migrations, partitions};

/// The first PostgreSQL that the hub is tried on, by its own numbering: partitions are pruned for parameters,
/// and a default partition costs no sort.
const LEAST: i64 = 150_000;

/// Settings of every connection. A hub that froze in a transaction is not to hold its rows for ever.
const SETTINGS: &[(&str, &str)] = &[
    ("jit", "off"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "30s"),
];

/// Settings of those who write: they ask by keys alone, so that one plan is right whatever the tables hold, and
/// a table that was small when it was made does not leave a plan behind that reads all of it.
const KEYED: &[(&str, &str)] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// Where a database is, and how it is entered. `Debug` shows nothing of it: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Reads `postgres://user:password@host:port/database`, with parameters as libpq has them.
    pub fn parse(text: &str) -> Option<DatabaseUrl> {
        let text = text.trim();
        let known = text.starts_with("postgres://") || text.starts_with("postgresql://");
        (known && PgConnectOptions::from_str(text).is_ok()).then(|| DatabaseUrl(text.to_owned()))
    }

    /// The address, which may hold a password.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What of it is no secret; none where it is no address.
    pub fn shown(&self) -> Option<ShownUrl> {
        let options = PgConnectOptions::from_str(&self.0).ok()?;
        let socket = options.get_socket().and_then(|path| path.to_str());
        let role = options.get_username().to_owned();
        let database = options.get_database().unwrap_or(&role).to_owned();
        Some(ShownUrl {
            host: socket.unwrap_or(options.get_host()).to_owned(),
            port: options.get_port(),
            database,
            role,
        })
    }
}

/// What of a [`DatabaseUrl`] is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownUrl {
    /// The server's name or address, or the folder of its socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Who enters it.
    pub role: String,
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

/// Opens the database for those who write and those who read, checks what it promises, and brings its schema
/// up to date.
pub(crate) async fn open(
    url: &DatabaseUrl,
    writers: u32,
    readers: u32,
) -> Result<(Pool, Pool), StoreError> {
    let options = PgConnectOptions::from_str(&url.0)?
        .application_name("takmil")
        .options(SETTINGS.iter().copied())
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    // A connection that broke is found when it is used; its turn is done again.
    let pool = |most: u32| {
        PgPoolOptions::new()
            .max_connections(most.max(1))
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
    };
    let keyed = options.clone().options(KEYED.iter().copied());
    let writers = pool(writers).connect_with(keyed).await?;
    check(&writers).await?;
    let writers = Pool::Postgres(writers);
    migrations::run(&writers).await?;
    let readers = pool(readers).connect_with(options).await?;
    match partitions::make(&writers, None).await {
        // Another hub is at work, and will make them, or the clocks will.
        Ok(_) | Err(StoreError::Contended) => {}
        Err(error) => return Err(error),
    }
    Ok((writers, Pool::Postgres(readers)))
}

/// Whether the server is one that decisions may rest on.
async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let pool = Pool::Postgres(pool.clone());
    let server = pool
        .fetch_one(
            "select current_setting('synchronous_commit') as synchronous_commit,
                 current_setting('fsync') as fsync,
                 current_setting('full_page_writes') as full_page_writes,
                 current_setting('server_version') as version,
                 current_setting('server_version_num')::bigint as number,
                 pg_is_in_recovery()::int::bigint as follows",
            &[],
        )
        .await?;
    if server.number::<i64>("number")? < LEAST {
        return Err(StoreError::TooOld {
            database: "PostgreSQL",
            found: server.text("version")?.to_owned(),
            least: "15",
        });
    }
    if server.yes("follows")? {
        return Err(StoreError::Standby);
    }
    // What counts as on: "local" and "remote_write" may lose what was acknowledged when a standby takes over.
    let durable: [(&'static str, &[&str]); 3] = [
        ("synchronous_commit", &["on", "remote_apply"]),
        ("fsync", &["on"]),
        ("full_page_writes", &["on"]),
    ];
    for (setting, good) in durable {
        let found = server.text(setting)?;
        if !good.contains(&found) {
            return Err(StoreError::NotDurable {
                setting,
                found: found.to_owned(),
            });
        }
    }
    Ok(())
}

/// Makes the rest of the transaction see the rows of a scope alone. On SQLite, whose file no other program
/// asks, the statements' own conditions are all there is.
pub(crate) async fn enter(db: &mut Db<'_>, scope: &Scope) -> Result<(), StoreError> {
    const ENTER: Sql = Sql {
        sqlite: "",
        postgres: "select set_config('role', 'takmil_scoped', true),
             set_config('takmil.scope', $1, true),
             set_config('takmil.sender', $2, true),
             set_config('takmil.insurer', $3, true)",
    };
    if !db.is_shared() {
        return Ok(());
    }
    let everything = match scope {
        Scope::Hub | Scope::Regulator => "all",
        Scope::Provider(_) | Scope::Insurer(_) => "own",
    };
    let (sender, insurer) = (scope.sender(), scope.insurer());
    let values = [everything, sender.unwrap_or(""), insurer.unwrap_or("")].map(Into::into);
    db.execute(ENTER, &values).await?;
    Ok(())
}
