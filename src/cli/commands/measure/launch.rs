//! The launch digest of an SNP guest, from what it is launched with.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::error::CliError;
use ccf_gov::check::Checks;
use ccf_gov::digest::SnpMeasurement;
use ccf_gov::evidence::hash::sha256_file;
use ccf_gov::evidence::snp::launch::{self, DEFAULT_GUEST_FEATURES, KernelHashes, Launch, VcpuType, Vmm, igvm};
use ccf_gov::files::{self, FileError};

/// The largest firmware or IGVM file that is read.
const MAX_FILE: u64 = 256 << 20;

#[derive(Args)]
pub struct LaunchArgs {
    /// The OVMF firmware that the guest starts with
    #[arg(long, value_name = "FILE", requires = "vcpus")]
    ovmf: Option<PathBuf>,
    /// The kernel, if it is loaded directly
    #[arg(long, value_name = "FILE", requires = "ovmf")]
    kernel: Option<PathBuf>,
    /// The initial RAM disk
    #[arg(long, value_name = "FILE", requires = "kernel")]
    initrd: Option<PathBuf>,
    /// The kernel's command line
    #[arg(long, value_name = "TEXT", requires = "kernel", allow_hyphen_values = true)]
    append: Option<String>,
    /// How many virtual processors the guest has
    #[arg(long, value_name = "NUMBER", requires = "ovmf")]
    vcpus: Option<u32>,
    /// Their type, as QEMU names it (EPYC-Milan), or the signature as 0x…
    #[arg(long, value_name = "TYPE", requires = "ovmf")]
    vcpu_type: Option<VcpuType>,
    /// The hypervisor: QEMU, ec2 or gce
    #[arg(long, value_name = "KIND", default_value = "QEMU", requires = "ovmf")]
    vmm_type: Vmm,
    /// The SEV features of the guest, as 0x…
    #[arg(long, value_name = "HEX", value_parser = parse_features, requires = "ovmf")]
    guest_features: Option<u64>,
    /// An IGVM file
    #[arg(long, value_name = "FILE", conflicts_with = "ovmf")]
    igvm: Option<PathBuf>,
}

fn parse_features(text: &str) -> Result<u64, String> {
    // Without a prefix some programs read digits as decimal.
    let digits = text.strip_prefix("0x").or((text.len() == 1).then_some(text)).unwrap_or_default();
    let digits = if digits.bytes().all(|b| b.is_ascii_hexdigit()) { digits } else { "" };
    u64::from_str_radix(digits, 16)
        .map_err(|_| "guest features are a hexadecimal number with 0x, such as 0x21".to_owned())
}

/// What was measured.
pub struct Measured {
    pub measurement: SnpMeasurement,
    pub rows: Vec<(&'static str, String)>,
    pub checks: Checks,
}

impl LaunchArgs {
    pub fn is_given(&self) -> bool {
        self.ovmf.is_some() || self.igvm.is_some()
    }

    pub fn measure(&self) -> Result<Option<Measured>, CliError> {
        if let Some(path) = &self.igvm {
            let found = igvm::measure(&files::read(path, MAX_FILE)?)
                .map_err(|e| CliError::from(e).doing(format!("cannot measure {}", path.display())))?;
            let checks = found.checks();
            let rows =
                vec![("processors", found.vcpus.to_string()), ("guest policy", format!("{:016x}", found.policy.0))];
            return Ok(Some(Measured { measurement: found.measurement, rows, checks }));
        }
        let Some(path) = &self.ovmf else { return Ok(None) };
        let ovmf = files::read(path, MAX_FILE)?;
        let kernel = self.kernel_hashes()?;
        let launch = Launch {
            ovmf: &ovmf,
            kernel,
            vcpus: self.vcpus.unwrap_or_default(),
            vcpu_type: self.vcpu_type,
            vmm: self.vmm_type,
            guest_features: self.guest_features.unwrap_or(DEFAULT_GUEST_FEATURES),
        };
        let measurement = launch::measure(&launch)
            .map_err(|e| CliError::from(e).doing(format!("cannot compute the launch digest of {}", path.display())))?;
        Ok(Some(Measured { measurement, rows: Vec::new(), checks: Checks::new() }))
    }

    /// Kernel and initrd may be large: both are hashed at once, and neither is held in memory.
    fn kernel_hashes(&self) -> Result<Option<KernelHashes>, CliError> {
        let Some(kernel) = &self.kernel else { return Ok(None) };
        let (kernel, initrd) = std::thread::scope(|scope| {
            let initrd = self.initrd.as_ref().map(|path| scope.spawn(|| sha256_of(path)));
            (sha256_of(kernel), initrd.map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))))
        });
        Ok(Some(KernelHashes::from_digests(kernel?, initrd.transpose()?, self.append.as_deref())))
    }
}

fn sha256_of(path: &Path) -> Result<[u8; 32], FileError> {
    sha256_file(path).map_err(|source| FileError::Read { path: path.into(), source })
}
