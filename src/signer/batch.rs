//! Many signatures in one go, on every core: a key in memory signs on all of them; any other signs on a thread of its own
//! while the rest check what it signed.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use time::OffsetDateTime;

use super::{PrivateKey, Signer, SignerError};
use crate::cose::{Envelope, MemberCertificate, Message, Signature};

/// The most threads that check. On P-521 a check takes longer than a signature on most tokens.
const MOST_CHECKERS: usize = 4;

type Unchecked = (usize, Message, Signature);

/// Signs every message and hands each envelope, checked, to `done` in order; stops at the first that fails.
///
/// `done` runs on other threads, one call after the other, as the signer would wait for it otherwise.
pub async fn sign_all<E: From<SignerError> + Send + 'static>(
    signer: &dyn Signer,
    messages: Vec<Message>,
    done: impl FnMut(Envelope) -> Result<(), E> + Send + 'static,
) -> Result<(), E> {
    let certificate = signer.certificate();
    certificate.check_in_date(OffsetDateTime::now_utc()).map_err(SignerError::from)?;
    match signer.private_key() {
        Some(key) => sign_in_parallel(key, certificate, messages, done),
        None => sign_and_check(signer, messages, done).await,
    }
}

/// Every core signs and checks whole envelopes.
fn sign_in_parallel<E: From<SignerError> + Send>(
    key: &PrivateKey,
    certificate: &MemberCertificate,
    messages: Vec<Message>,
    done: impl FnMut(Envelope) -> Result<(), E> + Send,
) -> Result<(), E> {
    let threads = cores().min(messages.len());
    let messages = Mutex::new(messages.into_iter().enumerate());
    let in_order = Mutex::new(InOrder::new(done));
    let work = || {
        let next = || lock(&messages).next();
        while let Some((at, message)) = next() {
            let signature = key.sign(&Envelope::to_be_signed(&message, certificate));
            let envelope = Envelope::new(message, certificate, signature);
            if lock(&in_order).put(at, envelope.map_err(SignerError::from)).is_break() {
                break;
            }
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    in_order.into_inner().unwrap_or_else(PoisonError::into_inner).result
}

/// The signer signs, and threads check.
async fn sign_and_check<E: From<SignerError> + Send + 'static>(
    signer: &dyn Signer,
    messages: Vec<Message>,
    done: impl FnMut(Envelope) -> Result<(), E> + Send + 'static,
) -> Result<(), E> {
    let certificate = signer.certificate();
    let to_be_signed = messages.iter().map(|message| Envelope::to_be_signed(message, certificate)).collect();
    let checkers = cores().min(MOST_CHECKERS).min(messages.len());

    let (sender, unchecked) = mpsc::channel::<Unchecked>();
    // To take the sender away ends everything: even a signer that hangs keeps no end of the channel.
    let sender = Arc::new(Mutex::new(Some(sender)));
    let unchecked = Arc::new(Mutex::new(unchecked));
    let in_order = Arc::new(Mutex::new(InOrder::new(done)));
    let check = || {
        let (certificate, sender) = (certificate.clone(), Arc::clone(&sender));
        let (unchecked, in_order) = (Arc::clone(&unchecked), Arc::clone(&in_order));
        move || {
            let next = || lock(&unchecked).recv();
            while let Ok((at, message, signature)) = next() {
                let envelope = Envelope::new(message, &certificate, signature);
                if lock(&in_order).put(at, envelope.map_err(SignerError::from)).is_break() {
                    lock(&sender).take();
                }
            }
        }
    };
    let checkers: Vec<_> = (0..checkers).map(|_| thread::spawn(check())).collect();

    let mut messages = messages.into_iter().enumerate();
    let to_check = Arc::clone(&sender);
    let signed = move |signature| {
        let unchecked = messages.next().map(|(at, message)| (at, message, signature));
        match lock(&to_check).as_ref().zip(unchecked).map(|(sender, unchecked)| sender.send(unchecked)) {
            Some(Ok(())) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    };
    let result = signer.sign_each(to_be_signed, Box::new(signed)).await;
    lock(&sender).take();
    // All are waited for before the first is judged.
    let ends: Vec<_> = checkers.into_iter().map(thread::JoinHandle::join).collect();
    ends.into_iter().collect::<Result<(), _>>().map_err(|_| SignerError::Checker)?;
    let checked = std::mem::replace(&mut lock(&in_order).result, Ok(()));
    checked.and(result.map_err(E::from))
}

/// Envelopes, handed on in their order however they come.
struct InOrder<D, E> {
    early: BTreeMap<usize, Result<Envelope, SignerError>>,
    next: usize,
    done: D,
    result: Result<(), E>,
}

impl<D: FnMut(Envelope) -> Result<(), E>, E: From<SignerError>> InOrder<D, E> {
    fn new(done: D) -> Self {
        Self { early: BTreeMap::new(), next: 0, done, result: Ok(()) }
    }

    /// Takes the envelope of this number, and hands on all whose turn it is. Breaks after the first that failed.
    fn put(&mut self, at: usize, envelope: Result<Envelope, SignerError>) -> ControlFlow<()> {
        self.early.insert(at, envelope);
        while self.result.is_ok()
            && let Some(envelope) = self.early.remove(&self.next)
        {
            self.next += 1;
            self.result = envelope.map_err(E::from).and_then(&mut self.done);
        }
        if self.result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
