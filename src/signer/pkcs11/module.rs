//! A PKCS#11 module: found, loaded once in a process, and used from one thread.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use tokio::sync::oneshot;

use super::Pkcs11Error;
use crate::signer::ModuleName;

/// How long one call may take: a person may have to touch the token or to use its keypad.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Where systems keep PKCS#11 modules. `module-name` looks nowhere else.
const FOLDERS: [&str; 17] = [
    "/usr/lib/x86_64-linux-gnu/pkcs11",
    "/usr/lib/x86_64-linux-gnu/softhsm",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu/pkcs11",
    "/usr/lib/aarch64-linux-gnu/softhsm",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64/pkcs11",
    "/usr/lib64/softhsm",
    "/usr/lib64",
    "/usr/lib/pkcs11",
    "/usr/lib/softhsm",
    "/usr/lib",
    "/usr/local/lib/pkcs11",
    "/usr/local/lib/softhsm",
    "/usr/local/lib",
    "/opt/homebrew/lib/softhsm",
    "/opt/homebrew/lib",
];

/// How long the end of a session is waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long either side looks whether the other is done before it goes to sleep: waking up takes as long as a fast
/// token takes for a signature.
const SOON: Duration = Duration::from_micros(200);

type Job = Box<dyn FnOnce(&Pkcs11) + Send>;

/// A loaded module. It stays loaded until the process ends: modules do not bear being loaded twice.
pub(super) struct Module {
    path: PathBuf,
    jobs: mpsc::Sender<Job>,
}

static MODULES: LazyLock<Mutex<HashMap<PathBuf, Arc<Module>>>> = LazyLock::new(Mutex::default);

impl Module {
    /// The module of that name, loaded and initialised if it is not yet.
    pub(super) async fn load(name: Option<&ModuleName>) -> Result<Arc<Self>, Pkcs11Error> {
        let path = find(name)?;
        let known = MODULES.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        if let Some(module) = known {
            return Ok(module);
        }
        let module = Arc::new(Self::start(&path).await?);
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(modules.entry(path).or_insert(module).clone())
    }

    /// Loads the library on a new thread, which then does the jobs as they come.
    async fn start(path: &Path) -> Result<Self, Pkcs11Error> {
        const DOING: &str = "loading";
        let (jobs, queue) = mpsc::channel::<Job>();
        let (loaded, result) = oneshot::channel();
        let library = path.to_owned();
        let work = move || match initialise(&library) {
            Ok(module) => {
                let _ = loaded.send(Ok(()));
                while let Some(job) = next(&queue) {
                    job(&module);
                }
            }
            Err(error) => {
                let _ = loaded.send(Err(error));
            }
        };
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| Pkcs11Error::Load { path: path.into(), source };
        std::thread::Builder::new().name("pkcs11".into()).spawn(work).map_err(|e| failed(e.into()))?;
        match tokio::time::timeout(PATIENCE, result).await {
            Ok(Ok(Ok(()))) => Ok(Self { path: path.into(), jobs }),
            Ok(Ok(Err(Error::LibraryLoading(error)))) => Err(failed(error.into())),
            Ok(Ok(Err(error @ Error::Pkcs11(..)))) => {
                Err(Pkcs11Error::Initialise { path: path.into(), source: error.into() })
            }
            Ok(Ok(Err(error))) => Err(failed(error.into())),
            Ok(Err(_)) => Err(Pkcs11Error::ThreadEnded(DOING)),
            Err(_) => Err(Pkcs11Error::Timeout { doing: DOING, after: PATIENCE }),
        }
    }

    /// The module's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Does `work` on the module's thread and waits for it, but not longer than `patience`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        doing: &'static str,
        patience: Duration,
        work: impl FnOnce(&Pkcs11) -> Result<T, Pkcs11Error> + Send + 'static,
    ) -> Result<T, Pkcs11Error> {
        self.watch(doing, patience, |module, _| work(module)).await?
    }

    /// Does `work` on the module's thread and waits for it, as long as its pulse never pauses for `patience`.
    async fn watch<T: Send + 'static>(
        &self,
        doing: &'static str,
        patience: Duration,
        work: impl FnOnce(&Pkcs11, &Pulse) -> T + Send + 'static,
    ) -> Result<T, Pkcs11Error> {
        let (done, mut result) = oneshot::channel();
        let pulse = Pulse::new();
        let beating = pulse.clone();
        self.post(move |module| {
            let _ = done.send(work(module, &beating));
        });
        let soon = Instant::now() + SOON;
        while result.is_empty() && Instant::now() < soon {
            std::thread::yield_now();
        }
        loop {
            match tokio::time::timeout_at((pulse.last() + patience).into(), &mut result).await {
                Ok(Ok(result)) => return Ok(result),
                Ok(Err(_)) => return Err(Pkcs11Error::ThreadEnded(doing)),
                Err(_) if Instant::now() < pulse.last() + patience => {}
                Err(_) => return Err(Pkcs11Error::Timeout { doing, after: patience }),
            }
        }
    }

    /// Leaves `work` to the module's thread.
    fn post(&self, work: impl FnOnce(&Pkcs11) + Send + 'static) {
        // The queue's end is gone only when a module has killed its thread; then there is nobody to tell.
        let _ = self.jobs.send(Box::new(work));
    }
}

