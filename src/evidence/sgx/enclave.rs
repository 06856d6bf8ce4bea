//! MRENCLAVE of an Open Enclave ELF, recomputed from the file by replaying what its loader does.

use super::image::{Image, ImageError, Tls};
use super::loader::{Loader, ThreadData};
use super::measure::{ADDED, MEASURED, Measurement, PAGE, SECINFO_R, SECINFO_REG, SECINFO_TCS, SECINFO_W, SECINFO_X};
use super::properties::{ATTRIBUTE_DEBUG, Properties, PropertiesError};
use super::sigstruct::{SIGSTRUCT_SIZE, SigStruct, SigStructError};
use crate::digest::MrEnclave;

/// How many bytes are hashed for one file at most, by all loaders together: some twenty seconds' work. That is the load of
/// an enclave with a heap of 1.5 TiB, more than any processor has for enclaves.
const MAX_HASHED: u64 = 24 << 30;

/// The pages of one part beyond which its size is no number of pages: 2^48 bytes, all addresses of a process.
const MAX_PAGES: u64 = 1 << 36;

/// The size of the header of `.oeinfo` that `image_info` speaks of.
const INFO_WORDS: usize = 6;

/// What an enclave's file says and is.
#[derive(Clone, Debug)]
pub struct Enclave {
    /// The measurement, computed from the file: the signed one, if that is what the loader of some release comes to.
    pub mrenclave: MrEnclave,
    /// The enclave's own settings.
    pub properties: Properties,
    /// The signature, verified, or what is wrong with it.
    pub sigstruct: Result<SigStruct, SigStructError>,
}

/// Why a file's MRENCLAVE cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum EnclaveError {
    /// It is not an enclave.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Its settings cannot be read.
    #[error(transparent)]
    Properties(#[from] PropertiesError),
    /// Something in it is larger than any process.
    #[error("the enclave is larger than any process: {0}")]
    TooLarge(&'static str),
    /// Replaying its load takes longer than is reasonable.
    #[error(
        "measuring the enclave takes too long: for its segments, heap, stacks and threads {} GiB must be hashed, and the \
         limit is {} GiB", .0 >> 30, MAX_HASHED >> 30
    )]
    TooLong(u64),
    /// Nobody has signed it, and so its sizes are not known.
    #[error(
        "the enclave is not signed, and has no settings yet (65535 in .oeinfo): its heap, stacks and threads are given when \
         it is signed (`oesign sign -c`), and only then has it a measurement"
    )]
    NoSettings,
}

impl Enclave {
    /// Whether a file is an ELF with the section that Open Enclave gives its enclaves, whatever else is wrong with it.
    pub fn is_one(file: &[u8]) -> bool {
        Image::is_enclave(file)
    }

    /// Measures an enclave's file.
    ///
    /// # Errors
    /// [`EnclaveError`]: the file is no such enclave. An enclave without a (valid) signature is no error.
    pub fn measure(file: &[u8]) -> Result<Self, EnclaveError> {
        let mut image = Image::parse(file)?;
        let (properties, sigstruct) = Properties::parse(image.oeinfo)?;
        let sigstruct = SigStruct::verify(&sigstruct);
        if sigstruct == Err(SigStructError::Unsigned) && properties.are_unset() {
            return Err(EnclaveError::NoSettings);
        }
        let mut budget = MAX_HASHED;
        let signed = sigstruct.as_ref().ok().map(|signed| signed.mrenclave);
        let mut load = |loader: &Loader| {
            let plan = Plan::new(&image, &properties, loader)?;
            budget = budget.checked_sub(plan.hashed).ok_or(EnclaveError::TooLong(MAX_HASHED - budget + plan.hashed))?;
            image.restore();
            if loader.clears_header {
                image.clear_header();
            }
            plan.patch(&mut image, &properties);
            Ok::<_, EnclaveError>(plan.load(&image, &properties))
        };
        let (newest, earlier) = Loader::of_layout(properties.size);
        let mut mrenclave = load(&newest)?;
        if let Some(signed) = signed.filter(|signed| *signed != mrenclave) {
            for loader in earlier {
                if load(loader)? == signed {
                    mrenclave = signed;
                    break;
                }
            }
        }
        Ok(Self { mrenclave, sigstruct, properties })
    }

