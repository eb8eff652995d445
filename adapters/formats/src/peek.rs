//! A cheap look at the start of a JSON body: which keys does its first object have? It judges nothing;
//! a body that is not JSON simply has no such key.

/// How many bytes are looked at: a key that names the format stands well before an embedded document does.
const WINDOW: usize = 64 * 1024;

/// Whether the body's outermost object, or the first object of its outermost list, has the key `key`
/// within the first [`WINDOW`] bytes.
pub(crate) fn has_key(body: &[u8], key: &str) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let window = body.get(..WINDOW).unwrap_or(body).trim_ascii_start();
    let inside = match window.split_first() {
        Some((b'[', rest)) => rest.trim_ascii_start(),
        _ => window,
    };
    let Some((b'{', mut rest)) = inside.split_first() else {
        return false;
    };
    let mut depth = 1_usize;
    let mut previous = b'{';
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => {
                let (text, after) = string(rest);
                // A string is a key where it follows the brace or a comma of the outermost object.
                let is_key = depth == 1 && matches!(previous, b'{' | b',');
                if is_key && text == key.as_bytes() {
                    return after.trim_ascii_start().first() == Some(&b':');
                }
                rest = after;
            }
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => match depth.checked_sub(1) {
                None | Some(0) => return false,
                Some(outer) => depth = outer,
            },
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            previous = byte;
        }
    }
    false
}

/// The raw bytes of a string up to its closing quote, and what follows it.
fn string(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let end = bytes.iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    });
    let (text, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    (text, rest.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_the_first_object_count() {
        let check = |body: &str, expected| {
            assert_eq!(has_key(body.as_bytes(), "kind"), expected, "{body}");
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
}
