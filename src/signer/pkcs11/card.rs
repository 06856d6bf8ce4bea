//! A session on a token: which token, and logging in to it.

use std::io;
use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use super::key::Key;
use super::module::{Held, Module, PATIENCE};
use super::{PinSource, Pkcs11Error, Pkcs11Uri};
use crate::signer::{Passphrase, PassphraseError, PinTries};

/// A token with a session on it, and the key that was found there.
pub(super) struct Card {
    pub(super) slot: Slot,
    pub(super) token: TokenInfo,
    pub(super) session: Session,
    pub(super) key: Option<Key>,
    /// It is kept only for a key that wants it before each signature.
    pub(super) pin: Option<AuthPin>,
}

/// Opens a session on the token that `uri` names, and logs in if the token wants that.
pub(super) async fn open(
    module: &Arc<Module>,
    uri: &Pkcs11Uri,
    pins: &dyn PinSource,
) -> Result<Held<Card>, Pkcs11Error> {
    let wanted = uri.clone();
    let find = move |module: &Pkcs11| Card::open(module, &wanted);
    let card = Held::new(module.clone(), module.run("looking for the token", PATIENCE, find).await?);
    let ask = |_: &Pkcs11, card: &mut Card| Ok((card.needs_login()?, card.token.clone()));
    let (needs_login, token) = card.with("asking who is logged in", PATIENCE, ask).await?;
    if needs_login {
        let pin = pin(&token, uri, pins)?;
        let log_in = move |module: &Pkcs11, card: &mut Card| {
            // Kept until the key is found, which may want it again.
            card.pin = pin;
            card.log_in(module, UserType::User)
        };
        card.with("logging in", PATIENCE, log_in).await?;
    }
    Ok(card)
}

/// Keeps the PIN, asked for unless the log-in just had it, for a key that wants it before each signature (CKA_ALWAYS_AUTHENTICATE).
pub(super) async fn keep_pin(card: &Held<Card>, uri: &Pkcs11Uri, pins: &dyn PinSource) -> Result<(), Pkcs11Error> {
    let held = |_: &Pkcs11, card: &mut Card| Ok((card.pin.is_some(), card.token.clone()));
    let (has_pin, token) = card.with("looking at the token", PATIENCE, held).await?;
    if has_pin {
        return Ok(());
    }
    let pin = pin(&token, uri, pins)?;
    let keep = move |_: &Pkcs11, card: &mut Card| {
        card.pin = pin;
        Ok(())
    };
    card.with("looking at the token", PATIENCE, keep).await
}

/// The PIN, or `None` for a token that has a keypad of its own.
fn pin(token: &TokenInfo, uri: &Pkcs11Uri, pins: &dyn PinSource) -> Result<Option<AuthPin>, Pkcs11Error> {
    let (label, tries) = (label(token).to_owned(), tries(token));
    if token.protected_authentication_path() {
        return Ok(None);
    }
    let pin = match &uri.pin_source {
        Some(_) if tries == PinTries::Last => return Err(Pkcs11Error::LastTry { token: label }),
        Some(path) => {
            let pin = Passphrase::from_file(path).map_err(|error| match error {
                PassphraseError::File(source) => Pkcs11Error::PinSource { token: label, source },
                _ => Pkcs11Error::PinFileEmpty { token: label, path: path.clone() },
            })?;
            AuthPin::from(std::str::from_utf8(pin.as_bytes()).unwrap_or_default())
        }
        None => {
            let given = pins.pin(&label, tries).and_then(|pin| match pin.is_empty() {
                // No token has an empty one: it would only cost a try.
                true => Err(io::Error::other("an empty PIN was given, which was not tried")),
                false => Ok(pin),
            });
            let pin = given.map_err(|source| Pkcs11Error::NoPin { token: label, source })?;
            AuthPin::from(pin.as_str())
        }
    };
    Ok(Some(pin))
}

/// What the token says of wrong PINs.
fn tries(token: &TokenInfo) -> PinTries {
    match (token.user_pin_final_try(), token.user_pin_count_low()) {
        (true, _) => PinTries::Last,
        (false, true) => PinTries::Low,
        (false, false) => PinTries::Unknown,
    }
}

impl Card {
    pub(super) fn open(module: &Pkcs11, uri: &Pkcs11Uri) -> Result<Self, Pkcs11Error> {
        let mut fitting = tokens(module)?;
        let present: Vec<_> = fitting.iter().map(|(slot, token)| named(*slot, token)).collect();
        fitting.retain(|(slot, token)| fits(*slot, token, uri));
        match &fitting[..] {
            [(slot, token)] => Self::on(module, *slot, token.clone()),
            [] => Err(Pkcs11Error::TokenNotFound { wanted: wanted(uri), present }),
            several => Err(Pkcs11Error::SeveralTokens {
                present: several.iter().map(|(slot, token)| named(*slot, token)).collect(),
            }),
        }
    }

