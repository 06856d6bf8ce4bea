//! `[new] measurement = {…}`: the launch measurement of what a guest is launched with.

use std::fmt::Display;
use std::str::FromStr;

use super::artefacts::Artefacts;
use super::intent::LaunchIntent;
use super::load::{LoadError, value};
use super::new_code::sound;
use crate::digest::SnpMeasurement;
use crate::evidence::snp::launch::{self, DEFAULT_GUEST_FEATURES, KernelHashes, Launch, Vmm, igvm};

const KEY: &str = "[new] measurement";
/// The largest firmware or IGVM file that is read.
const MAX_FILE: u64 = 256 << 20;

/// Measures a launch as `measure snp` does.
pub(super) fn measure(written: &LaunchIntent, artefacts: &mut Artefacts<'_>) -> Result<SnpMeasurement, LoadError> {
    match (&written.igvm, &written.ovmf) {
        (Some(path), None) => {
            if *written != (LaunchIntent { igvm: Some(path.clone()), ..LaunchIntent::default() }) {
                return Err(value(KEY, "an IGVM file says everything of a launch: remove the keys beside igvm"));
            }
            let found = igvm::measure(&artefacts.bytes("[new] measurement.igvm", path, MAX_FILE)?).map_err(failed)?;
            sound(KEY, &found.checks())?;
            Ok(found.measurement)
        }
        (None, Some(path)) => {
            let launch = Launch {
                ovmf: &artefacts.bytes("[new] measurement.ovmf", path, MAX_FILE)?,
                kernel: kernel(written, artefacts)?,
                vcpus: written
                    .vcpus
                    .ok_or_else(|| value(KEY, "vcpus is missing: how many processors the guest has"))?,
                vcpu_type: named(written.vcpu_type.as_deref())?,
                vmm: named(written.vmm_type.as_deref())?.unwrap_or(Vmm::Qemu),
                guest_features: written.guest_features.unwrap_or(DEFAULT_GUEST_FEATURES),
            };
            launch::measure(&launch).map_err(failed)
        }
        _ => Err(value(KEY, "name what the guest starts with: either igvm or ovmf")),
    }
}

fn kernel(written: &LaunchIntent, artefacts: &mut Artefacts<'_>) -> Result<Option<KernelHashes>, LoadError> {
    let Some(kernel) = &written.kernel else {
        if written.initrd.is_some() || written.append.is_some() {
            return Err(value(KEY, "initrd and append go with a kernel, and none is there"));
        }
        return Ok(None);
    };
    let kernel = artefacts.digest("[new] measurement.kernel", kernel)?;
    let initrd =
        written.initrd.as_deref().map(|path| artefacts.digest("[new] measurement.initrd", path)).transpose()?;
    Ok(Some(KernelHashes::from_digests(kernel, initrd, written.append.as_deref())))
}

fn named<T: FromStr<Err: Display>>(text: Option<&str>) -> Result<Option<T>, LoadError> {
    text.map(str::parse).transpose().map_err(|error: T::Err| value(KEY, error))
}

/// An error with its cause, in one sentence.
fn failed(error: impl std::error::Error) -> LoadError {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    value(KEY, format!("{error}{cause}"))
}
