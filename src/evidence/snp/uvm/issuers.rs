//! Whose endorsements are trusted: by a service, and by what is known of Microsoft.

/// An entry of `public:ccf.gov.nodes.snp.uvm_endorsements`: which endorsements a service trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedUvm {
    /// The issuer.
    pub did: String,
    /// The feed.
    pub feed: String,
    /// The least svn, decimal digits; an entry with anything else here (or nothing) admits nobody.
    pub svn: String,
}

/// An issuer that Microsoft is known to use, with its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownIssuer {
    /// The did:x509.
    pub did: &'static str,
    /// The feed that goes with it.
    pub feed: &'static str,
    /// The svn at which its production releases start, if known.
    pub first_svn: Option<u64>,
}

/// The issuers of Azure Container Instances and of confidential AKS.
pub const KNOWN_ISSUERS: [KnownIssuer; 2] = [
    KnownIssuer {
        did: "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2",
        feed: "ContainerPlat-AMD-UVM",
        first_svn: Some(100),
    },
    KnownIssuer {
        did: "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.5",
        feed: "ConfAKS-AMD-UVM",
        first_svn: None,
    },
];
