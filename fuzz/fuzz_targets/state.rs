//! State files: any bytes are read or refused, what is read is written as it was, and two policies can be compared.
#![no_main]

use ccf_gov::evidence::policy::{Review, difference};
use ccf_gov::review::state::State;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(state) = State::from_json(data) {
        let again = State::from_json(state.to_json().to_string().as_bytes()).expect("what was written is read");
        assert_eq!(again.tables.changes_since(&state.tables), []);
    }
    if let Some(middle) = data.iter().position(|byte| *byte == 0) {
        let (old, new) = (Review::of(&data[..middle]), Review::of(&data[middle + 1..]));
        difference(&old, &new);
    }
    assert!(difference(&Review::of(data), &Review::of(data)).is_empty());
});
