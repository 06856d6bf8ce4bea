//! Who asks: credentials as Azure's own tools name them.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde_json::Value;
use zeroize::Zeroizing;

use super::VaultError;
use super::web::{To, Web, Wire};
use crate::files::{self, FileError};
use crate::signer::{Passphrase, VaultKey};

/// Why the machine's own identity is asked for.
const NO_SECRET: &str =
    "none of CCF_GOV_AZURE_TOKEN, AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE and IDENTITY_ENDPOINT is set";

/// How a token for the vault is got.
#[derive(Clone)]
pub enum AzureCredential {
    /// It is there already.
    Token(Zeroizing<String>),
    /// From Entra ID with a client secret or a federated token (OAuth 2.0 client credentials).
    Client {
        /// Entra ID's address; that of the vault's cloud if absent.
        authority: Option<Url>,
        /// The directory.
        tenant: String,
        /// The application.
        client: String,
        /// What proves it.
        proof: Proof,
    },
    /// From the machine, which vouches for itself.
    ManagedIdentity {
        /// The address and header of App Service and its like; the virtual machine's metadata service if absent.
        endpoint: Option<(Url, Zeroizing<String>)>,
        /// The identity, if the machine has several.
        client: Option<String>,
    },
}

/// What proves an application's identity.
#[derive(Clone)]
pub enum Proof {
    /// Its secret.
    Secret(Zeroizing<String>),
    /// A file with a token of another identity provider, read anew each time.
    FederatedTokenFile(PathBuf),
}

impl AzureCredential {
    /// Reads the environment through `variable`. The first that is complete wins: `CCF_GOV_AZURE_TOKEN`;
    /// `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` with `AZURE_CLIENT_SECRET` or `AZURE_FEDERATED_TOKEN_FILE`;
    /// `IDENTITY_ENDPOINT` with `IDENTITY_HEADER`; else the virtual machine's identity, of `AZURE_CLIENT_ID` if set.
    pub fn from_variables(variable: impl Fn(&str) -> Option<Zeroizing<String>>) -> Result<Self, VaultError> {
        let missing = |text: String| Err(VaultError::Credential(text));
        if let Some(token) = variable("CCF_GOV_AZURE_TOKEN") {
            return Ok(Self::Token(Zeroizing::new(token.trim().to_owned())));
        }
        let text = |name| variable(name).map(|text| text.to_string());
        let client = text("AZURE_CLIENT_ID");
        let proof = variable("AZURE_CLIENT_SECRET")
            .map(Proof::Secret)
            .or_else(|| Some(Proof::FederatedTokenFile(text("AZURE_FEDERATED_TOKEN_FILE")?.into())));
        if let Some(proof) = proof {
            let (Some(tenant), Some(client)) = (text("AZURE_TENANT_ID"), client) else {
                return missing(
                    "with AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE go AZURE_TENANT_ID and AZURE_CLIENT_ID"
                        .into(),
                );
            };
            if tenant.is_empty() || !tenant.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)) {
                return missing("AZURE_TENANT_ID is not a tenant's id or domain name".into());
            }
            let authority = text("AZURE_AUTHORITY_HOST").map(|host| authority(&host)).transpose()?;
            return Ok(Self::Client { authority, tenant, client, proof });
        }
        let endpoint = match (text("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER")) {
            (None, _) => None,
            (Some(_), None) => return missing("with IDENTITY_ENDPOINT goes IDENTITY_HEADER".into()),
            (Some(url), Some(header)) => match Url::parse(&url) {
                Ok(url) => Some((url, header)),
                Err(_) => return missing("IDENTITY_ENDPOINT is not a URL".into()),
            },
        };
        Ok(Self::ManagedIdentity { endpoint, client })
    }

    /// Whether asking again can give another token.
    pub(super) fn renews(&self) -> bool {
        !matches!(self, Self::Token(_))
    }

    /// A token for the domain of `key`, and for no other.
    pub(super) async fn token(&self, web: &Web, key: &VaultKey) -> Result<Zeroizing<String>, VaultError> {
        let (request, assertion) = match self {
            Self::Token(token) => return Ok(token.clone()),
            Self::Client { authority, tenant, client, proof } => {
                client_request(authority.as_ref(), tenant, client, proof, key)?
            }
            Self::ManagedIdentity { endpoint, client } => {
                (machine_request(endpoint.as_ref(), client.as_deref(), web.metadata(), key), None)
            }
        };
        let host = request.host();
        let answer = match web.send(&request).await {
            Err(VaultError::Unreachable { host, why })
                if matches!(self, Self::ManagedIdentity { endpoint: None, .. }) =>
            {
                return Err(VaultError::Credential(format!(
                    "{NO_SECRET}, and this machine has no managed identity ({host}: {why})"
                )));
            }
            answer => answer?,
        };
        if answer.status != 200 {
            let assertion = assertion.iter().filter_map(|token| std::str::from_utf8(token.as_bytes()).ok());
            let mut why = answer.reason(&self.secrets().into_iter().chain(assertion).collect::<Vec<_>>());
            if matches!(self, Self::ManagedIdentity { endpoint: None, .. }) {
                why += &format!("; {NO_SECRET}, so this machine's own identity was asked for");
            }
            return Err(VaultError::NoToken { host, why });
        }
        match answer.json()?.get_mut("access_token").map(Value::take) {
            Some(Value::String(token)) if !token.is_empty() => Ok(Zeroizing::new(token)),
            _ => Err(VaultError::NotUnderstood { host, why: "it has no access_token".into() }),
        }
    }

    /// Secrets that an answer could repeat.
    fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Token(secret) | Self::Client { proof: Proof::Secret(secret), .. } => vec![secret],
            Self::ManagedIdentity { endpoint: Some((_, secret)), .. } => vec![secret],
            _ => Vec::new(),
        }
    }
}

