//! The wire: TLS, retries, redirects, the governance and node API.
