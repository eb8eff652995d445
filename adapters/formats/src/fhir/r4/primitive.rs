//! The primitive types of FHIR R4 and the form that each demands, by the definitions of its datatypes
//! page. Forms only: whether a code is of its list is the element's matter.

use super::date::{is_date, is_date_time, is_instant, is_time};
use crate::fhir::tree::Node;
use takmil_domain::problem::ProblemCode;

/// A primitive type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Primitive {
    Base64Binary,
    Boolean,
    Canonical,
    Code,
    Date,
    DateTime,
    Decimal,
    Id,
    Instant,
    Integer,
    Markdown,
    Oid,
    PositiveInt,
    String,
    Time,
    UnsignedInt,
    Uri,
    Url,
    Uuid,
    Xhtml,
}

const NAMES: &[(&str, Primitive)] = &[
    ("base64Binary", Primitive::Base64Binary),
    ("boolean", Primitive::Boolean),
    ("canonical", Primitive::Canonical),
    ("code", Primitive::Code),
    ("date", Primitive::Date),
    ("dateTime", Primitive::DateTime),
    ("decimal", Primitive::Decimal),
    ("id", Primitive::Id),
    ("instant", Primitive::Instant),
    ("integer", Primitive::Integer),
    ("markdown", Primitive::Markdown),
    ("oid", Primitive::Oid),
    ("positiveInt", Primitive::PositiveInt),
    ("string", Primitive::String),
    ("time", Primitive::Time),
    ("unsignedInt", Primitive::UnsignedInt),
    ("uri", Primitive::Uri),
    ("url", Primitive::Url),
    ("uuid", Primitive::Uuid),
    ("xhtml", Primitive::Xhtml),
];

/// What is wrong with a primitive value: the code, and what it should have been.
pub(crate) type Flaw = (ProblemCode, &'static str);

impl Primitive {
    /// The primitive type of that name in FHIR.
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, primitive)| *primitive)
    }

    /// Whether JSON writes its values as numbers.
    pub(crate) fn is_number(self) -> bool {
        matches!(
            self,
            Self::Decimal | Self::Integer | Self::PositiveInt | Self::UnsignedInt
        )
    }

    /// Checks the JSON type of a value and the form of its text.
    pub(crate) fn check(self, value: &Node<'_>) -> Result<(), Flaw> {
        match (self, value) {
            (Self::Boolean, Node::Bool(_)) | (Self::Decimal, Node::Number(_)) => Ok(()),
            (Self::Boolean, _) => Err((ProblemCode::WrongType, "true or false, without quotes")),
            (_, Node::Number(text)) if self.is_number() => self.check_integer(text),
            _ if self.is_number() => Err((ProblemCode::WrongType, "a number, without quotes")),
            (_, Node::String(text)) => self.check_text(text),
            _ => Err((ProblemCode::WrongType, "a string")),
        }
    }

    fn check_integer(self, text: &str) -> Result<(), Flaw> {
        let least = match self {
            Self::PositiveInt => 1,
            Self::UnsignedInt => 0,
            _ => i32::MIN,
        };
        match text.parse::<i32>() {
            Ok(value) if value >= least && text != "-0" => Ok(()),
            _ => Err((ProblemCode::BadValue, self.form())),
        }
    }

    fn check_text(self, text: &str) -> Result<(), Flaw> {
        if text.is_empty() {
            return Err((ProblemCode::BadValue, "left out rather than empty"));
        }
        if text
            .bytes()
            .any(|byte| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r'))
        {
            return Err((ProblemCode::ControlCharacter, "free of control characters"));
        }
        let (good, code) = match self {
            Self::Date => (is_date(text), ProblemCode::BadDate),
            Self::DateTime => (is_date_time(text), ProblemCode::BadDate),
            Self::Instant => (is_instant(text), ProblemCode::BadDate),
            Self::Time => (is_time(text), ProblemCode::BadDate),
            Self::Code => (is_code(text), ProblemCode::BadValue),
            Self::Id => (is_id(text), ProblemCode::BadValue),
            Self::Uri | Self::Url | Self::Canonical => (!has_space(text), ProblemCode::BadValue),
            Self::Oid => (is_oid(text), ProblemCode::BadValue),
            Self::Uuid => (is_uuid(text), ProblemCode::BadValue),
            Self::Base64Binary => (is_base64(text), ProblemCode::BadValue),
            Self::Xhtml => (text.trim_start().starts_with("<div"), ProblemCode::BadValue),
            _ => (true, ProblemCode::BadValue),
        };
        if good {
            Ok(())
        } else {
            Err((code, self.form()))
        }
    }

    /// The form that its values have, in words that follow "must be".
    fn form(self) -> &'static str {
        match self {
            Self::Date => "a real date: YYYY, YYYY-MM or YYYY-MM-DD",
            Self::DateTime => "a real date, or a date with a time to the second and an offset",
            Self::Instant => "a real date with a time to the second and an offset",
            Self::Time => "a time hh:mm:ss",
            Self::Code => "a code without spaces around it or two in a row",
            Self::Id => "1 to 64 ASCII letters, digits, hyphens and dots",
            Self::Uri | Self::Url | Self::Canonical => "a URI without spaces",
            Self::Oid => "an OID of the form urn:oid:1.2.3",
            Self::Uuid => "a UUID of the form urn:uuid: and lower-case hexadecimal digits",
            Self::Base64Binary => "base64",
            Self::Xhtml => "an XHTML div",
            Self::Integer => "a whole number of 32 bits",
            Self::PositiveInt => "a whole number from 1 to 2147483647",
            Self::UnsignedInt => "a whole number from 0 to 2147483647",
            Self::Boolean | Self::Decimal | Self::Markdown | Self::String => "a value",
        }
    }
}