/// Entra ID is asked for a client's token; the federated token that proves the client, if one does.
fn client_request(
    authority: Option<&Url>,
    tenant: &str,
    client: &str,
    proof: &Proof,
    key: &VaultKey,
) -> Result<(Wire, Option<Passphrase>), VaultError> {
    let authority = match authority {
        Some(authority) => authority.clone(),
        None => self::authority(default_authority(key.domain()))?,
    };
    let url = authority.join(&format!("{tenant}/oauth2/v2.0/token"));
    let url = url.map_err(|e| VaultError::Credential(format!("AZURE_AUTHORITY_HOST: {e}")))?;
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials")
        .append_pair("client_id", client)
        .append_pair("scope", &format!("{}/.default", resource(key)));
    let assertion = match proof {
        Proof::Secret(secret) => {
            form.append_pair("client_secret", secret);
            None
        }
        Proof::FederatedTokenFile(path) => {
            let token = federated_token(path)?;
            let text = std::str::from_utf8(token.as_bytes()).unwrap_or_default();
            form.append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                .append_pair("client_assertion", text);
            Some(token)
        }
    };
    Ok((Wire::post_form(url, Zeroizing::new(form.finish())), assertion))
}

/// The machine is asked for a token of its own identity.
fn machine_request(
    endpoint: Option<&(Url, Zeroizing<String>)>,
    client: Option<&str>,
    metadata: &Url,
    key: &VaultKey,
) -> Wire {
    let (to, mut url, header, version) = match endpoint {
        Some((url, header)) => (To::Machine, url.clone(), ("x-identity-header", header.clone()), "2019-08-01"),
        None => {
            let mut url = metadata.clone();
            url.set_path("metadata/identity/oauth2/token");
            (To::Metadata, url, ("metadata", Zeroizing::new("true".into())), "2018-02-01")
        }
    };
    url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", &resource(key));
    if let Some(client) = client {
        url.query_pairs_mut().append_pair("client_id", client);
    }
    Wire::get_local(to, url, header)
}

/// What a token is asked for.
fn resource(key: &VaultKey) -> String {
    format!("https://{}", key.domain())
}

