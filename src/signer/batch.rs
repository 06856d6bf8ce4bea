//! Many signatures in one go: one thread signs, another checks what it signed.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;

use time::OffsetDateTime;

use super::{Signer, SignerError};
use crate::cose::{Envelope, Message};

/// Signs every message and hands each envelope, checked, to `done` in order; stops at the first that fails.
///
/// `done` runs on the checking thread, as the signer would wait for it otherwise.
pub async fn sign_all<E: From<SignerError> + Send + 'static>(
    signer: &dyn Signer,
    messages: Vec<Message>,
    mut done: impl FnMut(Envelope) -> Result<(), E> + Send + 'static,
) -> Result<(), E> {
    signer.certificate().check_in_date(OffsetDateTime::now_utc()).map_err(SignerError::from)?;
    let certificate = signer.certificate().clone();
    let to_be_signed = messages.iter().map(|message| Envelope::to_be_signed(message, &certificate)).collect();
    let (to_check, signatures) = mpsc::channel();
    let checking = thread::spawn(move || {
        for (message, signature) in messages.into_iter().zip(signatures) {
            let envelope = Envelope::new(message, &certificate, signature).map_err(SignerError::from)?;
            done(envelope)?;
        }
        Ok(())
    });
    // The channel closes when a check fails: then that thread's error is the one to tell.
    let mut signed = move |signature| match to_check.send(signature) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    };
    let result = signer.sign_each(to_be_signed, &mut signed).await;
    drop(signed);
    let checked = checking.join().unwrap_or_else(|_| Err(SignerError::Checker.into()));
    checked.and(result.map_err(E::from))
}
