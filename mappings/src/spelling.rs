//! How the codes of each system are spelled: what senders write, made one spelling per code.
//!
//! A spelling says nothing about whether a code exists.

use takmil_domain::text;

/// A code as it is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spelled {
    /// The one spelling of it.
    As(String),
    /// One of these; the writing does not tell which.
    OneOf(Vec<String>),
    /// A code of a coarser level: all that start so.
    Within(String),
    /// Not written as a code of this system can be.
    Wrong,
}

/// Reads a code of one system.
pub type Spelling = fn(&str) -> Spelled;

/// The longest code of any system, in bytes.
pub const MAX_CODE: usize = 100;

/// ASCII digits and upper-case letters alone.
fn letters_and_digits(code: &str) -> String {
    text::digits(code)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect()
}

/// Whether `code` has the shape of `pattern`: `9` stands for a digit, `A` for an upper-case letter, `*` for either.
fn has_shape(code: &str, pattern: &str) -> bool {
    code.len() == pattern.len()
        && code
            .chars()
            .zip(pattern.chars())
            .all(|(letter, place)| match place {
                '9' => letter.is_ascii_digit(),
                'A' => letter.is_ascii_uppercase(),
                _ => letter.is_ascii_alphanumeric(),
            })
}

fn as_if(fits: bool, code: String) -> Spelled {
    if fits {
        Spelled::As(code)
    } else {
        Spelled::Wrong
    }
}

/// Any text, in one spelling of its letters and digits: for systems whose rules are not known.
pub fn plain(code: &str) -> Spelled {
    let code = text::normalise(code).into_owned();
    as_if(
        !code.is_empty() && code.len() <= MAX_CODE && !code.chars().any(char::is_control),
        code,
    )
}

/// ICD-10 and what nations made of it: `E11.9`. Dots, case and the marks `+ * ! †` at the end are free.
pub fn icd10(code: &str) -> Spelled {
    // A hyphen inside is a range of codes; one at the end stands for what is left open.
    let open = code.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
    if open.contains('-') {
        return Spelled::Wrong;
    }
    let mut code = letters_and_digits(code);
    let fits = (3..=7).contains(&code.len())
        && code
            .get(..3)
            .is_some_and(|category| has_shape(category, "A9*") || has_shape(category, "AA9"));
    if fits && code.len() > 3 {
        code.insert(3, '.');
    }
    as_if(fits, code)
}

/// Diagnoses of ICD-9-CM: `250.00`, `V30.00`, `E850.0`.
pub fn icd9(code: &str) -> Spelled {
    let mut code = letters_and_digits(code);
    let category = if code.starts_with('E') { 4 } else { 3 };
    let lead = code.get(..category).is_some_and(|lead| {
        ["999", "V99", "E999"]
            .iter()
            .any(|shape| has_icd9_shape(lead, shape))
    });
    let tail = code
        .get(category..)
        .is_some_and(|tail| tail.len() <= 2 && tail.chars().all(|letter| letter.is_ascii_digit()));
    if lead && tail && code.len() > category {
        code.insert(category, '.');
    }
    as_if(lead && tail, code)
}

fn has_icd9_shape(lead: &str, shape: &str) -> bool {
    lead.len() == shape.len()
        && lead.chars().zip(shape.chars()).all(|(letter, place)| {
            if place == '9' {
                letter.is_ascii_digit()
            } else {
                letter == place
            }
        })
}

/// Procedures of ICD-9-CM: `99.21`.
pub fn icd9_procedure(code: &str) -> Spelled {
    let mut code = letters_and_digits(code);
    let fits = (2..=4).contains(&code.len()) && code.chars().all(|letter| letter.is_ascii_digit());
    if fits && code.len() > 2 {
        code.insert(2, '.');
    }
    as_if(fits, code)
}

/// ICD-10-PCS: seven letters and digits.
pub fn icd10_pcs(code: &str) -> Spelled {
    let code = letters_and_digits(code);
    as_if(code.len() == 7, code)
}

/// HCPCS of both levels and CDT, which share their shape, and their modifiers: `J7613`, `99213`, `0001F`, `LT`.
pub fn hcpcs(code: &str) -> Spelled {
    let code = letters_and_digits(code);
    let fits = ["A9999", "99999", "9999A", "A9", "9A", "AA", "99"]
        .iter()
        .any(|shape| has_shape(&code, shape));
    as_if(fits, code)
}

