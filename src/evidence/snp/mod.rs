//! SEV-SNP: reports, their endorsements, and the values that a consortium registers.

pub mod host_data;
pub mod report;
pub mod tcb;
