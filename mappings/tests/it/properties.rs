//! What holds for whatever anybody sends.

use proptest::prelude::*;
use takmil_domain::date::Date;
use takmil_mappings::spelling::Spelled;
use takmil_mappings::systems::SYSTEMS;
use takmil_mappings::table::{Head, Table};
use takmil_mappings::{Lookup, Tables, import};

/// Codes near real ones, and anything at all.
fn code() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9۰-۹٠-٩.\\-+*| ]{0,14}",
        "[0-9]{8,12}",
        "[A-Z][0-9]{2}\\.?[0-9A-Z]{0,4}",
        any::<String>()
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_spelled_code_is_spelled_as_it_is(code in code()) {
        for system in SYSTEMS {
            if let Spelled::As(spelled) = (system.spelling)(&code) {
                prop_assert_eq!((system.spelling)(&spelled), Spelled::As(spelled.clone()), "{}", system.uri);
            }
        }
    }

    #[test]
    fn a_common_code_is_its_own(code in code(), at in 0..SYSTEMS.len()) {
        let tables = Tables::shipped();
        if let Lookup::Mapped(mapped) = tables.common(SYSTEMS[at].uri, &code) {
            let Lookup::Mapped(again) = tables.common(&mapped.common.system, &mapped.common.code) else {
                return Err(TestCaseError::fail(format!("{:?} has no place of its own", mapped.common)));
            };
            prop_assert_eq!(again.common, mapped.common);
        }
    }

    #[test]
    fn no_text_is_too_strange_to_be_looked_up_or_read(system in any::<String>(), code in any::<String>(), table in any::<String>()) {
        let _ = Tables::shipped().common(&system, &code);
        prop_assert!(Table::parse(table).is_err());
    }

    #[test]
    fn no_file_is_too_strange_to_be_imported(source in proptest::collection::vec(any::<u8>(), 0..300), code in code()) {
        let head = Head {
            id: "any".to_owned(),
            system: "urn:any".to_owned(),
            target: None,
            edition: "1".to_owned(),
            as_of: Date::parse("2026-01-01").unwrap(),
            complete: false,
            synthetic: false,
            licence: "none".to_owned(),
            source: "none".to_owned(),
        };
        let _ = import::table(source.as_slice(), &head, "code=code");
        let rows = [b"code,t\n\"".as_slice(), code.replace('"', "").as_bytes(), b"\",", source.as_slice()].concat();
        if let Ok(imported) = import::table(rows.as_slice(), &head, "code=code,title=t") {
            prop_assert!(imported.table.len() + imported.refused.len() <= imported.read);
        }
    }
}
