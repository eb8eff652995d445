//! A database for one test, of either kind, and the macro that runs a test on both.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use takmil_conformance::postgres::Postgres;
use takmil_store::{DatabaseUrl, Place, Store, StoreConfig};
use tokio::sync::OnceCell;

use crate::samples::random;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Makes a test on each database of every function that is named.
macro_rules! both {
    ($($name:ident)+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name($crate::bench::Backend::Sqlite).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name($crate::bench::Backend::Postgres).await;
            })+
        }
    };
}
pub(crate) use both;

/// One server for all tests of this binary; its keeper ends it with the binary.
static SERVER: LazyLock<Postgres> =
    LazyLock::new(|| Postgres::start().unwrap_or_else(|error| panic!("{error}")));

/// The database that every test gets a copy of: the schema is made once.
static TEMPLATE: OnceCell<()> = OnceCell::const_new();

static COUNT: AtomicU64 = AtomicU64::new(1);

/// A database of a test's own.
pub(crate) enum Bench {
    Sqlite(tempfile::TempDir),
    Postgres(String),
}

impl Bench {
    pub(crate) async fn new(on: Backend) -> Bench {
        match on {
            Backend::Sqlite => Bench::Sqlite(tempfile::tempdir().unwrap()),
            Backend::Postgres => {
                TEMPLATE.get_or_init(make_template).await;
                let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
                let copy = name.clone();
                let made = move || SERVER.create(&copy, "template_of_tests").unwrap();
                tokio::task::spawn_blocking(made).await.unwrap();
                Bench::Postgres(name)
            }
        }
    }

    /// Opens the store on it: one hub more.
    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.config()).await.unwrap()
    }

    pub(crate) fn config(&self) -> StoreConfig {
        config(match self {
            Bench::Sqlite(_) => Place::File(self.file()),
            Bench::Postgres(name) => Place::Postgres {
                url: url(name),
                writers: 4,
            },
        })
    }

    /// Its file, where it has one.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Bench::Sqlite(folder) => folder.path().join("hub.db"),
            Bench::Postgres(_) => panic!("no file"),
        }
    }

    /// Asks PostgreSQL itself, as its superuser.
    pub(crate) fn sql(&self, statements: &str) -> String {
        match self {
            Bench::Sqlite(_) => panic!("no server"),
            Bench::Postgres(name) => SERVER.sql(name, statements).unwrap(),
        }
    }
}

pub(crate) fn config(place: Place) -> StoreConfig {
    StoreConfig {
        place,
        readers: 2,
        random: random(),
    }
}

pub(crate) fn url(database: &str) -> DatabaseUrl {
    DatabaseUrl::parse(&SERVER.url(database)).unwrap()
}

async fn make_template() {
    SERVER.create("template_of_tests", "template1").unwrap();
    let place = Place::Postgres {
        url: url("template_of_tests"),
        writers: 1,
    };
    Store::open(&config(place)).await.unwrap().close().await;
}
