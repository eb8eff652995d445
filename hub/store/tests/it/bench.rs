//! A database for one test, of either kind, and the macro that runs a test on both.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use takmil_conformance::postgres::Postgres;
use takmil_store::{DatabaseUrl, FileKeys, Place, Store, StoreConfig};
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

/// A database of a test's own, with its own folder.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    /// Its name at the server; else it is a file.
    pub(crate) database: Option<String>,
}

impl Bench {
    pub(crate) async fn new(on: Backend) -> Bench {
        let database = match on {
            Backend::Sqlite => None,
            Backend::Postgres => {
                TEMPLATE.get_or_init(make_template).await;
                let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
                let copy = name.clone();
                let made = move || SERVER.create(&copy, "template_of_tests").unwrap();
                tokio::task::spawn_blocking(made).await.unwrap();
                Some(name)
            }
        };
        let folder = tempfile::tempdir().unwrap();
        Bench { folder, database }
    }

    /// Opens the store on it: one hub more.
    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.config()).await.unwrap()
    }

    pub(crate) fn config(&self) -> StoreConfig {
        let place = match &self.database {
            None => Place::File(self.file()),
            Some(name) => Place::Postgres {
                url: url(name),
                writers: 4,
            },
        };
        config(place, self.folder.path())
    }

    /// Its file, where it has one.
    pub(crate) fn file(&self) -> PathBuf {
        assert_eq!(self.database, None, "no file");
        self.folder.path().join("hub.db")
    }

    /// Asks PostgreSQL itself, as its superuser.
    pub(crate) fn sql(&self, statements: &str) -> String {
        let name = self
            .database
            .as_deref()
            .unwrap_or_else(|| panic!("no server"));
        SERVER.sql(name, statements).unwrap()
    }
}

impl Drop for Bench {
    /// A server that keeps the databases of all tests needs gigabytes.
    fn drop(&mut self) {
        if let Some(name) = &self.database
            && let Err(error) = SERVER.remove(name)
        {
            eprintln!("{name} stays: {error}");
        }
    }
}

/// A store with its key file in a folder. All databases have the same key: they are copies of one.
pub(crate) fn config(place: Place, folder: &Path) -> StoreConfig {
    let keys = folder.join("member.keys");
    FileKeys::make(&keys, [42; 32]).unwrap();
    StoreConfig {
        place,
        readers: 2,
        random: random(),
        keys: Arc::new(FileKeys::read(&keys, folder.join("erased")).unwrap()),
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
    let folder = tempfile::tempdir().unwrap();
    let config = config(place, folder.path());
    Store::open(&config).await.unwrap().close().await;
}
