//! What must not be left behind when a command is interrupted (INT, TERM, HUP).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use super::error::{CliError, Kind};

/// A value that is dropped when the command is interrupted, whatever its threads wait for.
pub struct Interruptible<T> {
    value: Arc<Mutex<Option<T>>>,
    gone: Arc<Notify>,
}

impl<T: Send + 'static> Interruptible<T> {
    /// From before the value is made until the process ends, a signal ends it instead of the process.
    pub fn new(make: impl FnOnce() -> Result<T, CliError>) -> Result<Self, CliError> {
        let failed = |e| CliError::failed("cannot watch for interruptions", e);
        // A thread and runtime of its own: those of the command may be busy with signing.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
        let [mut int, mut term, mut hup] = {
            let _in_runtime = runtime.enter();
            [listen(SignalKind::interrupt()), listen(SignalKind::terminate()), listen(SignalKind::hangup())]
        };
        let this = Self { value: Arc::new(Mutex::new(Some(make()?))), gone: Arc::default() };
        let watched = this.clone();
        let watch = async move {
            tokio::select! {
                Some(()) = next(&mut int) => {}
                Some(()) = next(&mut term) => {}
                Some(()) = next(&mut hup) => {}
                else => return,
            }
            // Dropped under the lock: nobody learns of it, and ends the process, before all is gone.
            *watched.lock() = None;
            watched.gone.notify_one();
        };
        std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(watch)).map_err(failed)?;
        Ok(this)
    }

    /// Does `work` with the value, if it is still there.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.lock().as_mut().map(work)
    }

    /// Takes the value away from further interruptions, if none came before.
    pub fn take(&self) -> Option<T> {
        self.lock().take()
    }

    /// Waits until there is an interruption.
    pub async fn gone(&self) {
        self.gone.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Interruptible<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), gone: Arc::clone(&self.gone) }
    }
}

/// Does `work`, unless an interruption comes first: then `None`.
pub async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    let [mut int, mut term, mut hup] =
        [listen(SignalKind::interrupt()), listen(SignalKind::terminate()), listen(SignalKind::hangup())];
    tokio::select! {
        done = work => Some(done),
        Some(()) = next(&mut int) => None,
        Some(()) = next(&mut term) => None,
        Some(()) = next(&mut hup) => None,
    }
}

/// The error of an interrupted command.
pub fn interrupted() -> CliError {
    CliError { kind: Kind::Failed, ..CliError::usage("interrupted: nothing was written") }
}

/// Listens for a signal, unless whoever started the process wants it ignored (as nohup does) or it cannot be listened for.
fn listen(kind: SignalKind) -> Option<Signal> {
    if is_ignored(kind) { None } else { signal(kind).ok() }
}

async fn next(signal: &mut Option<Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

/// Whether the signal is ignored, where the system tells (Linux: proc(5), SigIgn, bit n - 1 for signal n).
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}