/// The next job; `None` when there will be none any more.
fn next(queue: &mpsc::Receiver<Job>) -> Option<Job> {
    let soon = Instant::now() + SOON;
    while Instant::now() < soon {
        match queue.try_recv() {
            Ok(job) => return Some(job),
            Err(mpsc::TryRecvError::Disconnected) => return None,
            Err(mpsc::TryRecvError::Empty) => std::thread::yield_now(),
        }
    }
    queue.recv().ok()
}

fn initialise(library: &Path) -> Result<Pkcs11, Error> {
    let module = Pkcs11::new(library)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(module),
        Err(error) => Err(error),
    }
}

/// Something that belongs to a module's thread: it is used there, and dropped there.
pub(super) struct Held<T: Send + 'static> {
    value: Option<Arc<Mutex<T>>>,
    module: Arc<Module>,
}

impl<T: Send + 'static> Held<T> {
    /// Puts `value` into the module's keeping.
    pub(super) fn new(module: Arc<Module>, value: T) -> Self {
        Self { value: Some(Arc::new(Mutex::new(value))), module }
    }

    /// Does `work` with the value on the module's thread.
    pub(super) async fn with<R: Send + 'static>(
        &self,
        doing: &'static str,
        patience: Duration,
        work: impl FnOnce(&Pkcs11, &mut T) -> Result<R, Pkcs11Error> + Send + 'static,
    ) -> Result<R, Pkcs11Error> {
        let Some(value) = self.value.clone() else {
            return Err(Pkcs11Error::ThreadEnded(doing));
        };
        let on_thread = move |module: &Pkcs11| work(module, &mut value.lock().unwrap_or_else(PoisonError::into_inner));
        self.module.run(doing, patience, on_thread).await
    }

    /// Does `work` with the value and each of `items` in turn, in one crossing to the module's thread, and waits for the
    /// last: for each not longer than `patience`. Ends early when `work` says so, and when nobody waits any more.
    pub(super) async fn each<I: Send + 'static, E: From<Pkcs11Error> + Send + 'static>(
        &self,
        doing: &'static str,
        patience: Duration,
        items: Vec<I>,
        mut work: impl FnMut(&Pkcs11, &mut T, I) -> Result<ControlFlow<()>, E> + Send + 'static,
    ) -> Result<(), E> {
        let Some(value) = self.value.clone() else {
            return Err(Pkcs11Error::ThreadEnded(doing).into());
        };
        let on_thread = move |module: &Pkcs11, pulse: &Pulse| {
            let mut value = value.lock().unwrap_or_else(PoisonError::into_inner);
            for item in items {
                if work(module, &mut value, item)?.is_break() || pulse.beat().is_break() {
                    break;
                }
            }
            Ok(())
        };
        self.module.watch(doing, patience, on_thread).await?
    }
}

/// The sign of life that work on the module's thread gives to who waits for it.
#[derive(Clone)]
struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the work goes on; breaks when nobody listens any more.
    fn beat(&self) -> ControlFlow<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if Arc::strong_count(&self.0) > 1 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl<T: Send + 'static> Drop for Held<T> {
    /// Waits for the thread, but not for long: a process that ends while the module still works can crash in it.
    fn drop(&mut self) {
        let value = self.value.take();
        let (done, dropped) = mpsc::channel();
        self.module.post(move |_| {
            drop(value);
            let _ = done.send(());
        });
        let _ = dropped.recv_timeout(FAREWELL);
    }
}

/// The module's file, with all links followed, so that one module is not loaded under two names.
fn find(name: Option<&ModuleName>) -> Result<PathBuf, Pkcs11Error> {
    match name {
        None => Err(Pkcs11Error::NoModule),
        Some(ModuleName::Path(path)) => {
            path.canonicalize().map_err(|e| Pkcs11Error::Load { path: path.clone(), source: e.into() })
        }
        Some(ModuleName::Name(name)) => candidates(name)
            .find_map(|path| path.canonicalize().ok().filter(|path| path.is_file()))
            .ok_or_else(|| not_found(name)),
    }
}

fn candidates(name: &str) -> impl Iterator<Item = PathBuf> {
    let files = [format!("{name}.so"), format!("lib{name}.so"), name.into(), format!("lib{name}.dylib")];
    FOLDERS.into_iter().flat_map(move |folder| files.clone().map(|file| Path::new(folder).join(file)))
}

fn not_found(name: &str) -> Pkcs11Error {
    let searched = FOLDERS.into_iter().filter(|folder| Path::new(folder).is_dir()).map(Into::into).collect();
    Pkcs11Error::ModuleNotFound { name: name.into(), searched }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_module_that_hangs_or_dies_is_told() {
        // Nobody takes a job from the queue: to those who wait it is a module that does not come back.
        let (jobs, queue) = mpsc::channel();
        let module = Module { path: "/x".into(), jobs };
        let error = module.run("signing", Duration::from_millis(10), |_| Ok(())).await.unwrap_err();
        assert!(matches!(error, Pkcs11Error::Timeout { doing: "signing", .. }), "{error}");
        drop(queue);
        let error = module.run("signing", PATIENCE, |_| Ok(())).await.unwrap_err();
        assert!(matches!(error, Pkcs11Error::ThreadEnded("signing")), "{error}");
    }
}
