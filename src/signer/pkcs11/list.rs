//! What keys are behind a module: for finding out the URI to write down.

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::slot::{Slot, TokenInfo};

use super::card::{self, Card};
use super::key::Facts;
use super::module::{Held, Module, PATIENCE};
use super::{PinSource, Pkcs11Error, Pkcs11Uri};
use crate::cose::{Algorithm, MemberCertificate};

/// A key on a token.
#[derive(Clone, Debug)]
pub struct TokenKey {
    /// A URI that names this key, and no other if `is_named_alone`.
    pub uri: Pkcs11Uri,
    /// Whether the URI names this key alone: of two keys with the same label and id none does.
    pub is_named_alone: bool,
    /// The token's label.
    pub token: String,
    /// The algorithm, for a key on a curve that CCF takes.
    pub algorithm: Option<Algorithm>,
    /// The kind of key, in words, for example `EC` or `RSA`.
    pub kind: String,
    /// Whether the key may sign. `None` if the private key is hidden until somebody logs in.
    pub can_sign: Option<bool>,
    /// Whether the PIN is wanted before each signature.
    pub always_authenticate: bool,
    /// The certificates with the key's CKA_ID that a member could have, and with its public key if the token shows that.
    pub certificates: Vec<MemberCertificate>,
    /// Whether the token shows the public key, so that the certificates are the key's for sure.
    pub shows_public_key: bool,
}

/// Lists the keys on all tokens that `uri` describes. If that is one token and `pins` has its PIN, it is logged in to; else
/// only what the tokens show to everybody is listed.
pub async fn list(uri: &Pkcs11Uri, pins: &dyn PinSource) -> Result<Vec<TokenKey>, Pkcs11Error> {
    let module = Module::load(uri.module.as_ref()).await?;
    let wanted = uri.clone();
    let look = move |module: &Pkcs11| {
        let all = card::tokens(module)?;
        let fitting = all.iter().filter(|(slot, token)| card::fits(*slot, token, &wanted));
        // Two tokens may have one label; then the serial number tells them apart.
        let twice =
            |token: &TokenInfo| all.iter().filter(|(_, other)| card::label(other) == card::label(token)).count() > 1;
        Ok(fitting.map(|(slot, token)| (*slot, token.clone(), twice(token))).collect::<Vec<_>>())
    };
    let tokens = module.run("looking for tokens", PATIENCE, look).await?;
    if tokens.is_empty() {
        // The same search again, for its error.
        let wanted = uri.clone();
        module.run("looking for tokens", PATIENCE, move |module| Card::open(module, &wanted).map(drop)).await?;
    }
    if let [(_, token, twice)] = &tokens[..] {
        let base = base(uri, token, *twice);
        let card = match card::open(&module, uri, pins).await {
            Err(Pkcs11Error::NoPin { .. }) => None,
            card => Some(card?),
        };
        if let Some(card) = card {
            return keys(&card, base).await;
        }
    }
    let mut found = Vec::new();
    for (slot, token, twice) in tokens {
        let base = base(uri, &token, twice);
        found.extend(keys(&public(&module, slot, token).await?, base).await?);
    }
    Ok(found)
}

async fn public(module: &std::sync::Arc<Module>, slot: Slot, token: TokenInfo) -> Result<Held<Card>, Pkcs11Error> {
    let open = move |module: &Pkcs11| Card::on(module, slot, token);
    Ok(Held::new(module.clone(), module.run("looking at a token", PATIENCE, open).await?))
}

/// The URI of a token, to which a key's attributes are added.
fn base(uri: &Pkcs11Uri, token: &TokenInfo, twice: bool) -> Pkcs11Uri {
    let serial = (twice || card::label(token).is_empty()).then(|| card::unpadded(token.serial_number()).to_owned());
    let label = Some(card::label(token).to_owned()).filter(|label| !label.is_empty());
    Pkcs11Uri {
        token: label,
        serial,
        module: uri.module.clone(),
        pin_source: uri.pin_source.clone(),
        ..Pkcs11Uri::default()
    }
}

async fn keys(card: &Held<Card>, base: Pkcs11Uri) -> Result<Vec<TokenKey>, Pkcs11Error> {
    card.with("listing keys", PATIENCE, move |_, card| card.list(&base)).await
}

impl Card {
    /// The private keys, and the public keys whose private keys are hidden.
    fn list(&self, base: &Pkcs11Uri) -> Result<Vec<TokenKey>, Pkcs11Error> {
        let private = self.objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
        let public = self.objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)])?;
        let known = |facts: &Facts| private.iter().any(|(_, key)| key.id == facts.id && key.label == facts.label);
        let hidden = public.iter().filter(|(_, facts)| !known(facts) && !facts.id.is_empty());
        let mut found = Vec::new();
        for (_, facts) in &private {
            found.push(self.describe(base, facts, &private, Some(facts.may_sign))?);
        }
        // With a private key of the same id it is that key's, under another label.
        for (_, facts) in hidden.filter(|(_, facts)| private.iter().all(|(_, key)| key.id != facts.id)) {
            found.push(self.describe(base, facts, &public, None)?);
        }
        found.sort_by(|a, b| (&a.uri.object, &a.uri.id).cmp(&(&b.uri.object, &b.uri.id)));
        Ok(found)
    }

    /// Describes one key of `all`.
    fn describe(
        &self,
        base: &Pkcs11Uri,
        facts: &Facts,
        all: &[(ObjectHandle, Facts)],
        can_sign: Option<bool>,
    ) -> Result<TokenKey, Pkcs11Error> {
        let point = self.point(facts)?;
        let mut certificates = self.certificates(facts)?;
        certificates.retain(|certificate| point.as_deref().is_none_or(|point| certificate.has_key(point)));
        let (object, id) = (card::unpadded(&facts.label).to_owned(), facts.id.clone());
        let short = Pkcs11Uri {
            object: Some(object.clone()).filter(|label| !label.is_empty()),
            id: Some(id.clone()).filter(|id| !id.is_empty()),
            ..base.clone()
        };
        // That there is no label or no id has to be said where another key has one.
        let full = Pkcs11Uri { object: Some(object), id: Some(id), ..base.clone() };
        let is_alone = |uri: &Pkcs11Uri| all.iter().filter(|(_, other)| other.fit(uri)).count() == 1;
        let has_name = short.object.is_some() || short.id.is_some();
        let uri = if has_name && is_alone(&short) { short } else { full };
        let kind = match facts.key_type {
            Some(KeyType::EC) => "EC".into(),
            Some(KeyType::RSA) => "RSA".into(),
            Some(KeyType::EC_EDWARDS) => "EdDSA".into(),
            Some(other) => other.to_string(),
            None => "unknown".into(),
        };
        Ok(TokenKey {
            is_named_alone: is_alone(&uri),
            uri,
            token: card::label(&self.token).into(),
            algorithm: facts.curve.filter(|_| facts.key_type == Some(KeyType::EC)),
            kind,
            can_sign,
            always_authenticate: facts.always_authenticate,
            certificates,
            shows_public_key: point.is_some(),
        })
    }
}