/// NDC as eleven digits, five for the labeller, four for the product, two for the package. A hyphen tells
/// where a ten-digit code lacks its zero; without one it may be any of three. A product alone stands for its packages.
pub fn ndc(code: &str) -> Spelled {
    if has_shape(code, "99999999999") {
        return Spelled::As(code.to_owned());
    }
    let code = text::normalise(code);
    if !code
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-')
    {
        return Spelled::Wrong;
    }
    let parts: Vec<&str> = code.split('-').collect();
    match parts.as_slice() {
        [labeller, product, package]
            if fits(labeller, 4, 5) && fits(product, 3, 4) && fits(package, 1, 2) =>
        {
            Spelled::As(format!("{labeller:0>5}{product:0>4}{package:0>2}"))
        }
        [labeller, product] if fits(labeller, 4, 5) && fits(product, 3, 4) => {
            Spelled::Within(format!("{labeller:0>5}{product:0>4}"))
        }
        [digits] if digits.len() == 11 => Spelled::As((*digits).to_owned()),
        [digits] if digits.len() == 9 => Spelled::Within((*digits).to_owned()),
        [digits] if digits.len() == 10 => Spelled::OneOf(
            [0, 5, 9]
                .iter()
                .filter_map(|place| digits.split_at_checked(*place))
                .map(|(before, after)| format!("{before}0{after}"))
                .collect(),
        ),
        _ => Spelled::Wrong,
    }
}

fn fits(part: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&part.len())
}

/// Digits alone, of any length that a number of a terminology has: SNOMED CT, Iranian lists. What follows
/// a bar, as in `73211009 |Diabetes mellitus|`, is a display and falls away.
pub fn number(code: &str) -> Spelled {
    let code = text::digits(code.split('|').next().unwrap_or_default())
        .trim()
        .to_owned();
    as_if(
        (1..=18).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()),
        code,
    )
}

/// A RxNorm concept: digits without leading zeros.
pub fn rxcui(code: &str) -> Spelled {
    match number(code) {
        Spelled::As(code) if code.len() <= 8 => {
            let code = code.trim_start_matches('0').to_owned();
            as_if(!code.is_empty(), code)
        }
        _ => Spelled::Wrong,
    }
}

fn padded(code: &str, digits: usize) -> Spelled {
    match number(code) {
        Spelled::As(code) if code.len() <= digits => Spelled::As(format!("{code:0>digits$}")),
        _ => Spelled::Wrong,
    }
}

/// A German package: eight digits, with or without its zeros or the letters PZN before them.
pub fn pzn(code: &str) -> Spelled {
    let code = text::normalise(code);
    padded(
        code.trim_start_matches(|letter: char| {
            letter.is_ascii_alphabetic() || letter == '-' || letter == ' '
        }),
        8,
    )
}

/// A vaccine of CVX: two digits, or three.
pub fn cvx(code: &str) -> Spelled {
    match number(code) {
        Spelled::As(code) => match code.trim_start_matches('0') {
            "" => Spelled::Wrong,
            bare if bare.len() <= 3 => Spelled::As(format!("{bare:0>2}")),
            _ => Spelled::Wrong,
        },
        wrong => wrong,
    }
}

/// A revenue code: four digits.
pub fn revenue(code: &str) -> Spelled {
    padded(code, 4)
}

/// LOINC: digits, a hyphen, a check digit; a part or an answer has letters before.
pub fn loinc(code: &str) -> Spelled {
    let code = text::normalise(code).to_ascii_uppercase();
    let fits = code.split_once('-').is_some_and(|(number, check)| {
        let digits = number.trim_start_matches(['L', 'A', 'P']);
        !digits.is_empty()
            && digits.len() <= 7
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && has_shape(check, "9")
    });
    as_if(fits, code)
}

