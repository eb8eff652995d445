//! Text as people type it, made comparable: digits of any of the region's scripts, Arabic forms of Persian
//! letters, invisible characters. Original texts are kept beside; this is for codes, identifiers and search.

use std::borrow::Cow;

/// Persian and Arabic-Indic digits as ASCII digits; all else as it is.
pub fn digits(text: &str) -> Cow<'_, str> {
    if text.chars().any(|letter| ascii_digit(letter) != letter) {
        Cow::Owned(text.chars().map(ascii_digit).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn ascii_digit(letter: char) -> char {
    let value = match letter {
        '\u{06F0}'..='\u{06F9}' => u32::from(letter) - 0x06F0,
        '\u{0660}'..='\u{0669}' => u32::from(letter) - 0x0660,
        _ => return letter,
    };
    char::from_digit(value, 10).unwrap_or(letter)
}

/// One spelling for what is read as the same: ASCII digits, Persian yeh and kaf for their Arabic forms, no
/// tatweel, no direction marks, the zero-width non-joiner and every run of white space as one space, none at the ends.
pub fn normalise(text: &str) -> Cow<'_, str> {
    if text.is_ascii()
        && !text.contains(['\t', '\n', '\r'])
        && !text.contains("  ")
        && text.trim().len() == text.len()
    {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{064A}' | '\u{0649}' => plain.push('\u{06CC}'),
            '\u{0643}' => plain.push('\u{06A9}'),
            '\u{0640}'
            | '\u{200B}'
            | '\u{200D}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}'
            | '\u{FEFF}' => {}
            '\u{200C}' => plain.push(' '),
            other => plain.push(ascii_digit(other)),
        }
    }
    Cow::Owned(plain.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_typed_differently_become_one() {
        let check = |text, plain| assert_eq!(normalise(text), plain, "{text:?}");
        check("ويزيت پزشك", "ویزیت پزشک");
        check("می\u{200c}شود", "می شود");
        check("  ۱۲٣ قرص\u{a0}", "123 قرص");
        check("plain text", "plain text");
        check("tab\tand\nline", "tab and line");
        assert!(matches!(digits("E11.9"), Cow::Borrowed(_)));
        assert_eq!(digits("۰۰۱٢"), "0012");
    }
}
