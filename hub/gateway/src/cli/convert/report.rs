//! The table of `takmil convert --report`: for each folder and kind how much was read, and how much of what stands in
//! the bodies their messages say too.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use takmil_domain::problem::ProblemCode;
use takmil_formats::facts::{FactKind, Measured, Share, Shares};

/// The folder that a file of `root` counts for: the one directly below it that the file is in, else `root` itself.
/// A corpus has a folder for each sender, who may have one for each case.
pub(super) fn folder(root: &Path, file: &Path) -> String {
    let mut below = file.strip_prefix(root).unwrap_or(file).components();
    let first = below.next().filter(|_| below.next().is_some());
    let named = first.map(|first| first.as_os_str());
    let named = named.or_else(|| root.file_name());
    named
        .unwrap_or(root.as_os_str())
        .to_string_lossy()
        .into_owned()
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Report(BTreeMap<(String, String), Row>);

/// What messages of one folder and kind came to.
#[derive(Debug, Default)]
struct Row {
    messages: usize,
    read: usize,
    /// The code of the first one that was not read.
    refused: Option<ProblemCode>,
    shares: Shares,
}

impl Report {
    /// Counts what the bodies of one file came to.
    pub(super) fn add(&mut self, folder: &str, measured: &[Measured]) {
        for one in measured {
            let row = self.0.entry((folder.to_owned(), one.name.clone()));
            let row = row.or_default();
            row.messages = row.messages.saturating_add(1);
            match one.outcome {
                Ok(()) => row.read = row.read.saturating_add(1),
                Err(code) => drop(row.refused.get_or_insert(code)),
            }
            row.shares.add(&one.shares);
        }
    }
}

/// The heads of the columns, as wide as the columns are.
const HEADS: &str =
    "messages     read  refused          amount    code    date  ident.    line     all";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:28} {:32} {HEADS}", "folder", "kind")?;
        let mut all = Row::default();
        for ((folder, kind), row) in &self.0 {
            writeln!(f, "{folder:28} {kind:32} {row}")?;
            all.messages = all.messages.saturating_add(row.messages);
            all.read = all.read.saturating_add(row.read);
            all.shares.add(&row.shares);
        }
        writeln!(f, "{:28} {:32} {all}", "all", "")
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.refused.map_or("", ProblemCode::code);
        write!(f, "{:8} {:8}  {refused:15}", self.messages, self.read)?;
        for kind in FactKind::ALL {
            write!(f, " {}", percent(self.shares.of(*kind)))?;
        }
        write!(f, " {}", percent(self.shares.total()))
    }
}

/// A share in percent with two digits; a dash where nothing was found.
fn percent(share: Share) -> String {
    if share.found == 0 {
        return format!("{:>7}", "-");
    }
    let parts = share.per_myriad();
    format!("{:>4}.{:02}", parts / 100, parts % 100)
}

/// A file, and the path among the arguments that it was found under.
#[derive(Debug)]
pub(super) struct Named {
    /// The argument.
    pub(super) root: PathBuf,
    /// The file.
    pub(super) path: PathBuf,
}