/// ATC of any of its five levels: `A`, `A10`, `A10B`, `A10BJ`, `A10BJ05`.
pub fn atc(code: &str) -> Spelled {
    let code = letters_and_digits(code);
    let fits = ["A", "A99", "A99A", "A99AA", "A99AA99"]
        .iter()
        .any(|shape| has_shape(&code, shape));
    as_if(fits, code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spelling: Spelling, table: &[(&str, &str)]) {
        for (written, wanted) in table {
            let spelled = match spelling(written) {
                Spelled::As(code) => code,
                Spelled::OneOf(codes) => codes.join(" or "),
                Spelled::Within(code) => format!("{code}…"),
                Spelled::Wrong => "wrong".to_owned(),
            };
            assert_eq!(&spelled, wanted, "{written:?}");
        }
    }

    #[test]
    fn a_diagnosis_may_lack_its_dot_or_its_capitals() {
        let table = [
            ("E119", "E11.9"),
            ("e11.9", "E11.9"),
            (" I10 ", "I10"),
            ("M48062", "M48.062"),
            ("A17.0+", "A17.0"),
            ("I10.90", "I10.90"),
            ("۱۱", "wrong"),
            ("E۱۱٫۹", "E11.9"),
        ];
        check(icd10, &table);
        check(
            icd10,
            &[
                ("C7A.00", "C7A.00"),
                ("qa00101", "QA0.0101"),
                ("A00-A09", "wrong"),
                ("", "wrong"),
                ("T36.0X1AB", "wrong"),
                ("9999999", "wrong"),
                ("Ë11", "wrong"),
            ],
        );
        check(
            icd9,
            &[
                ("25000", "250.00"),
                ("4280", "428.0"),
                ("V3000", "V30.00"),
                ("E8500", "E850.0"),
                ("princcd", "wrong"),
                ("9999999", "wrong"),
            ],
        );
        check(
            icd9_procedure,
            &[
                ("9921", "99.21"),
                ("45", "45"),
                ("45.1", "45.1"),
                ("45111", "wrong"),
            ],
        );
        check(icd10_pcs, &[("4a023n7", "4A023N7"), ("4A023", "wrong")]);
    }

    #[test]
    fn an_ndc_has_eleven_digits_whatever_was_written() {
        check(
            ndc,
            &[
                ("0777-3105-02", "00777310502"),
                ("50580-506-02", "50580050602"),
                ("12345-6789-1", "12345678901"),
                ("2501-813-16", "02501081316"),
            ],
        );
        check(
            ndc,
            &[
                ("00777310502", "00777310502"),
                ("۰۰۷۷۷۳۱۰۵۰۲", "00777310502"),
                ("50090-0001", "500900001…"),
                ("000000000", "000000000…"),
            ],
        );
        check(
            ndc,
            &[
                ("0264751010", "00264751010 or 02647051010 or 02647510100"),
                ("1", "wrong"),
                ("0777-3105-02-1", "wrong"),
                ("abc", "wrong"),
                ("", "wrong"),
            ],
        );
    }

    #[test]
    fn services_drugs_and_terms_have_one_spelling() {
        check(
            hcpcs,
            &[
                ("j7613", "J7613"),
                (" 99213", "99213"),
                ("lt", "LT"),
                ("FDSAE", "wrong"),
                ("1", "wrong"),
            ],
        );
        check(
            rxcui,
            &[
                ("0313782", "313782"),
                ("٣١٣٧٨٢", "313782"),
                ("000", "wrong"),
                ("x", "wrong"),
            ],
        );
        check(
            pzn,
            &[
                ("814665", "00814665"),
                ("PZN-02532741", "02532741"),
                ("123456789", "wrong"),
            ],
        );
        check(
            number,
            &[
                ("73211009 |Diabetes mellitus|", "73211009"),
                ("42819100012410", "42819100012410"),
                ("1-2", "wrong"),
                ("", "wrong"),
            ],
        );
        check(
            cvx,
            &[
                ("8", "08"),
                ("08", "08"),
                ("140", "140"),
                ("0140", "140"),
                ("۰۰۸", "08"),
                ("00", "wrong"),
                ("1400", "wrong"),
            ],
        );
        check(revenue, &[("22", "0022"), ("0636", "0636"), ("A", "wrong")]);
        check(
            loinc,
            &[
                ("58410-2", "58410-2"),
                ("la6576-8", "LA6576-8"),
                ("58410", "wrong"),
            ],
        );
        check(
            atc,
            &[("a10 bj05", "A10BJ05"), ("A10", "A10"), ("A1", "wrong")],
        );
        check(
            plain,
            &[("۱۲ ي", "12 ی"), ("  ", "wrong"), ("a\u{1}", "wrong")],
        );
    }
}
