//! Codes as numbers: short, sorted as the codes are, and cut to the category above by a mask.

use std::fmt;

/// A code of at most eight letters and digits. Points and the case of letters do not count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeKey(u64);

impl CodeKey {
    /// How many characters a key holds: ICD-10-CM and ICD-10-PCS have seven, HCPCS five.
    const LENGTH: u32 = 8;
    /// The characters of the shortest category of ICD-10.
    const CATEGORY: u32 = 3;

    /// Reads a code; `None` where it holds anything else, is longer, or is empty.
    pub fn parse(code: &str) -> Option<CodeKey> {
        let mut key = 0;
        let mut length = 0;
        for byte in code.bytes().filter(|byte| *byte != b'.') {
            if !byte.is_ascii_alphanumeric() || length == Self::LENGTH {
                return None;
            }
            length += 1;
            key |= u64::from(byte.to_ascii_uppercase()) << (8 * (Self::LENGTH - length));
        }
        (length > 0).then_some(CodeKey(key))
    }

    /// How many characters it has.
    pub fn length(self) -> u32 {
        Self::LENGTH - self.0.trailing_zeros().min(56) / 8
    }

    /// Its first `length` characters.
    pub fn first(self, length: u32) -> CodeKey {
        let cut = 8 * Self::LENGTH.saturating_sub(length.max(1));
        CodeKey(self.0 >> cut << cut)
    }

    /// A diagnosis and the categories above it, the nearest first.
    pub fn upward(self) -> impl Iterator<Item = CodeKey> {
        let length = self.length();
        (Self::CATEGORY.min(length)..=length)
            .rev()
            .map(move |length| self.first(length))
    }

    /// The last key that begins with this one.
    fn last_below(self) -> CodeKey {
        CodeKey(self.0 | u64::MAX.checked_shr(8 * self.length()).unwrap_or(0))
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.to_be_bytes();
        let text = bytes.iter().filter(|byte| **byte != 0);
        text.map(|byte| char::from(*byte))
            .collect::<String>()
            .fmt(f)
    }
}

/// A category with all below it, or all categories from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeRange {
    from: CodeKey,
    to: CodeKey,
}

impl CodeRange {
    /// Reads `E11`, which holds E11.9 too, or `O00-O07`.
    pub fn parse(text: &str) -> Option<CodeRange> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (from, to) = (CodeKey::parse(from)?, CodeKey::parse(to)?);
        (from <= to).then_some(CodeRange { from, to })
    }

    /// The first and the last key that it can hold.
    pub fn ends(self) -> (CodeKey, CodeKey) {
        (self.from, self.to.last_below())
    }

    /// Whether it holds a code.
    pub fn holds(self, key: CodeKey) -> bool {
        let (first, last) = self.ends();
        (first..=last).contains(&key)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn key(code: &str) -> CodeKey {
        CodeKey::parse(code).unwrap()
    }

    #[test]
    fn a_code_is_one_number_however_it_is_written() {
        assert_eq!(key("e11.9"), key("E119"));
        assert_eq!(format!("{:?}", key("S06.0X1A")), "\"S060X1A\"");
        assert!(key("A00") < key("A00.0") && key("A00.9") < key("A01") && key("C79") < key("C7A"));
        for wrong in ["", ".", "E11,9", "E11 9", "123456789", "سرما"] {
            assert_eq!(CodeKey::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_code_stands_below_its_categories() {
        let above: Vec<CodeKey> = key("E11.65").upward().collect();
        assert_eq!(above, [key("E1165"), key("E116"), key("E11")]);
        assert_eq!(key("I10").upward().collect::<Vec<_>>(), [key("I10")]);
        assert_eq!(key("I").upward().collect::<Vec<_>>(), [key("I")]);
        assert_eq!(key("12345678").length(), 8);
    }

    #[test]
    fn a_range_holds_what_is_below_its_ends() {
        let check = |range: &str, held: &[&str], not: &[&str]| {
            let range = CodeRange::parse(range).unwrap();
            assert!(held.iter().all(|code| range.holds(key(code))), "{range:?}");
            assert!(!not.iter().any(|code| range.holds(key(code))), "{range:?}");
        };
        check("E11", &["E11", "E11.9", "E11.A"], &["E1", "E10.9", "E12"]);
        check("O00-O07", &["O00.1", "O07", "O07.4"], &["N99", "O08"]);
        check("12345678", &["12345678"], &["12345679"]);
        assert_eq!(CodeRange::parse("O07-O00"), None);
        assert_eq!(CodeRange::parse("O07-"), None);
    }
}