fn has_space(text: &str) -> bool {
    let may_have = text.bytes().any(|byte| byte <= b' ' || !byte.is_ascii());
    may_have && text.contains(char::is_whitespace)
}

fn is_code(text: &str) -> bool {
    !has_space(text) || text.split(char::is_whitespace).all(|word| !word.is_empty())
}

fn is_id(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

fn is_oid(text: &str) -> bool {
    let is_arc = |arc: &str| {
        !arc.is_empty()
            && arc.bytes().all(|b| b.is_ascii_digit())
            && (arc.len() == 1 || !arc.starts_with('0'))
    };
    let Some((root, rest)) = text
        .strip_prefix("urn:oid:")
        .and_then(|arcs| arcs.split_once('.'))
    else {
        return false;
    };
    matches!(root, "0" | "1" | "2") && rest.split('.').all(is_arc)
}

fn is_uuid(text: &str) -> bool {
    let Some(digits) = text.strip_prefix("urn:uuid:") else {
        return false;
    };
    let groups: Vec<&str> = digits.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

/// Base64 in groups of four with padding only at the end; white space may stand anywhere.
fn is_base64(text: &str) -> bool {
    let mut digits = 0_usize;
    let mut padding = 0_usize;
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        match byte {
            b'=' => padding = padding.saturating_add(1),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'/' if padding == 0 => {
                digits = digits.saturating_add(1);
            }
            _ => return false,
        }
    }
    digits > 0 && padding <= 2 && digits.saturating_add(padding).is_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_primitive_tells_its_good_values_from_bad_ones() {
        use Primitive::*;
        let table: &[(Primitive, &[&str], &[&str])] = &[
            (
                Code,
                &["a", "a b", "in-progress"],
                &["", " a", "a ", "a  b", "a\u{1}"],
            ),
            (
                Id,
                &[
                    "a",
                    "A-1.b",
                    "0123456789012345678901234567890123456789012345678901234567890123",
                ],
                &[
                    "",
                    "a_b",
                    "é",
                    "01234567890123456789012345678901234567890123456789012345678901234",
                ],
            ),
            (
                Uri,
                &["http://x/y", "urn:oid:1.2", "x"],
                &["", "http://x y", "x\n"],
            ),
            (
                Oid,
                &["urn:oid:1.2.840", "urn:oid:2.0"],
                &[
                    "1.2",
                    "urn:oid:3.1",
                    "urn:oid:1.02",
                    "urn:oid:1.",
                    "urn:oid:1",
                ],
            ),
            (
                Uuid,
                &["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
                &[
                    "urn:uuid:C757873D-ec9a-4326-a141-556f43239520",
                    "c757873d-ec9a-4326-a141-556f43239520",
                    "urn:uuid:c757873dec9a4326a141556f43239520",
                ],
            ),
            (
                Base64Binary,
                &["AAAA", "AA==", "AA A=\n"],
                &["", "AAA", "A===", "=AAA", "AA=A", "AA-_"],
            ),
            (
                String,
                &["x", " ", "a\tb\nc", "تکمیل"],
                &["", "\u{0}", "a\u{1b}"],
            ),
            (Markdown, &["*x*\n"], &[""]),
            (
                Date,
                &["2024-02-29"],
                &["2023-02-29", "2024-02-29T00:00:00Z"],
            ),
            (
                DateTime,
                &["2024", "2024-02-29T00:00:00Z"],
                &["2024-02-29T00:00"],
            ),
            (Instant, &["2024-02-29T00:00:00Z"], &["2024-02-29"]),
            (Time, &["10:00:00"], &["10:00"]),
            (
                Xhtml,
                &["<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"],
                &["x", ""],
            ),
        ];
        for (primitive, good, bad) in table {
            for text in *good {
                assert_eq!(
                    primitive.check(&Node::from(*text)),
                    Ok(()),
                    "{primitive:?} {text:?}"
                );
            }
            for text in *bad {
                assert!(
                    primitive.check(&Node::from(*text)).is_err(),
                    "{primitive:?} {text:?}"
                );
            }
            assert!(matches!(
                primitive.check(&Node::number("1")),
                Err((ProblemCode::WrongType, _))
            ));
        }
    }

    #[test]
    fn numbers_and_booleans_stand_without_quotes() {
        use Primitive::*;
        let table: &[(Primitive, &[&str], &[&str])] = &[
            (
                Integer,
                &["0", "-2147483648", "2147483647"],
                &["-0", "1.0", "1e2", "2147483648"],
            ),
            (UnsignedInt, &["0", "7"], &["-1"]),
            (PositiveInt, &["1"], &["0", "-1", "1.5"]),
            (Decimal, &["0", "-1.50", "1e400"], &[]),
        ];
        for (primitive, good, bad) in table {
            for text in *good {
                assert_eq!(
                    primitive.check(&Node::number(*text)),
                    Ok(()),
                    "{primitive:?} {text}"
                );
            }
            for text in *bad {
                assert!(
                    primitive.check(&Node::number(*text)).is_err(),
                    "{primitive:?} {text}"
                );
            }
            assert!(
                primitive.check(&Node::from("1")).is_err() && primitive.check(&Node::Null).is_err()
            );
        }
        assert_eq!(Boolean.check(&Node::Bool(false)), Ok(()));
        assert!(Boolean.check(&Node::from("true")).is_err());
    }
}
