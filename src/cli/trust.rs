//! Whose roots attestations are judged by: AMD's and Intel's, or in a rehearsal a sandbox's.

use std::path::PathBuf;

use clap::Args;
use time::OffsetDateTime;

use super::error::CliError;
use ccf_gov::evidence::node::Trust;
use ccf_gov::evidence::snp::Roots;
use ccf_gov::files;

/// The largest file of roots that is read.
const MAX_ROOTS: u64 = 256 << 10;

/// The flag of a rehearsal. It has no environment variable and no key in ccf-gov.toml: nothing but a typed word lets a made-up
/// root count.
#[derive(Args, Clone)]
pub struct TrustArgs {
    /// REHEARSAL: judge SNP attestations by a sandbox's made-up roots (rehearsal_roots.pem) instead of AMD's; all that is printed says so
    #[arg(long, value_name = "FILE")]
    rehearsal_roots: Option<PathBuf>,
}

impl TrustArgs {
    /// The flag as it is to be typed again, after a space; nothing if it is not given.
    pub fn again(&self) -> String {
        let path = self.rehearsal_roots.as_ref();
        path.map_or_else(String::new, |path| format!(" --rehearsal-roots {}", files::shown(path)))
    }

    /// The roots, at this moment.
    pub fn trust(&self) -> Result<Trust, CliError> {
        let now = OffsetDateTime::now_utc();
        let Some(path) = &self.rehearsal_roots else { return Ok(Trust::pinned(now)) };
        let roots = Roots::rehearsal_from_pem(&files::read(path, MAX_ROOTS)?).map_err(|e| {
            CliError::usage(format!("{} cannot be used for a rehearsal", path.display()))
                .because(e)
                .hint("give the rehearsal_roots.pem that `ccf-gov sandbox serve --platform snp` writes")
        })?;
        Ok(Trust::rehearsal(roots, now))
    }
}