    /// Whether the enclave may run in debug mode, open to its host: by its settings, or by its signature.
    pub fn debug(&self) -> bool {
        self.properties.attributes & ATTRIBUTE_DEBUG != 0 || self.sigstruct.as_ref().is_ok_and(SigStruct::debug_allowed)
    }
}

/// Where everything lies in the enclave; all in bytes from its first page.
struct Plan {
    relocations: u64,
    heap: u64,
    tls: Tls,
    tls_pages: u64,
    /// Whether the symbols that the loader writes to are dynamic ones.
    dynamic_symbols: bool,
    /// The size of the enclave as its image is told.
    size: u64,
    /// The size of its address range: larger where that begins at zero.
    range: u64,
    start: u64,
    /// How many bytes are hashed to measure it.
    hashed: u64,
}

impl Plan {
    fn new(image: &Image, properties: &Properties, loader: &Loader) -> Result<Self, EnclaveError> {
        let pages = |n: u64, what| if n <= MAX_PAGES { Ok(n) } else { Err(EnclaveError::TooLarge(what)) };
        let tls = image.tls(loader.thread_data == ThreadData::AsSegment);
        let tls_pages = match loader.thread_data {
            ThreadData::OnePage => 1,
            _ => pages(tls.pages().unwrap_or(u64::MAX), "thread-local storage")?,
        };
        let heap_pages = pages(properties.heap_pages, "its heap")?;
        let stack_pages = pages(properties.stack_pages, "its stacks")?;
        let threads = pages(properties.threads, "its threads")?;
        let image_pages = pages(image.size / PAGE, "its segments")? + image.relocations.len() as u64 / PAGE;
        let of_threads = u128::from(threads) * u128::from(stack_pages + tls_pages + 4);
        let hashed = hashed(u128::from(image_pages) + of_threads, heap_pages)?;
        // So few pages fit into every number.
        let total = image_pages + heap_pages + threads * (stack_pages + tls_pages + 7);
        let start = properties.zero_base.unwrap_or(0);
        if !start.is_multiple_of(PAGE) || start > 1 << 46 {
            return Err(EnclaveError::TooLarge("its start address is not one"));
        }
        Ok(Self {
            relocations: image.size,
            heap: image_pages * PAGE,
            tls,
            tls_pages,
            dynamic_symbols: loader.dynamic_symbols,
            size: if loader.tells_range { (total * PAGE).next_power_of_two() } else { total * PAGE },
            range: (total * PAGE + start).next_power_of_two(),
            start,
            hashed,
        })
    }

    /// What the loader writes into the image before it is measured.
    fn patch(&self, image: &mut Image, properties: &Properties) {
        let relocations = image.relocations.len() as u64;
        let info: [u64; INFO_WORDS] =
            [image.oeinfo_address, u64::from(properties.size), self.relocations, relocations, self.heap, self.size];
        image.patch(
            image.oeinfo_address.saturating_add(properties.image_info),
            info.iter().flat_map(|n| n.to_le_bytes()).collect(),
        );
        // What there is none of keeps the values that it was linked with.
        let (data, bss) = (self.tls.data, self.tls.bss);
        for (name, value, is_there) in [
            ("_reloc_rva", Some(self.relocations), true),
            ("_reloc_size", Some(relocations), true),
            // Its own address.
            ("_enclave_rva", None, true),
            ("_tdata_rva", Some(data.0), data.1 != 0),
            ("_tdata_size", Some(data.1), data.1 != 0),
            ("_tdata_align", Some(data.2), data.1 != 0),
            ("_tbss_size", Some(bss.0), bss.0 != 0),
            ("_tbss_align", Some(bss.1), bss.0 != 0),
            ("_td_from_tcs_offset", Some((self.tls_pages + 4) * PAGE), true),
        ] {
            if let (true, Some(address)) = (is_there, image.symbol(name, self.dynamic_symbols)) {
                image.patch(address, value.unwrap_or(address).to_le_bytes().to_vec());
            }
        }
        image.patch(image.oeinfo_address.saturating_add(properties.sigstruct), vec![0; SIGSTRUCT_SIZE]);
    }

