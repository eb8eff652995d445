//! The documents of a JSON file, one after the other: of a list, of a single document, or of one a line. A file of
//! many lines is never held in memory as a whole.

use serde_json::{Deserializer, StreamDeserializer, Value, de::IoRead};
use std::io::{self, BufReader};
use std::path::Path;
use takmil_domain::problem::{Problem, ProblemCode};

/// A file that is being read.
pub(super) struct File {
    values: StreamDeserializer<'static, IoRead<BufReader<std::fs::File>>, Value>,
    /// What is left of a list.
    list: std::vec::IntoIter<Value>,
    row: u64,
    broken: bool,
}

impl File {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> io::Result<File> {
        let file = BufReader::new(std::fs::File::open(path)?);
        Ok(File {
            values: Deserializer::from_reader(file).into_iter(),
            list: Vec::new().into_iter(),
            row: 0,
            broken: false,
        })
    }

    /// The next document with its number; after one that is no JSON there is none.
    pub(super) fn next(&mut self) -> Option<(u64, Result<Value, Problem>)> {
        if self.broken {
            return None;
        }
        if let Some(value) = self.list.next() {
            self.row += 1;
            return Some((self.row, Ok(value)));
        }
        match self.values.next()? {
            Ok(Value::Array(list)) => {
                self.list = list.into_iter();
                self.next()
            }
            Ok(value) => {
                self.row += 1;
                Some((self.row, Ok(value)))
            }
            Err(error) => {
                self.broken = true;
                let detail = format!(
                    "not JSON: line {}, column {}; nothing after it was read",
                    error.line(),
                    error.column()
                );
                Some((
                    self.row + 1,
                    Err(Problem::new(ProblemCode::Malformed, "", detail)),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::io::Write;

    #[test]
    fn a_list_a_document_and_a_line_each_are_read_alike() {
        let check = |text: &str, expected: &[Option<i64>]| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let mut rows = File::open(file.path()).unwrap();
            let read: Vec<_> = std::iter::from_fn(|| rows.next())
                .map(|(_, row)| row.ok().and_then(|row| row["a"].as_i64()))
                .collect();
            assert_eq!(read, expected, "{text}");
        };
        check(r#"[{"a":1},{"a":2}]"#, &[Some(1), Some(2)]);
        check("{\n\"a\":1\n}", &[Some(1)]);
        check("{\"a\":1}\n{\"a\":2}\n", &[Some(1), Some(2)]);
        check("{\"a\":1}\n{\"a\":\n", &[Some(1), None]);
        check("[]", &[]);
        check("", &[]);
    }
}
