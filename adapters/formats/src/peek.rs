//! A cheap look at the start of a JSON body: which keys does its first object have? It judges nothing;
//! a body that is not JSON simply has no such key.

/// How many bytes are looked at: a key that names the format stands well before an embedded document does.
const WINDOW: usize = 64 * 1024;

/// Which of the keys `wanted` the body's outermost object, or the first object of its outermost list, has
/// within the first [`WINDOW`] bytes.
pub(crate) fn keys<const N: usize>(body: &[u8], wanted: [&str; N]) -> [bool; N] {
    let mut found = [false; N];
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let window = body.get(..WINDOW).unwrap_or(body).trim_ascii_start();
    let inside = match window.split_first() {
        Some((b'[', rest)) => rest.trim_ascii_start(),
        _ => window,
    };
    let Some((b'{', mut rest)) = inside.split_first() else {
        return found;
    };
    // A string is a key where it follows the brace or a comma of the outermost object.
    let mut is_key = true;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => {
                let (text, after) = string(rest);
                rest = after;
                let which = wanted
                    .iter()
                    .position(|key| is_key && key.as_bytes() == text);
                let slot = which.and_then(|which| found.get_mut(which));
                if let Some(slot) = slot.filter(|slot| !**slot) {
                    if after.trim_ascii_start().first() != Some(&b':') {
                        return found;
                    }
                    *slot = true;
                    if found.iter().all(|found| *found) {
                        return found;
                    }
                }
                is_key = false;
            }
            b'{' | b'[' => {
                rest = after_container(rest);
                is_key = false;
            }
            b'}' | b']' => return found,
            b',' => is_key = true,
            byte if byte.is_ascii_whitespace() => {}
            _ => is_key = false,
        }
    }
    found
}

/// What follows the end of the object or list whose inside `bytes` start with.
fn after_container(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    let mut depth = 1_usize;
    let matters = |byte: &u8| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']');
    while let Some(at) = rest.iter().position(matters) {
        let (_, from) = rest.split_at(at);
        let Some((byte, after)) = from.split_first() else {
            break;
        };
        rest = after;
        match byte {
            b'"' => (_, rest) = string(rest),
            b'{' | b'[' => depth = depth.saturating_add(1),
            _ if depth == 1 => return rest,
            _ => depth = depth.saturating_sub(1),
        }
    }
    &[]
}

/// The raw bytes of a string up to its closing quote, and what follows it.
fn string(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0_usize;
    while let Some(rest) = bytes.get(end..) {
        match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            None => break,
            Some(at) if rest.get(at) == Some(&b'"') => {
                let (text, rest) = bytes.split_at(end.saturating_add(at));
                return (text, rest.get(1..).unwrap_or_default());
            }
            // What an escape stands for is of no matter, but it may be a quote.
            Some(at) => end = end.saturating_add(at).saturating_add(2),
        }
    }
    (bytes, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_the_first_object_count() {
        let check = |body: &str, expected| {
            assert_eq!(keys(body.as_bytes(), ["kind"]), [expected], "{body}");
        };
        check(r#"{"kind":"claim"}"#, true);
        check("\u{feff} [ {\"a\": {\"b\": []}, \"kind\" : 1", true);
        check(r#"{"a":"kind"}"#, false);
        check(r#"{"a":"\"kind\":","b":1}"#, false);
        check(r#"{"a":{"kind":1}}"#, false);
        check(r#"{"a":["kind"]}"#, false);
        check(r#"{} {"kind":1}"#, false);
        check("<kind/>", false);
        check("", false);
        check(r#"{"a":"\"#, false);
        check("[[[[", false);
    }

    #[test]
    fn several_keys_are_looked_for_at_once() {
        let check = |body: &str, expected| {
            assert_eq!(keys(body.as_bytes(), ["a", "b"]), expected, "{body}");
        };
        check(r#"{"b":1,"x":{"a":1},"a":2}"#, [true, true]);
        check(r#"{"b":{"a":1}}"#, [false, true]);
        check(r#"[{"a":"b"},{"b":1}]"#, [true, false]);
    }
}