    fn load(&self, image: &Image, properties: &Properties) -> MrEnclave {
        const RW: u64 = SECINFO_REG | SECINFO_R | SECINFO_W;
        let mut enclave = Measurement::create(self.range, 1);
        let mut page = [0; PAGE as usize];
        for segment in &image.segments {
            let flag = |elf: u32, sgx: u64| if segment.flags & elf != 0 { sgx } else { 0 };
            let flags = SECINFO_REG | flag(4, SECINFO_R) | flag(2, SECINFO_W) | flag(1, SECINFO_X);
            let mut address = segment.address / PAGE * PAGE;
            while address < segment.address + segment.size {
                image.page(address, &mut page);
                enclave.add_measured(self.start + address, flags, &page);
                address += PAGE;
            }
        }
        let mut at = self.start + self.relocations;
        for relocations in image.relocations.as_chunks().0 {
            enclave.add_measured(at, SECINFO_REG | SECINFO_R, relocations);
            at += PAGE;
        }
        enclave.add_run(at, RW, properties.heap_pages);
        at += properties.heap_pages * PAGE;
        let (zero, stack) = ([0; PAGE as usize], [0xcc; PAGE as usize]);
        let fill = |enclave: &mut Measurement, at: &mut u64, pages: u64, page: &[u8; PAGE as usize]| {
            for _ in 0..pages {
                enclave.add_measured(*at, RW, page);
                *at += PAGE;
            }
        };
        for _ in 0..properties.threads {
            at += PAGE;
            fill(&mut enclave, &mut at, properties.stack_pages, &stack);
            at += PAGE;
            enclave.add_measured(at, SECINFO_TCS, &self.thread(at, image.entry));
            at += PAGE;
            fill(&mut enclave, &mut at, 2, &zero);
            at += PAGE;
            fill(&mut enclave, &mut at, self.tls_pages + 1, &zero);
        }
        enclave.finish()
    }

    /// The thread control structure at `at`.
    fn thread(&self, at: u64, entry: u64) -> [u8; PAGE as usize] {
        let mut page = [0; PAGE as usize];
        let segment = at + (self.tls_pages + 4) * PAGE;
        page[16..24].copy_from_slice(&(at + PAGE).to_le_bytes());
        page[28..32].copy_from_slice(&2u32.to_le_bytes());
        page[32..40].copy_from_slice(&self.start.wrapping_add(entry).to_le_bytes());
        page[48..56].copy_from_slice(&segment.to_le_bytes());
        page[56..64].copy_from_slice(&segment.to_le_bytes());
        page[64..72].fill(0xff);
        page
    }
}

/// How many bytes are hashed for so many pages that are measured, and so many that are only added.
fn hashed(measured: u128, added: u64) -> Result<u64, EnclaveError> {
    let bytes = measured * u128::from(MEASURED) + u128::from(added) * u128::from(ADDED);
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    if bytes > MAX_HASHED { Err(EnclaveError::TooLong(bytes)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bounds_a_heap_is_the_work_it_makes() {
        let heap = |gib: u64| hashed(1000, gib * (1 << 30) / PAGE);
        assert!(heap(120).is_ok() && heap(1500).is_ok());
        assert!(matches!(heap(1600), Err(EnclaveError::TooLong(_))));
        assert!(matches!(hashed(1 << 100, 0), Err(EnclaveError::TooLong(u64::MAX))));
    }
}
