//! The threads that run scripts: a few wait with an engine that is ready, more are started when those are busy.

use std::io;
use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::engine;

/// A call of a script. It sends its result itself.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Room for two nested engines (a constitution that checks a constitution) and what they call.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// How many wait or are about to. A call that comes while all others tidy up starts one more.
const MOST_WAITING: usize = 4;

/// The workers that have nothing to do.
static WAITING: Mutex<Waiting> = Mutex::new(Waiting { ready: Vec::new(), preparing: 0 });

struct Waiting {
    /// Those that are ready, the one that has waited shortest last. One that hangs in a script never comes back here.
    ready: Vec<Sender<Job>>,
    /// How many prepare their next script.
    preparing: usize,
}

fn waiting() -> MutexGuard<'static, Waiting> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a worker do `job`, and nothing else meanwhile.
pub(super) fn give(job: Job) -> io::Result<()> {
    let ready = waiting().ready.pop();
    let refused = match ready {
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
            if !stays() {
                return;
            }
            engine::prepare();
            wait(&sender);
            job = jobs.recv().ok();
        }
    };
    thread::Builder::new().name("ccf-gov script".into()).stack_size(STACK_BYTES).spawn(body).map(drop)
}

/// Whether a worker prepares for another script: enough others wait otherwise.
fn stays() -> bool {
    let mut waiting = waiting();
    let wanted = waiting.ready.len() + waiting.preparing < MOST_WAITING;
    waiting.preparing += usize::from(wanted);
    wanted
}

/// Puts a worker that has prepared among those that are ready.
fn wait(worker: &Sender<Job>) {
    let mut waiting = waiting();
    waiting.preparing -= 1;
    waiting.ready.push(worker.clone());
}
