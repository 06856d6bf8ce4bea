//! Many ballots at once: none sees another, so every core runs some.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use super::{Constitution, Proposal, ScriptError};
use crate::id::MemberId;
use crate::kv::Tables;

/// Fewer ballots than this are run one after the other: starting threads would take longer.
const FEW: usize = 8;

impl Constitution {
    /// Runs the ballots as [`vote`](Self::vote) does, whatever comes of the others; answers in their order.
    pub fn vote_all(
        &self,
        tables: &Tables,
        proposal: &Proposal<'_>,
        ballots: &[(MemberId, &str)],
    ) -> Vec<Result<bool, ScriptError>> {
        let vote = |(voter, ballot): &(MemberId, &str)| self.vote(tables, proposal, *voter, ballot);
        // Asking for the number of cores reads files.
        if ballots.len() < FEW {
            return ballots.iter().map(vote).collect();
        }
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let share = ballots.len().div_ceil(cores);
        thread::scope(|scope| {
            let run = |part| move || Vec::from_iter(<[_]>::iter(part).map(vote));
            let parts: Vec<_> = ballots.chunks(share).map(|part| scope.spawn(run(part))).collect();
            parts.into_iter().flat_map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }
}
