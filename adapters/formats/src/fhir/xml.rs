//! FHIR XML ⇄ the JSON form of FHIR as a [`Node`](super::tree::Node), by the table of R4: what is a
//! list, a number or a boolean in JSON cannot be seen in XML, and JSON does not keep XML's order.
//!
//! Reading refuses whatever could reach out of the body or blow it up (document types, processing
//! instructions, entities beyond XML's five) and whatever JSON could not hold; rules of R4 itself are
//! left to [`super::r4::check`], so that both syntaxes are judged by one hand.

mod read;
mod tags;
mod write;

pub(crate) use read::parse;
pub(crate) use write::render;

/// The namespace of FHIR's elements.
const FHIR: &str = "http://hl7.org/fhir";

/// The namespace of a narrative's `div`.
const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// The namespace of schema hints, which FHIR allows and ignores.
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Whether XML 1.0 cannot hold the character, not even escaped.
fn is_forbidden(character: char) -> bool {
    matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Where the first character stands that XML cannot hold.
fn first_forbidden(text: &str) -> Option<usize> {
    // All that are not below the space start with this byte in UTF-8.
    let is_suspect =
        |byte: u8| byte == 0xef || (byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r'));
    // Without a way out in between, the processor looks at many bytes at once; few bodies have a suspect.
    let has_suspect = text.bytes().fold(false, |any, byte| any | is_suspect(byte));
    has_suspect.then(|| text.find(is_forbidden)).flatten()
}

/// Whether an element that R4 does not know may be carried under this name.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )]

    use super::*;
    use crate::fhir::{json, r4, tree::Node};
    use proptest::prelude::*;
    use takmil_domain::problem::ProblemCode;

    /// One resource in both syntaxes, with everything in which they differ.
    const PAIR: (&str, &str) = (
        concat!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
            "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"p1\"/>",
            "<text><status value=\"generated\"/>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\">a &lt; b<br/>ت</div></text>",
            "<contained><Basic><code><text value=\"x\"/></code></Basic></contained>",
            "<extension url=\"http://x/a\"><valueDecimal value=\"10.00\"/></extension>",
            "<active value=\"true\"/>",
            "<name id=\"n\"><given value=\"one\"/><given id=\"g\">",
            "<extension url=\"http://x/b\"><valueCode value=\"unknown\"/></extension></given>",
            "<given value=\"three &quot;&amp;&#10;\"/></name>",
            "<birthDate value=\"1970-03\">",
            "<extension url=\"http://x/c\"><valueBoolean value=\"false\"/></extension></birthDate>",
            "<multipleBirthInteger value=\"2\"/></Patient>",
        ),
        concat!(
            r#"{"resourceType":"Patient","id":"p1","text":{"status":"generated","#,
            r#""div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a &lt; b<br/>ت</div>"},"#,
            r#""contained":[{"resourceType":"Basic","code":{"text":"x"}}],"#,
            r#""extension":[{"url":"http://x/a","valueDecimal":10.00}],"active":true,"#,
            r#""name":[{"id":"n","given":["one",null,"three \"&\n"],"#,
            r#""_given":[null,{"id":"g","extension":[{"url":"http://x/b","valueCode":"unknown"}]},null]}],"#,
            r#""birthDate":"1970-03","_birthDate":{"extension":[{"url":"http://x/c","valueBoolean":false}]},"#,
            r#""multipleBirthInteger":2}"#,
        ),
    );

    #[test]
    fn both_syntaxes_are_one_tree() {
        let tree = json::parse(PAIR.1.as_bytes()).unwrap();
        assert_eq!(r4::check(&tree), []);
        assert_eq!(json::render(&parse(PAIR.0.as_bytes()).unwrap()), PAIR.1);
        assert_eq!(render(&tree).unwrap(), PAIR.0);
    }

    #[test]
    fn xml_is_written_in_the_order_of_r4_whatever_the_order_in_json() {
        let tree = json::parse(
            br#"{"use":"official","resourceType":"Basic","code":{"text":"x"},"id":"1"}"#,
        )
        .unwrap();
        let xml = render(&tree).unwrap();
        assert!(
            xml.ends_with(
                "<id value=\"1\"/><code><text value=\"x\"/></code><use value=\"official\"/></Basic>"
            ),
            "{xml}"
        );
    }

    #[test]
    fn utf_16_and_byte_order_marks_and_prefixes_are_read() {
        let expected =
            json::parse(r#"{"resourceType":"Basic","id":"1","code":{"text":"ت"}}"#.as_bytes())
                .unwrap();
        let with = |declared: &str| {
            format!(
                "<?xml version='1.0'{declared}?><!-- c --><Basic xmlns='{FHIR}'>\n<id value='1'/><code><text value='ت'/></code></Basic>\n"
            )
        };
        let wide = |text: String, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            ['\u{feff}']
                .into_iter()
                .chain(text.chars())
                .collect::<String>()
                .encode_utf16()
                .flat_map(bytes)
                .collect()
        };
        let prefixed = with("")
            .replace("xmlns=", "xmlns:f=")
            .replace('<', "<f:")
            .replace("<f:/", "</f:");
        let prefixed = prefixed.replace("<f:?", "<?").replace("<f:!", "<!");
        let bodies = [
            with("").into_bytes(),
            with(" encoding='utf-8'").into_bytes(),
            format!("\u{feff}{}", with(" encoding=\"UTF-8\"")).into_bytes(),
            wide(with(" encoding='UTF-16'"), u16::to_le_bytes),
            wide(with(""), u16::to_be_bytes),
            prefixed.into_bytes(),
            with("").replace("xmlns=", "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b' xmlns=").into_bytes(),
        ];
        for body in bodies {
            assert_eq!(
                parse(&body),
                Ok(expected.clone()),
                "{}",
                String::from_utf8_lossy(&body)
            );
        }
    }

    #[test]
    fn a_narrative_stands_alone_even_if_its_namespace_was_declared_outside() {
        let xml = format!(
            "<f:Basic xmlns:f='{FHIR}' xmlns='{XHTML}'><f:text><f:status value='empty'/><div class='x'>y</div></f:text></f:Basic>"
        );
        let tree = parse(xml.as_bytes()).unwrap();
        let div = tree.get("text").and_then(|text| text.text("div")).unwrap();
        assert_eq!(div, format!("<div xmlns=\"{XHTML}\" class='x'>y</div>"));
        assert_eq!(parse(render(&tree).unwrap().as_bytes()), Ok(tree));
    }

    #[test]
    fn a_number_or_boolean_in_a_wrong_form_stays_text_for_the_check_to_find() {
        let xml = format!(
            "<Patient xmlns='{FHIR}'><active value='yes'/><multipleBirthInteger value='+2'/></Patient>"
        );
        let tree = parse(xml.as_bytes()).unwrap();
        let found: Vec<String> = r4::check(&tree)
            .into_iter()
            .map(|finding| finding.problem.pointer)
            .collect();
        assert_eq!(found, ["/active", "/multipleBirthInteger"]);
    }

    #[test]
    fn what_is_no_fhir_xml_is_refused_with_its_place() {
        let fhir = |content: &str| format!("<Basic xmlns='{FHIR}'>{content}</Basic>");
        let deep = |levels: usize| {
            fhir(&format!(
                "{}{}",
                "<extension url='x'>".repeat(levels),
                "</extension>".repeat(levels)
            ))
        };
        let table: Vec<(String, ProblemCode, &str)> = vec![
            (String::new(), ProblemCode::Malformed, ""),
            ("<Basic/>".into(), ProblemCode::Unknown, ""),
            (fhir("").replace("hl7", "hl8"), ProblemCode::Unknown, ""),
            (format!("{}<x/>", fhir("")), ProblemCode::Malformed, ""),
            (format!("{} x", fhir("")), ProblemCode::Malformed, ""),
            (format!("x{}", fhir("")), ProblemCode::Malformed, ""),
            (fhir("").replace("</Basic>", ""), ProblemCode::Malformed, ""),
            (
                fhir("<code><text value='x'/>"),
                ProblemCode::Malformed,
                "/code",
            ),
            (fhir("<id value=1/>"), ProblemCode::Malformed, "/id"),
            (
                fhir("<id value='1' value='2'/>"),
                ProblemCode::Malformed,
                "/id",
            ),
            (fhir("<id value='a<b'/>"), ProblemCode::Malformed, "/id"),
            (fhir("<id value='&nbsp;'/>"), ProblemCode::Malformed, "/id"),
            (
                fhir("<id value='&#1;'/>"),
                ProblemCode::ControlCharacter,
                "/id",
            ),
            (
                fhir("<id value='a\u{1}'/>"),
                ProblemCode::ControlCharacter,
                "/id",
            ),
            (fhir("<id>1</id>"), ProblemCode::Malformed, "/id"),
            (
                fhir("<id><![CDATA[1]]></id>"),
                ProblemCode::Malformed,
                "/id",
            ),
            (fhir("<?go now?>"), ProblemCode::Malformed, ""),
            (fhir("&amp;"), ProblemCode::Malformed, ""),
            (fhir("<code kind='x'/>"), ProblemCode::Unknown, "/code"),
            (fhir("<code value='x'/>"), ProblemCode::Unknown, "/code"),
            (
                fhir("<id value='x'><a/></id>"),
                ProblemCode::Unknown,
                "/id/a",
            ),
            (
                fhir("<x:id xmlns:x='urn:x' value='x'/>"),
                ProblemCode::Unknown,
                "/id",
            ),
            (fhir("<x:id value='x'/>"), ProblemCode::Malformed, ""),
            (
                fhir("<text><div>x</div></text>"),
                ProblemCode::Unknown,
                "/text/div",
            ),
            (
                fhir(&format!("<text><div xmlns='{XHTML}'>&nbsp;</div></text>")),
                ProblemCode::Malformed,
                "/text/div",
            ),
            (fhir("<contained/>"), ProblemCode::Missing, "/contained/0"),
            (
                fhir("<contained><Basic/><Basic/></contained>"),
                ProblemCode::Malformed,
                "/contained/0",
            ),
            (
                format!("<!DOCTYPE Basic [<!ENTITY a 'b'>]>{}", fhir("")),
                ProblemCode::Malformed,
                "",
            ),
            (
                format!("<?xml version='1.0' encoding='ISO-8859-1'?>{}", fhir("")),
                ProblemCode::NotText,
                "",
            ),
            (
                format!("<?xml version='1.0' encoding='UTF-16'?>{}", fhir("")),
                ProblemCode::NotText,
                "",
            ),
            (
                format!(
                    "<Basic{}/>",
                    (0..500_000)
                        .map(|n| format!(" a{n}=''"))
                        .collect::<String>()
                ),
                ProblemCode::TooLarge,
                "",
            ),
            (
                fhir(&(0..500_000).map(|n| format!("<a{n}/>")).collect::<String>()),
                ProblemCode::TooLarge,
                "",
            ),
            (deep(200_000), ProblemCode::TooDeep, ""),
        ];
        for (body, code, pointer) in table {
            let shown: String = body.chars().take(120).collect();
            let problem = parse(body.as_bytes())
                .err()
                .unwrap_or_else(|| panic!("{shown} was read"));
            assert_eq!(problem.code, code, "{shown}: {problem}");
            assert!(
                code == ProblemCode::TooDeep || problem.pointer == pointer,
                "{shown}: {problem}"
            );
        }
        assert!(parse(deep(20).as_bytes()).is_ok());
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><Basic xmlns='http://hl7.org/fhir'><id value='\xe9'/></Basic>";
        for body in [&latin[..], b"\xff\xfe<", b"\xff\xfe\0\xd8", b"<\0B\0"] {
            assert_eq!(parse(body).unwrap_err().code, ProblemCode::NotText);
        }
    }

    #[test]
    fn what_xml_cannot_hold_is_not_written() {
        let table = [
            (
                r#"{"resourceType":"Basic","id":"\u0001"}"#,
                ProblemCode::ControlCharacter,
                "/id",
            ),
            (
                r#"{"resourceType":"Basic","a b":"x"}"#,
                ProblemCode::Unknown,
                "/a b",
            ),
            (r#"{"resourceType":"a b"}"#, ProblemCode::Unknown, ""),
            (r#"{"id":"1"}"#, ProblemCode::Missing, ""),
            (
                r#"{"resourceType":"Basic","id":{}}"#,
                ProblemCode::WrongType,
                "/id",
            ),
            (
                r#"{"resourceType":"Basic","text":{"div":"<div>&nbsp;"}}"#,
                ProblemCode::Malformed,
                "/text/div",
            ),
        ];
        for (body, code, pointer) in table {
            let problem = render(&json::parse(body.as_bytes()).unwrap()).unwrap_err();
            assert_eq!(
                (problem.code, problem.pointer.as_str()),
                (code, pointer),
                "{body}: {problem}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }

        #[test]
        fn any_cut_or_changed_body_is_read_or_refused(at in 0..PAIR.0.len(), byte: u8, cut: bool) {
            let mut body = PAIR.0.as_bytes().to_vec();
            if cut { body.truncate(at) } else { body[at] = byte }
            if let Ok(tree) = parse(&body) {
                let _ = r4::check(&tree);
                if let Ok(xml) = render(&tree) {
                    prop_assert_eq!(parse(xml.as_bytes()).map(Node::sorted), Ok(tree.sorted()));
                }
            }
        }
    }

    #[test]
    fn a_tree_of_unknown_elements_comes_back_as_it_was() {
        let xml = format!(
            "<Novel xmlns='{FHIR}'><a value='1'/><a value='2'/><b id='x'><c value=''/></b><d value='3'><extension url='u'/></d></Novel>"
        );
        let tree = parse(xml.as_bytes()).unwrap();
        assert_eq!(tree.list("a").first().and_then(Node::as_str), Some("1"));
        assert_eq!(parse(render(&tree).unwrap().as_bytes()), Ok(tree));
    }
}