    /// Opens a session; nobody is logged in by it.
    pub(super) fn on(module: &Pkcs11, slot: Slot, token: TokenInfo) -> Result<Self, Pkcs11Error> {
        let session = module
            .open_ro_session(slot)
            .map_err(|e| Pkcs11Error::of_token(label(&token), "opening a session on the token", e))?;
        Ok(Self { slot, token, session, key: None, pin: None })
    }

    /// Whether the token wants a log-in, and nobody in this process has logged in to it. Refuses where it cannot work.
    fn needs_login(&self) -> Result<bool, Pkcs11Error> {
        let state = self.session.get_session_info().map_err(|e| self.failed("asking who is logged in", e))?;
        if !self.token.login_required() || matches!(state.session_state(), SessionState::RoUser | SessionState::RwUser)
        {
            return Ok(false);
        }
        let token = label(&self.token).to_owned();
        if self.token.user_pin_locked() {
            return Err(Pkcs11Error::PinLocked { token });
        }
        if !self.token.user_pin_initialized() {
            return Err(Pkcs11Error::PinNotSet { token, why: "its user PIN was never set" });
        }
        Ok(true)
    }

    /// Logs in as the user, or ([`UserType::ContextSpecific`]) for the one operation that has begun.
    pub(super) fn log_in(&mut self, module: &Pkcs11, who: UserType) -> Result<(), Pkcs11Error> {
        let error = match self.session.login(who, self.pin.as_ref()) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => return Ok(()),
            Err(error) => error,
        };
        // The flags are newer than the wrong PIN, if the token is still there to ask.
        if let Ok(token) = module.get_token_info(self.slot) {
            self.token = token;
        }
        let token = label(&self.token).to_owned();
        Err(match error {
            Error::Pkcs11(RvError::PinLocked, _) => Pkcs11Error::PinLocked { token },
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _)
                if self.token.user_pin_locked() =>
            {
                Pkcs11Error::PinLocked { token }
            }
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid, _) => {
                Pkcs11Error::WrongPin { token, tries: tries(&self.token) }
            }
            Error::Pkcs11(RvError::PinExpired, _) => Pkcs11Error::PinNotSet { token, why: "its user PIN has expired" },
            Error::Pkcs11(RvError::UserPinNotInitialized, _) => {
                Pkcs11Error::PinNotSet { token, why: "its user PIN was never set" }
            }
            error => self.failed("logging in", error),
        })
    }

    pub(super) fn failed(&self, doing: &'static str, error: Error) -> Pkcs11Error {
        Pkcs11Error::of_token(label(&self.token), doing, error)
    }
}

/// The tokens that are there and were initialised.
pub(super) fn tokens(module: &Pkcs11) -> Result<Vec<(Slot, TokenInfo)>, Pkcs11Error> {
    let failed = |source| Pkcs11Error::call("asking which tokens are there", source);
    let mut tokens = Vec::new();
    for slot in module.get_slots_with_token().map_err(failed)? {
        match module.get_token_info(slot) {
            Ok(token) if token.token_initialized() => tokens.push((slot, token)),
            // A slot can be empty by now, or hold something unreadable; the other tokens are there all the same.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(tokens)
}

/// Whether the URI's token attributes are this token's.
pub(super) fn fits(slot: Slot, token: &TokenInfo, uri: &Pkcs11Uri) -> bool {
    let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == unpadded(found));
    same(&uri.token, label(token))
        && same(&uri.manufacturer, token.manufacturer_id())
        && same(&uri.model, token.model())
        && same(&uri.serial, token.serial_number())
        && uri.slot_id.is_none_or(|wanted| wanted == slot.id())
}

fn named(slot: Slot, token: &TokenInfo) -> String {
    format!("{:?} (serial {:?}, slot-id {})", label(token), unpadded(token.serial_number()), slot.id())
}

/// A token's label. PKCS#11 pads it with blanks; some tokens pad with NUL.
pub(super) fn label(token: &TokenInfo) -> &str {
    unpadded(token.label())
}

/// A text of a token without the NULs that some tokens pad with.
pub(super) fn unpadded(text: &str) -> &str {
    text.trim_end_matches('\0').trim_end()
}

/// What the URI says of the token, as a person reads it.
fn wanted(uri: &Pkcs11Uri) -> String {
    let texts =
        [("token", &uri.token), ("manufacturer", &uri.manufacturer), ("model", &uri.model), ("serial", &uri.serial)];
    let mut parts: Vec<_> =
        texts.iter().filter_map(|(name, value)| Some(format!("{name} {:?}", value.as_deref()?))).collect();
    parts.extend(uri.slot_id.map(|slot| format!("slot-id {slot}")));
    if parts.is_empty() { "there".into() } else { parts.join(", ") }
}
