//! A body's text, whatever encoding it is in: by its byte order mark, by what it declares of itself, else UTF-8.
//!
//! Nothing is replaced: a byte that the encoding does not know is a problem with its place. Spellings of letters and
//! digits are left as they are.

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::borrow::Cow;
use takmil_domain::problem::{Problem, ProblemCode};

/// How far an XML declaration is looked for.
const DECLARATION: usize = 256;

/// The text of `body`, without a byte order mark. Valid UTF-8 is not copied.
///
/// A byte order mark counts for more than `declared`, and so do the zero bytes of UTF-16: XML writers declare UTF-16 of
/// what they then store as UTF-8.
///
/// # Errors
/// [`ProblemCode::NotText`] where the declared encoding is not known, or with the first byte (from 1) that is malformed.
pub(crate) fn decode<'a>(body: &'a [u8], declared: Option<&str>) -> Result<Cow<'a, str>, Problem> {
    let (encoding, mark) = match body {
        [0xef, 0xbb, 0xbf, ..] => (UTF_8, 3),
        [0xff, 0xfe, ..] => (UTF_16LE, 2),
        [0xfe, 0xff, ..] => (UTF_16BE, 2),
        [0, second, ..] if *second != 0 => (UTF_16BE, 0),
        [first, 0, ..] if *first != 0 => (UTF_16LE, 0),
        _ => (named(declared)?, 0),
    };
    let bytes = body.get(mark..).unwrap_or_default();
    if encoding == UTF_8 {
        return match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => Err(malformed(
                encoding,
                mark.saturating_add(error.valid_up_to()),
            )),
        };
    }
    match encoding.decode_without_bom_handling_and_without_replacement(bytes) {
        Some(text) => Ok(text),
        None => Err(malformed(
            encoding,
            mark.saturating_add(valid_up_to(encoding, bytes)),
        )),
    }
}

/// The encoding that the XML declaration at the start of a body names.
pub(crate) fn declared_in_xml(body: &[u8]) -> Option<&str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let start = body.get(..DECLARATION).unwrap_or(body);
    let end = start.windows(2).position(|two| two == b"?>")?;
    let declaration = std::str::from_utf8(start.get(..end)?).ok()?;
    let (_, after) = declaration.strip_prefix("<?xml")?.split_once("encoding")?;
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = after
        .chars()
        .next()
        .filter(|first| matches!(first, '"' | '\''))?;
    after.get(1..)?.split(quote).next()
}

/// The encoding of a name: those of the web, and those of HL7's table 0211.
fn named(declared: Option<&str>) -> Result<&'static Encoding, Problem> {
    let Some(name) = declared.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(UTF_8);
    };
    let upper = name.to_ascii_uppercase();
    let plain = upper.strip_prefix("UNICODE ").unwrap_or(&upper);
    let known = match plain.strip_prefix("8859/") {
        Some(part) => Encoding::for_label(format!("iso-8859-{part}").as_bytes()),
        // Pure ASCII is UTF-8, and who says ASCII and means more sends that; wide forms show by their zero bytes.
        None if matches!(plain, "UNICODE" | "ASCII" | "US-ASCII") => Some(UTF_8),
        None => Encoding::for_label(plain.as_bytes()),
    };
    match known {
        Some(known) if known == UTF_16LE || known == UTF_16BE => Ok(UTF_8),
        Some(known) => Ok(known),
        None => Err(Problem::new(
            ProblemCode::NotText,
            "",
            "the encoding that the body declares is not known",
        )),
    }
}

fn malformed(encoding: &'static Encoding, at: usize) -> Problem {
    let detail = format!(
        "the body is not {}: byte {} does not fit",
        encoding.name(),
        at.saturating_add(1)
    );
    Problem::new(ProblemCode::NotText, "", detail)
}

/// Where the first malformed sequence starts.
fn valid_up_to(encoding: &'static Encoding, bytes: &[u8]) -> usize {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let size = decoder.max_utf8_buffer_length_without_replacement(bytes.len());
    let mut text = vec![0; size.unwrap_or_default()];
    match decoder.decode_to_utf8_without_replacement(bytes, &mut text, true) {
        (DecoderResult::Malformed(bad, after), read, _) => read
            .saturating_sub(usize::from(bad))
            .saturating_sub(usize::from(after)),
        (_, read, _) => read,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn one_text_is_read_from_every_encoding() {
        let persian = "سلام علی";
        let wide = |unit: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
            format!("{mark}M {persian}")
                .encode_utf16()
                .flat_map(unit)
                .collect()
        };
        let arabic = encoding_rs::WINDOWS_1256.encode("M سلام").0.into_owned();
        for (body, declared, expected) in [
            (
                format!("M {persian}").into_bytes(),
                None,
                format!("M {persian}"),
            ),
            (
                format!("\u{feff}M {persian}").into_bytes(),
                Some("8859/1"),
                format!("M {persian}"),
            ),
            (
                wide(u16::to_le_bytes, "\u{feff}"),
                None,
                format!("M {persian}"),
            ),
            (
                wide(u16::to_be_bytes, "\u{feff}"),
                None,
                format!("M {persian}"),
            ),
            (
                wide(u16::to_le_bytes, ""),
                Some("UNICODE UTF-16"),
                format!("M {persian}"),
            ),
            (wide(u16::to_be_bytes, ""), None, format!("M {persian}")),
            (
                format!("M {persian}").into_bytes(),
                Some("utf-16"),
                format!("M {persian}"),
            ),
            (arabic, Some("windows-1256"), "M سلام".to_owned()),
            (b"caf\xe9".to_vec(), Some("8859/1"), "café".to_owned()),
            (
                b"\x80 caf\xe9".to_vec(),
                Some("windows-1252"),
                "€ café".to_owned(),
            ),
        ] {
            assert_eq!(decode(&body, declared).unwrap(), expected, "{declared:?}");
        }
    }

    #[test]
    fn valid_utf_8_is_not_copied() {
        assert!(matches!(
            decode("é".as_bytes(), None),
            Ok(Cow::Borrowed("é"))
        ));
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_byte() {
        let check = |body: &[u8], declared, byte: &str| {
            let problem = decode(body, declared).unwrap_err();
            assert_eq!(problem.code, ProblemCode::NotText);
            assert!(problem.detail.contains(byte), "{problem}");
        };
        check(b"ab\xffc", None, "byte 3 ");
        check(b"\xef\xbb\xbfab\xff", None, "byte 6 ");
        check(b"ab\xa1c", Some("8859/6"), "byte 3 ");
        check(b"\xff\xfea\0\0\xd8", None, "byte 5 ");
        check(b"ab", Some("klingon"), "not known");
    }

    #[test]
    fn an_xml_declaration_names_its_encoding() {
        let check = |body: &str, expected| assert_eq!(declared_in_xml(body.as_bytes()), expected);
        check(
            "<?xml version='1.0' encoding = \"windows-1256\"?><a/>",
            Some("windows-1256"),
        );
        check("<?xml version='1.0'?><a encoding='x'/>", None);
        check("<a/>", None);
    }
}
