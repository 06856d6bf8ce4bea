//! Whether a node may join: the checks that a primary makes on a joiner's evidence, in CCF's order.

use super::code::{NodeCode, UvmEndorsement};
use super::reply::Fault;
use super::tables::read;
use crate::constitution::{Tables, table};

/// Why a node was not let in, as the service puts it: 401 `InvalidQuote`. A real node's process ends then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the service refused the node: {code}: {message}")]
pub struct JoinRefused {
    /// The error's code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl From<JoinRefused> for Fault {
    fn from(refused: JoinRefused) -> Self {
        Fault::new(401, refused.code, refused.message)
    }
}

/// Refuses code that the join policy in `tables` does not admit.
pub(super) fn check(tables: &Tables, code: &NodeCode) -> Result<(), JoinRefused> {
    let refuse = |message: &str| Err(JoinRefused { code: "InvalidQuote", message: message.into() });
    let host_data = |name: &str, digest: String| tables.has(name, digest.as_bytes());
    let unknown_host_data = "The quote's host data is not authorised.";
    let unknown_measurement = "The quote's measurement is not known.";
    match code {
        NodeCode::Virtual { host_data: digest, measurement } => {
            if !host_data(table::VIRTUAL_HOST_DATA, digest.to_string()) {
                return refuse(unknown_host_data);
            }
            if !tables.has(table::VIRTUAL_MEASUREMENTS, measurement.as_bytes()) {
                return refuse(unknown_measurement);
            }
        }
        NodeCode::Snp { host_data: digest, measurement, uvm } => {
            if !host_data(table::SNP_HOST_DATA, digest.to_string()) {
                return refuse(unknown_host_data);
            }
            match uvm {
                Some(uvm) if !endorsed(tables, uvm) => return refuse("The UVM endorsements are not authorised."),
                None if !tables.has(table::SNP_MEASUREMENTS, measurement.to_string().as_bytes()) => {
                    return refuse(unknown_measurement);
                }
                _ => {}
            }
        }
        NodeCode::Sgx { mrenclave } => {
            if !tables.has(table::NODE_CODE_IDS, mrenclave.to_string().as_bytes()) {
                return refuse(unknown_measurement);
            }
        }
    }
    Ok(())
}

/// Whether the endorsement's feed is registered with at most its security version.
fn endorsed(tables: &Tables, uvm: &UvmEndorsement) -> bool {
    let feeds = read(tables, table::SNP_UVM_ENDORSEMENTS, &uvm.did);
    let least =
        feeds.as_ref().and_then(|feeds| feeds[&uvm.feed]["svn"].as_str()).and_then(|svn| svn.parse::<u64>().ok());
    match (least, uvm.svn.parse::<u64>()) {
        (Some(least), Ok(svn)) => svn >= least,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_code_may_join() {
        let mut tables = Tables::new();
        let NodeCode::Virtual { host_data, measurement } = NodeCode::named("new") else { panic!() };
        assert_eq!(check(&tables, &NodeCode::named("new")).unwrap_err().code, "InvalidQuote");
        tables.put(table::VIRTUAL_HOST_DATA, host_data.to_string().as_bytes(), r#""""#);
        let refused = check(&tables, &NodeCode::named("new")).unwrap_err();
        assert!(refused.message.contains("measurement"));
        tables.put(table::VIRTUAL_MEASUREMENTS, measurement.as_bytes(), r#""AllowedToJoin""#);
        check(&tables, &NodeCode::named("new")).unwrap();
        assert!(check(&tables, &NodeCode::named("other")).is_err());
    }

    #[test]
    fn an_endorsement_needs_at_least_the_registered_version() {
        let mut tables = Tables::new();
        tables.put(table::SNP_UVM_ENDORSEMENTS, b"did:x509:a", r#"{"ContainerPlat-AMD-UVM":{"svn":"100"}}"#);
        let uvm =
            |svn: &str, feed: &str| UvmEndorsement { did: "did:x509:a".into(), feed: feed.into(), svn: svn.into() };
        assert!(endorsed(&tables, &uvm("100", "ContainerPlat-AMD-UVM")));
        assert!(endorsed(&tables, &uvm("101", "ContainerPlat-AMD-UVM")));
        assert!(!endorsed(&tables, &uvm("99", "ContainerPlat-AMD-UVM")));
        assert!(!endorsed(&tables, &uvm("100", "other")));
        assert!(!endorsed(&tables, &uvm("x", "ContainerPlat-AMD-UVM")));
    }
}
