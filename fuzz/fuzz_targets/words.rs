//! Versions, ids, digests, times and addresses, as any text: what is read is written back as a text of the same meaning.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::cose::{CreatedAt, MessageType};
use ccf_gov::digest::MrEnclave;
use ccf_gov::evidence::policy::Version;
use ccf_gov::id::{MemberId, TransactionId};
use ccf_gov::processor::Cpuid;
use ccf_gov::proposal::time;
use ccf_gov::service::NodeAddress;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    there_and_back::<CcfVersion>(text);
    there_and_back::<CreatedAt>(text);
    there_and_back::<MessageType>(text);
    there_and_back::<MrEnclave>(text);
    there_and_back::<Version>(text);
    there_and_back::<Cpuid>(text);
    there_and_back::<MemberId>(text);
    there_and_back::<TransactionId>(text);
    there_and_back::<NodeAddress>(text);
    if let Ok(read) = time::read(text)
        && let Ok(written) = time::write(read)
    {
        let again = time::read(&written).expect("what we write can be read");
        assert_eq!(again.unix_timestamp(), read.unix_timestamp());
    }
});

fn there_and_back<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string().parse::<T>().expect("what we write can be read"), read);
    }
}
