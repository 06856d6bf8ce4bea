//! The virtual platform: a node that claims what it was started with, and proves nothing.
//!
//! CCF's virtual nodes give `{measurement, host_data, report_data}` as JSON, unsigned. Host data is the SHA-256
//! of the node's executable (of the application library before CCF 7), the measurement is one constant text, and
//! `report_data` is the base64 of the node id's 32 bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::check::Checks;
use crate::digest::HostData;
use crate::id::NodeId;
use crate::json;

/// The measurement of every virtual node.
pub const MEASUREMENT: &str = "Insecure hard-coded virtual measurement v1";

/// The name by which CCF calls a virtual quote's format.
pub const QUOTE_FORMAT: &str = "Insecure_Virtual";

/// What a virtual attestation claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The measurement: always [`MEASUREMENT`] on real nodes.
    pub measurement: String,
    /// SHA-256 of what the node runs.
    pub host_data: HostData,
    /// The node that it is about.
    pub node_id: NodeId,
}

/// Why bytes are not a virtual attestation.
#[derive(Debug, thiserror::Error)]
pub enum VirtualError {
    /// Not JSON, nor base64 of JSON.
    #[error("a virtual attestation is JSON, or base64 of JSON")]
    Json(#[source] json::JsonError),
    /// A member is missing, of another type, or unknown.
    #[error("a virtual attestation is an object of the texts measurement, host_data and report_data: {0}")]
    Shape(String),
    /// Host data of another form.
    #[error("the virtual attestation's host_data is not 64 lowercase hexadecimal digits")]
    HostData(#[source] crate::digest::HexError),
    /// Report data of another form.
    #[error("the virtual attestation's report_data is not base64 of 32 bytes")]
    ReportData,
}

impl Attestation {
    /// Reads the JSON, or the base64 of it, as `quoteInfo.rawQuote` gives it.
    ///
    /// # Errors
    /// [`VirtualError`]: anything but exactly the three members, well formed.
    pub fn parse(bytes: &[u8]) -> Result<Self, VirtualError> {
        let decoded = match bytes.trim_ascii().first() {
            Some(b'{') | None => None,
            Some(_) => STANDARD.decode(bytes.trim_ascii()).ok(),
        };
        let value = json::parse(decoded.as_deref().unwrap_or(bytes)).map_err(VirtualError::Json)?;
        let Value::Object(object) = value else {
            return Err(VirtualError::Shape("it is not an object".into()));
        };
        let text = |name: &str| match object.get(name) {
            Some(Value::String(text)) => Ok(text.as_str()),
            _ => Err(VirtualError::Shape(format!("{name} is missing or no text"))),
        };
        if let Some(other) = object.keys().find(|k| !["measurement", "host_data", "report_data"].contains(&k.as_str()))
        {
            return Err(VirtualError::Shape(format!("{other:?} is unknown")));
        }
        let report_data = STANDARD.decode(text("report_data")?).map_err(|_| VirtualError::ReportData)?;
        Ok(Self {
            measurement: text("measurement")?.into(),
            host_data: text("host_data")?.parse().map_err(VirtualError::HostData)?,
            node_id: NodeId::from_bytes(report_data.try_into().map_err(|_| VirtualError::ReportData)?),
        })
    }
}

/// What the attestation should say; an empty list or `None` means that it is not known.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The host data that are admitted.
    pub host_data: Vec<HostData>,
    /// The measurements that are admitted.
    pub measurement: Vec<String>,
    /// The node that it should be about.
    pub node_id: Option<NodeId>,
}

/// Compares a virtual attestation with what is expected of it.
pub fn verify(attestation: &Attestation, expected: &Expected) -> Checks {
    let mut checks = Checks::new();
    checks.warn(
        "virtual-platform",
        "nothing signs a virtual attestation: it is the node's own claim, fit for tests and never for production",
    );
    checks.require(
        "virtual-measurement-constant",
        attestation.measurement == MEASUREMENT,
        format!("the measurement is {:?}; every virtual node's is {MEASUREMENT:?}", attestation.measurement),
    );
    if !expected.measurement.is_empty() {
        checks.require(
            "measurement",
            expected.measurement.contains(&attestation.measurement),
            format!("is {:?}, expected {}", attestation.measurement, quoted(&expected.measurement)),
        );
    }
    if !expected.host_data.is_empty() {
        let known = expected.host_data.contains(&attestation.host_data);
        let list = expected.host_data.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        checks.require("host-data", known, format!("is {}, expected {list}", attestation.host_data));
    }
    if let Some(node_id) = expected.node_id {
        checks.require(
            "node-id",
            attestation.node_id == node_id,
            format!("report data are {}, the node is {node_id}", attestation.node_id),
        );
    }
    checks
}

fn quoted(texts: &[String]) -> String {
    texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: &str = r#"{"host_data":"cb25aae5dc15a88487bf0d01b6a4b2d91160f3de9d25eb4b15574a7c9c7f2d4e","measurement":"Insecure hard-coded virtual measurement v1","report_data":"DbGONdx6T56tGsGmlaFINLAjwyRhkRT95wGKK5CAuic="}"#;

    #[test]
    fn a_claim_is_read_from_json_and_from_base64_of_it() {
        let claim = Attestation::parse(CLAIM.as_bytes()).unwrap();
        assert_eq!(claim, Attestation::parse(STANDARD.encode(CLAIM).as_bytes()).unwrap());
        assert_eq!(claim.node_id.to_string(), "0db18e35dc7a4f9ead1ac1a695a14834b023c324619114fde7018a2b9080ba27");
        let good = Expected {
            host_data: vec![claim.host_data],
            measurement: vec![MEASUREMENT.into()],
            node_id: Some(claim.node_id),
        };
        assert_eq!(verify(&claim, &good).verdict().as_str(), "pass");
        for (name, wrong) in [
            ("host-data", Expected { host_data: vec![HostData([1; 32])], ..good.clone() }),
            ("measurement", Expected { measurement: vec!["x".into()], ..good.clone() }),
            ("node-id", Expected { node_id: Some(NodeId::from_bytes([0; 32])), ..good.clone() }),
        ] {
            let checks = verify(&claim, &wrong);
            assert_eq!(checks.verdict().as_str(), "fail");
            assert_eq!(checks.get(name).unwrap().verdict, crate::check::Verdict::Fail, "{name}");
        }
    }

    #[test]
    fn another_measurement_text_fails() {
        let other = Attestation::parse(CLAIM.replace("v1", "v2").as_bytes()).unwrap();
        assert_eq!(verify(&other, &Expected::default()).verdict().as_str(), "fail");
    }

    #[test]
    fn what_is_not_exactly_a_claim_is_refused() {
        for bad in [
            "",
            "x",
            "[]",
            "{}",
            &CLAIM.replace("cb25", "CB25"),
            &CLAIM.replace("uic=", ""),
            &CLAIM.replace("DbGO", ""),
            &CLAIM.replace("{\"host", "{\"x\":1,\"host"),
            &CLAIM.replace("{\"host", "{\"measurement\":\"x\",\"host"),
        ] {
            assert!(Attestation::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