fn authority(host: &str) -> Result<Url, VaultError> {
    let text = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
    match Url::parse(&format!("{}/", text.trim_end_matches('/'))) {
        Ok(url) if url.scheme() == "https" => Ok(url),
        _ => Err(VaultError::Credential("AZURE_AUTHORITY_HOST is not an https address".into())),
    }
}

/// Entra ID of the cloud that a vault's domain belongs to.
fn default_authority(domain: &str) -> &'static str {
    if domain.ends_with(".azure.cn") {
        "https://login.partner.microsoftonline.cn"
    } else if domain.ends_with(".usgovcloudapi.net") {
        "https://login.microsoftonline.us"
    } else {
        "https://login.microsoftonline.com"
    }
}

fn federated_token(path: &Path) -> Result<Passphrase, VaultError> {
    let bytes = files::read_secret(path, 64 << 10).map_err(VaultError::TokenFile)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| VaultError::TokenFile(FileError::NotText { path: path.into() }))?
        .trim();
    Passphrase::new(Zeroizing::new(text.to_owned())).map_err(|_| VaultError::TokenFileEmpty { path: path.into() })
}

impl fmt::Debug for AzureCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Client { .. } => "Client(…)",
            Self::ManagedIdentity { .. } => "ManagedIdentity(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<AzureCredential, VaultError> {
        AzureCredential::from_variables(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| Zeroizing::new((*value).to_owned()))
        })
    }

    #[test]
    fn the_first_complete_credential_wins() {
        let app = [("AZURE_TENANT_ID", "t-1"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")];
        assert!(matches!(read(&app).unwrap(), AzureCredential::Client { proof: Proof::Secret(_), .. }));
        let federated = [app[0], app[1], ("AZURE_FEDERATED_TOKEN_FILE", "/f")];
        assert!(matches!(
            read(&federated).unwrap(),
            AzureCredential::Client { proof: Proof::FederatedTokenFile(_), .. }
        ));
        assert!(
            matches!(read(&[app[0], app[2], ("CCF_GOV_AZURE_TOKEN", "x\n")]).unwrap(), AzureCredential::Token(t) if *t == "x")
        );
        assert!(matches!(
            read(&[("AZURE_CLIENT_ID", "c")]).unwrap(),
            AzureCredential::ManagedIdentity { endpoint: None, client: Some(_) }
        ));
        let service = [("IDENTITY_ENDPOINT", "http://127.0.0.1:4141/msi"), ("IDENTITY_HEADER", "h")];
        assert!(matches!(read(&service).unwrap(), AzureCredential::ManagedIdentity { endpoint: Some(_), .. }));
    }

    #[test]
    fn a_federated_tokens_file_is_told_of_in_its_own_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let told = || {
            let error = federated_token(&file).unwrap_err();
            let causes = std::iter::successors(std::error::Error::source(&error), |e| e.source());
            causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
        };
        assert!(told().contains("cannot read"), "{}", told());
        for (content, why) in [(&b" \n"[..], "it is empty"), (b"\xff", "is not UTF-8 text")] {
            std::fs::write(&file, content).unwrap();
            let told = told();
            assert!(told.contains(why) && told.contains("AZURE_FEDERATED_TOKEN_FILE"), "{told}");
            assert!(!told.contains("passphrase"), "{told}");
        }
    }

    #[test]
    fn half_a_credential_is_refused_without_showing_it() {
        for variables in [
            &[("AZURE_CLIENT_SECRET", "hidden"), ("AZURE_CLIENT_ID", "c")][..],
            &[("AZURE_CLIENT_SECRET", "hidden"), ("AZURE_CLIENT_ID", "c"), ("AZURE_TENANT_ID", "../x")],
            &[
                ("AZURE_CLIENT_SECRET", "hidden"),
                ("AZURE_CLIENT_ID", "c"),
                ("AZURE_TENANT_ID", "t"),
                ("AZURE_AUTHORITY_HOST", "http://login"),
            ],
            &[("IDENTITY_ENDPOINT", "http://x")],
            &[("IDENTITY_ENDPOINT", "x"), ("IDENTITY_HEADER", "hidden")],
        ] {
            let error = read(variables).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hidden"), "{error}");
        }
    }
}
