//! The threads that run scripts: a few wait with an engine that is ready, more are started when those are busy.

use std::io;
use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::engine;

/// A call of a script. It sends its result itself.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Room for two nested engines (a constitution that checks a constitution) and what they call.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// How many wait at most. A call that comes while all others tidy up starts one more.
const MOST_IDLE: usize = 4;

/// The workers that wait, the one that has waited shortest last. One that hangs in a script never comes back here.
static IDLE: Mutex<Vec<Sender<Job>>> = Mutex::new(Vec::new());

/// Has a worker do `job`, and nothing else meanwhile.
pub(super) fn give(job: Job) -> io::Result<()> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let refused = match idle {
        Some(worker) => worker.send(job).err(),
        None => Some(SendError(job)),
    };
    refused.map_or(Ok(()), |SendError(job)| start(job))
}

fn start(first: Job) -> io::Result<()> {
    let body = move || {
        let (sender, jobs) = channel();
        let mut job = Some(first);
        while let Some(work) = job {
            work();
            engine::prepare();
            if !wait(&sender) {
                return;
            }
            job = jobs.recv().ok();
        }
    };
    thread::Builder::new().name("ccf-gov script".into()).stack_size(STACK_BYTES).spawn(body).map(drop)
}

/// Puts a worker among those that wait, unless they are enough.
fn wait(worker: &Sender<Job>) -> bool {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let wanted = idle.len() < MOST_IDLE;
    if wanted {
        idle.push(worker.clone());
    }
    wanted
}
