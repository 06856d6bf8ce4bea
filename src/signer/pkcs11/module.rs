//! A PKCS#11 module: found, loaded once in a process, and used from one thread.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
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
                queue.into_iter().for_each(|job| job(&module));
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
        let (done, result) = oneshot::channel();
        self.post(move |module| {
            let _ = done.send(work(module));
        });
        match tokio::time::timeout(patience, result).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Pkcs11Error::ThreadEnded(doing)),
            Err(_) => Err(Pkcs11Error::Timeout { doing, after: patience }),
        }
    }

    /// Leaves `work` to the module's thread.
    fn post(&self, work: impl FnOnce(&Pkcs11) + Send + 'static) {
        // The queue's end is gone only when a module has killed its thread; then there is nobody to tell.
        let _ = self.jobs.send(Box::new(work));
    }
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

    /// Does `work` with the value and each of `items` in turn, on the module's thread, without waiting in between.
    pub(super) fn each<I: Send + 'static, R: Send + 'static>(
        &self,
        doing: &'static str,
        patience: Duration,
        items: Vec<I>,
        mut work: impl FnMut(&Pkcs11, &mut T, I) -> Result<R, Pkcs11Error> + Send + 'static,
    ) -> Each<R> {
        let left = items.len();
        let (done, results) = unbounded_channel();
        if let Some(value) = self.value.clone() {
            self.module.post(move |module| {
                let mut value = value.lock().unwrap_or_else(PoisonError::into_inner);
                for item in items {
                    let result = work(module, &mut value, item);
                    let failed = result.is_err();
                    if done.send(result).is_err() || failed {
                        break;
                    }
                }
            });
        }
        Each { results, left, doing, patience }
    }
}

/// What comes of each item, in order; dropping it ends the work after the item that is under way.
pub(super) struct Each<R> {
    results: UnboundedReceiver<Result<R, Pkcs11Error>>,
    left: usize,
    doing: &'static str,
    patience: Duration,
}

impl<R> Each<R> {
    /// The next result; `None` after the last. Waits no longer than the patience for it.
    pub(super) async fn next(&mut self) -> Result<Option<R>, Pkcs11Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        match tokio::time::timeout(self.patience, self.results.recv()).await {
            Ok(Some(result)) => result.map(Some),
            Ok(None) => Err(Pkcs11Error::ThreadEnded(self.doing)),
            Err(_) => Err(Pkcs11Error::Timeout { doing: self.doing, after: self.patience }),
        }
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
