//! A state as guarded ballots rest on it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::State;
use crate::digest::{Sha256Digest, sha256};
use crate::kv::row::{read_one, rows};
use crate::kv::table;
use crate::proposal::ballot::{Registered, RegisteredSgx, RegisteredSnp, RegisteredVirtual, Seen, SeenMember};
use crate::service::JoinPolicy;

impl State {
    /// What a guarded ballot can rest on, as [`Service::seen`](crate::service::Service::seen) reads it; `None` if the certificate or
    /// the constitution is missing.
    pub fn seen(&self) -> Option<Seen> {
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let nodes = rows(&self.tables, table::NODE_INFO);
        let members = rows(&self.tables, table::MEMBER_INFO);
        let member = |row: Value| SeenMember { status: text(&row, "status"), data: row["member_data"].clone() };
        let constitution = read_one(&self.tables, table::CONSTITUTION)?;
        Some(Seen {
            certificate: self.identity()?,
            constitution: Sha256Digest::from_bytes(sha256(constitution.as_str()?.as_bytes())),
            join_policy: self.registered(),
            nodes: nodes.filter_map(|(id, row)| Some((id.parse().ok()?, text(&row, "status")))).collect(),
            members: members.filter_map(|(id, row)| Some((id.parse().ok()?, member(row)))).collect(),
        })
    }

    /// All that is registered.
    pub fn registered(&self) -> Registered {
        let keys = |name: &str| -> Vec<String> {
            self.tables.iter(name).map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
        };
        let map = |name: &str| -> BTreeMap<String, Value> { rows(&self.tables, name).collect() };
        Registered {
            sgx: RegisteredSgx { measurements: keys(table::NODE_CODE_IDS) },
            snp: RegisteredSnp {
                host_data: map(table::SNP_HOST_DATA),
                measurements: keys(table::SNP_MEASUREMENTS),
                tcb_versions: map(table::SNP_TCB_VERSIONS),
                uvm_endorsements: map(table::SNP_UVM_ENDORSEMENTS),
            },
            virtual_: RegisteredVirtual {
                host_data: keys(table::VIRTUAL_HOST_DATA),
                measurements: keys(table::VIRTUAL_MEASUREMENTS),
            },
        }
    }

    /// The same, as the service's join policy; `None` if a row has a form that the API does not show.
    pub fn join_policy(&self) -> Option<JoinPolicy> {
        serde_json::from_value(serde_json::to_value(self.registered()).ok()?).ok()
    }
}
