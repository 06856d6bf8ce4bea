//! `keys list`: the keys on a token, as URIs to paste.

use clap::Args;
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::open_key::Asked;
use ccf_gov::cose::Algorithm;
use ccf_gov::id::MemberId;
use ccf_gov::signer::{KeyUri, SignerError, TokenKey, list_token_keys};

/// List the keys behind a PKCS#11 module, as key URIs to paste
///
/// Says of each key what it can do and, where the token holds its certificate, whose it is. Most tokens hide private
/// keys until somebody logs in: with one token, the PIN is taken from pin-source, CCF_GOV_PIN or the terminal; with
/// several, or without a PIN, only public parts are listed.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov keys list 'pkcs11:?module-name=softhsm2'
  ccf-gov keys list 'pkcs11:token=consortium?module-path=/usr/lib/x86_64-linux-gnu/libykcs11.so.2'")]
pub struct List {
    /// A pkcs11: URI that names the module, and the token if there are several
    #[arg(value_name = "KEY-URI")]
    uri: String,
}

impl List {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let uri: KeyUri = self.uri.parse().map_err(|e| CliError::from(e).doing("cannot list the keys of this URI"))?;
        let KeyUri::Pkcs11(uri) = uri else {
            return Err(CliError::usage("only the keys of a pkcs11: URI can be listed")
                .hint("to see a key in a file, run `ccf-gov keys show --key FILE`"));
        };
        let keys = list_token_keys(&uri, &Asked)
            .await
            .map_err(|e| CliError::from(SignerError::from(e)).doing("cannot list the keys"))?;
        context.output.result(&Listed { keys: keys.iter().map(Key::of).collect() }, || text(&keys))?;
        if keys.iter().all(|key| key.can_sign.is_none()) {
            context.output.note(
                "Most tokens hide private keys until somebody logs in: name one token in the URI, and give its PIN.",
            );
        }
        Ok(Exit::Done)
    }
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listed<'a> {
    keys: Vec<Key<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Key<'a> {
    /// Ready to paste, unless `named_alone` is false.
    uri: String,
    /// False if another key has the same label and id, so that no URI specifies this one alone.
    named_alone: bool,
    token: &'a str,
    label: Option<&'a str>,
    /// Hexadecimal.
    id: Option<String>,
    kind: &'a str,
    /// Null if CCF takes no such key for a member.
    algorithm: Option<Algorithm>,
    /// Null for a private key that is hidden until somebody logs in.
    can_sign: Option<bool>,
    /// The token wants its PIN for each signature.
    always_authenticate: bool,
    shows_public_key: bool,
    /// Of the certificates on the token with the key's id, and with its public key if `shows_public_key`.
    member_ids: Vec<MemberId>,
}

impl<'a> Key<'a> {
    fn of(key: &'a TokenKey) -> Self {
        Self {
            uri: key.uri.to_string(),
            named_alone: key.is_named_alone,
            token: &key.token,
            label: key.uri.object.as_deref().filter(|label| !label.is_empty()),
            id: key.uri.id.as_ref().filter(|id| !id.is_empty()).map(hex::encode),
            kind: &key.kind,
            algorithm: key.algorithm,
            can_sign: key.can_sign,
            always_authenticate: key.always_authenticate,
            shows_public_key: key.shows_public_key,
            member_ids: key.certificates.iter().map(|c| c.member_id()).collect(),
        }
    }
}

fn text(keys: &[TokenKey]) -> String {
    if keys.is_empty() {
        return "No keys were found.".into();
    }
    keys.iter().map(describe).collect::<Vec<_>>().join("\n")
}

fn describe(key: &TokenKey) -> String {
    let kind = match key.algorithm {
        Some(algorithm) => format!("{} ({algorithm})", algorithm.curve()),
        None => format!("{}, which CCF does not accept for members", key.kind),
    };
    let signs = match (key.can_sign, key.always_authenticate) {
        (None, _) => "private key hidden",
        (Some(false), _) => "may not sign",
        (Some(true), false) => "signs",
        (Some(true), true) => "signs, with the PIN each time",
    };
    let mut text = format!("{}\n  {kind}, {signs}\n", key.uri);
    if !key.is_named_alone {
        text += "  another key has the same label and id, so no URI names this one alone: give one of them a different id\n  \
                 with the token's own tool\n";
    }
    for certificate in &key.certificates {
        let how =
            if key.shows_public_key { "" } else { ", by its certificate's id: the token does not show the public key" };
        text += &format!("  member {}{how}\n", certificate.member_id());
    }
    if key.certificates.is_empty() {
        text += "  no certificate on the token: give it with --cert\n";
    }
    text
}
