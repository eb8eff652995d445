//! The law of every format that is written: what it says of a message it says again, and nothing else.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use takmil_formats::{FORMATS, native, read, write};

use crate::context;
use crate::draw::messages;

/// How many messages are drawn.
const DRAWN: usize = 4_000;

#[test]
fn what_a_format_says_of_a_message_is_said_again_whole() {
    let writable = FORMATS.iter().filter(|format| format.write.is_some());
    for format in writable {
        let mut runner = TestRunner::deterministic();
        let mut said = 0;
        for _ in 0..DRAWN {
            let message = messages().new_tree(&mut runner).unwrap().current();
            // Kinds that the format has no message for, and messages that are not sound, are told to be so.
            let Ok(first) = write(format, &message, &context()) else {
                continue;
            };
            if format.name == native::FORMAT.name {
                assert_eq!((&first.unsaid, &first.added), (&vec![], &vec![]));
            }
            let bytes = &first.written.bytes;
            let again = read(format, bytes, &context()).unwrap().messages.remove(0);
            let again = again.outcome.unwrap();
            let second = write(format, &again, &context()).unwrap();
            assert!(
                second.unsaid.is_empty(),
                "{}: {:?}",
                format.name,
                second.unsaid
            );
            assert!(
                second.added.is_empty(),
                "{}: {:?}",
                format.name,
                second.added
            );
            said += 1;
        }
        assert!(said >= 20, "{}: {said} of {DRAWN}", format.name);
    }
}
