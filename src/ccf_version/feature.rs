//! The table: every feature of CCF that this tool gates on, and since when there is one.

use serde::{Deserialize, Serialize};

use super::CcfVersion;
use super::line::Line::{self, *};

macro_rules! features {
    ($($name:ident: $about:literal, $five:expr, $six:expr, $seven:expr;)*) => {
        /// Something that some versions of CCF have and others have not.
        #[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, Hash)]
        #[serde(rename_all = "kebab-case")]
        pub enum Feature {
            $(#[doc = $about] $name,)*
        }

        const TABLE: &[Row] = &[$(Row { feature: Feature::$name, about: $about, lines: [$five, $six, $seven] },)*];
    };
}

/// One feature: what it is, and what is known of it up to CCF 5, in CCF 6 and in CCF 7.
struct Row {
    feature: Feature,
    about: &'static str,
    lines: [Line; 3],
}

const fn v5(major: u32) -> CcfVersion {
    CcfVersion::new(major, 0, 0)
}

const fn v6(patch: u32) -> CcfVersion {
    CcfVersion::new(6, 0, patch)
}

const fn v7(patch: u32) -> CcfVersion {
    CcfVersion::new(7, 0, patch)
}

const fn dev(number: u32) -> CcfVersion {
    CcfVersion::dev(number)
}

const fn rc(number: u32) -> CcfVersion {
    CcfVersion::candidate(number)
}

// Columns: up to CCF 5, CCF 6, CCF 7.
features! {
    // The governance and node API.
    ClassicGov: "governance endpoints without api-version", Always, Always, GoneBy(v7(0));
    Gov2024: "governance API 2024-07-01", Since(v5(5)), Always, Always;
    MemoryEndpoint: "GET /node/memory", Always, Always, Until(rc(2));
    SnapshotRead: "operator feature SnapshotRead", Never, Since(v6(17)), SinceTag(dev(5));
    LedgerChunkRead: "operator feature LedgerChunkRead, GET /node/ledger-chunk", Never, NotUntil(v6(18)), Since(dev(10));
    SnapshotCreate: "operator feature SnapshotCreate can be read", Never, Since(v6(27)), Between(dev(7), v7(0));
    ReceiptCose: "GET /node/receipt/cose", Never, Never, Since(rc(2));

    // Consensus and joining.
    PreVoteAnswers: "answers pre-votes", Never, Since(v6(17)), SinceTag(dev(5));
    PreVoteCandidates: "asks for pre-votes before it stands", Never, Never, Since(dev(6));
    VotesWithSix: "elects a primary together with nodes of CCF 6.0.17", Always, Always, By(dev(6));
    SigtermNominates: "a primary that is asked to stop nominates a successor", Never, NotUntil(v6(18)), Since(dev(6));
    CommitBeforeReconfiguration: "what precedes a reconfiguration commits without the new nodes", Never, NotUntil(v6(28)), Since(v7(25));
    PendingNodesExpire: "pending nodes that fall silent are removed", Never, Never, Between(v7(0), v7(22));
    JoinChecksHostNames: "a joining node verifies the host name in its target's certificate", Never, Never, NotUntil(v7(0));
    UpgradesToSeven: "may be upgraded to CCF 7", Never, Since(v6(21)), Always;
    UpgradedFromSix: "may be what CCF 6 is upgraded to", Never, Always, Since(v7(1));
    TimedSnapshots: "snapshots by time", Never, Never, Since(dev(13));
    BackupSnapshots: "backups fetch snapshots", Never, Never, Since(dev(12));
    CoseSnapshots: "reads snapshots with COSE receipts", Never, Since(v6(25)), By(rc(2));
    SnapshotBoundary: "resumes at the snapshot when its ledger is older (#7901)", Never, Since(v6(28)), By(v7(5));
    RecoveryJoinFix: "joins from a snapshot of before a recovery (#8596, #8597)", Never, NotUntil(v6(28)), Since(v7(21));
    CoseOnlyLedger: "ledgers signed by COSE only", Never, Never, Since(rc(2));
    MlDsaIdentity: "publishes an ML-DSA service identity", Never, Never, Since(v7(25));
    RecoveryDecision: "nodes recover and open without operators", Never, Never, Since(dev(7));

    // Attestation.
    SgxNodes: "nodes on SGX", Always, Never, Never;
    SnpReport2: "SNP reports of version 2", Always, GoneBy(v6(12)), GoneBy(dev(3));
    SnpReport3: "SNP reports of version 3 and above", Never, By(v6(12)), By(dev(3));
    SnpMinimumTcb: "a minimum TCB version for each processor", Never, Always, Always;
    SnpTurin: "SNP nodes on Turin", Never, Since(v6(25)), Since(dev(6));
    SnpTurinCpuid: "a starting Turin node registers its own CPUID, 00b00f21", Never, Since(v6(25)), Since(dev(13));
    UvmSvnInteger: "UVM svn compared as a number", Until(v5(5)), Since(v6(14)), Since(dev(3));
    UvmSvnIntegerEndorsed: "UVM endorsements with an integer svn in JSON", Never, Since(v6(14)), Since(dev(3));
    UvmSvnIntegerArgument: "add_snp_uvm_endorsement takes svn as an integer", Until(v5(5)), Never, Never;
    UvmHashEnvelope: "UVM endorsements as hash envelopes with CWT claims of application/octet-stream", Never, NotUntil(v6(18)), Since(dev(8));
    UvmHashEnvelopeJson: "UVM endorsements as hash envelopes with CWT claims of application/json", Never, NotUntil(v6(18)), Span(dev(6), dev(8));
    UvmSvnLowered: "a recovering node lowers the minimum UVM svn to its own", Never, Unknown, Since(dev(12));
    NodeJoinPolicy: "join policy scripts and transparent statements", Never, Never, Since(dev(12));
    StatementNeedsPolicy: "a transparent statement without a join policy script is refused", Never, Never, Between(dev(11), rc(2));

    // Actions of the sample constitution.
    SnpUvmActions: "actions on UVM endorsements", Since(v5(4)), Always, Always;
    VirtualActions: "actions on virtual nodes", Never, Always, Always;
    SnpMinimumTcbHex: "set_snp_minimum_tcb_version_hex", Never, Since(v6(9)), Since(dev(1));
    NodeCodeActions: "add_node_code, remove_node_code", Always, Always, GoneBetween(dev(7), v7(5));
    ExecutorActions: "add_executor_node_code, remove_executor_node_code", Since(v5(3)), Never, Never;
    AcmeRefresh: "trigger_acme_refresh", Since(v5(3)), Always, Until(dev(5));
    AssertServiceIdentity: "assert_service_identity", Since(v5(3)), Always, Always;
    CleanupLegacyJwt: "cleanup_legacy_jwt_records; nodes no longer read the older JWT tables", Never, Never, SinceTag(dev(5));
    RecoveryRole: "recovery_role in set_member", Never, Always, Always;
    CachedInterpreters: "max_cached_interpreters in set_js_runtime_options", Since(v5(5)), Always, Always;
    JwtKeyFilter: "key_filter and key_policy in set_jwt_issuer", Always, Never, Never;

    // Rules of the sample constitution.
    Jwks: "strict rules for JSON Web Keys", Never, Never, Between(v7(0), v7(5));
    P521Jwk: "JSON Web Keys on P-521 can be read", Never, Never, NotUntil(dev(7));
    HttpsIssuer: "token issuers are https URLs, also without auto_refresh", Never, Never, Between(v7(0), v7(5));
    RootCaBundle: "set_ca_cert_bundle takes root CA certificates only", Never, Never, Between(v7(0), v7(5));
    Rsa2048: "a member's encryption key has at least 2048 bits", Never, Never, Between(v7(0), v7(5));
    RecoveryRefusals: "recovery members and shares cannot change during a recovery", Never, Never, Between(v7(5), v7(15));

    // What a constitution can call.
    ValidateConstitution: "ccf.gov.validateConstitution", Never, By(v6(18)), Since(dev(3));
    RootCaFunction: "ccf.crypto.isValidX509RootCACert", Never, Never, Between(dev(7), v7(5));
    ShuffleSealedShares: "ccf.node.shuffleSealedShares", Never, Never, Between(dev(7), v7(5));
    AcmeFunction: "ccf.node.triggerACMERefresh", Always, Always, Until(dev(5));
    TriggerSubprocess: "ccf.host.triggerSubprocess", Always, Always, Until(dev(5));
}

impl Feature {
    /// Every feature, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.feature)
    }

    /// What it is.
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// The first version that is known to have it, unless the oldest has it: `6.0.9`, or `≤ 7.0.5`.
    pub fn since(self) -> Option<String> {
        let lines = &self.row().lines;
        let first = lines.iter().position(|line| !line.is_never())?;
        match lines[first].first() {
            None if first == 0 => None,
            None => Some(format!("{}.0.0", first + 5)),
            since => since,
        }
    }

    /// The first version that is known to have it no longer, if there is one.
    pub fn removed(self) -> Option<String> {
        let lines = &self.row().lines;
        let last = lines.iter().rposition(|line| !line.is_never())?;
        lines[last].end().or_else(|| (last + 1 < lines.len()).then(|| format!("{}.0.0", last + 6)))
    }

    /// Why `version`, which does not have it, does not: `came with CCF 6.0.9`, `was removed from CCF 6.0.0`.
    pub fn absence(self, version: CcfVersion) -> String {
        let lines = &self.row().lines;
        let own = column(version.major);
        let had = lines[..own].iter().any(|line| !line.is_never()) || lines[own].begins_with_it();
        match self.removal().filter(|_| had) {
            Some(removal) => removal,
            None => sentence("came with", &self.since().unwrap_or_default()),
        }
    }

    /// When it went, if it did: `was removed from CCF 6.0.0`.
    pub fn removal(self) -> Option<String> {
        self.removed().map(|removed| sentence("was removed from", &removed))
    }

    pub(super) fn line(self, major: u32) -> Line {
        self.row().lines[column(major)]
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

fn sentence(verb: &str, version: &str) -> String {
    match version.strip_prefix("≤ ") {
        Some(latest) => format!("{verb} CCF {latest} at the latest"),
        None => format!("{verb} CCF {version}"),
    }
}

fn column(major: u32) -> usize {
    match major {
        ..=5 => 0,
        6 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_and_removed_are_the_ends_of_what_is_known() {
        let ends = |feature: Feature| (feature.since(), feature.removed());
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(ends(Feature::NodeJoinPolicy), (text("7.0.0-dev12"), None));
        assert_eq!(ends(Feature::SnpMinimumTcbHex), (text("6.0.9"), None));
        assert_eq!(ends(Feature::NodeCodeActions), (None, text("≤ 7.0.5")));
        assert_eq!(ends(Feature::ExecutorActions), (text("3.0.0"), text("6.0.0")));
        assert_eq!(ends(Feature::VirtualActions), (text("6.0.0"), None));
        assert_eq!(ends(Feature::JwtKeyFilter), (None, text("6.0.0")));
        assert_eq!(ends(Feature::ShuffleSealedShares), (text("≤ 7.0.5"), None));
    }

    #[test]
    fn what_a_version_does_not_have_came_later_or_was_removed() {
        let absence = |feature: Feature, version: &str| feature.absence(version.parse().unwrap());
        assert_eq!(absence(Feature::SnpMinimumTcbHex, "6.0.8"), "came with CCF 6.0.9");
        assert_eq!(absence(Feature::NodeJoinPolicy, "6.0.28"), "came with CCF 7.0.0-dev12");
        assert_eq!(absence(Feature::NodeCodeActions, "7.0.5"), "was removed from CCF 7.0.5 at the latest");
        assert_eq!(absence(Feature::ExecutorActions, "7.0.5"), "was removed from CCF 6.0.0");
        assert_eq!(absence(Feature::ExecutorActions, "2.0.5"), "came with CCF 3.0.0");
        assert_eq!(absence(Feature::Jwks, "7.0.0"), "came with CCF 7.0.5 at the latest");
    }

    #[test]
    fn the_table_in_the_documentation_is_this_one() {
        let row = |row: &Row| {
            let [five, six, seven] = row.lines;
            let name = serde_json::to_value(row.feature).unwrap();
            format!("| {} | {five} | {six} | {seven} | `{}` |\n", row.about, name.as_str().unwrap())
        };
        let head = "| feature | up to CCF 5 | CCF 6 | CCF 7 | name in templates |\n|---|---|---|---|---|\n";
        let table = head.to_string() + &TABLE.iter().map(row).collect::<String>();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ccf-versions.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page.contains(&table), "docs/ccf-versions.md should hold:\n{table}");
    }
}
