//! Signed links to media: made and read. Pure: ids, times and keys come from the caller.
//!
//! A link is `<public_url>/media/<signed>`. What is signed says which row of the table `media` is meant, for
//! what, and until when; whether that row may still be seen is not said in it, so links can be revoked.
//!
//! ```text
//! purpose (1) | key id (3) | expiry, seconds since 1970, 0 for never (4) | media id (12) | HMAC-SHA256 (16 of 32)
//! ```
//!
//! These 36 bytes are 48 characters of base64url, without padding and without spare bits, so one link has one
//! spelling.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::ids::{MediaId, MediaPurpose};

/// The path before what is signed.
const PATH: &str = "/media/";

/// What the bridge answers at `/media/health`, so that whoever asks knows that it is the bridge.
pub const PROOF: &str = "gitter-matrix-bridge";

/// The characters of what is signed.
const SIGNED_LENGTH: usize = 48;

/// The bytes before the signature, and the signature.
const CLAIMS_BYTES: usize = 20;
const SIGNATURE_BYTES: usize = 16;

/// Separates these signatures from any others that the same key may ever make.
const DOMAIN: &[u8] = b"gitter-matrix-bridge media link 1\0";

/// The same for ids.
const ID_DOMAIN: &[u8] = b"gitter-matrix-bridge media id 1\0";

/// Why a link is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The bridge did not make it, or it was changed.
    #[error("the link is not one of this bridge")]
    Invalid,
    /// It was good once.
    #[error("the link has expired")]
    Expired,
}

/// There is no key to sign with.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no key to sign links with; the file of media.key_file must hold one key a line, the one in use first"
)]
pub struct NoKey;

/// What a good link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// What is meant.
    pub id: MediaId,
    /// What it is shown for.
    pub purpose: MediaPurpose,
    /// Until when, in seconds since 1970; `None` is for ever.
    pub expires: Option<u32>,
}

struct Key {
    id: [u8; 3],
    mac: Hmac<Sha256>,
}

/// Makes and reads links.
pub struct Signer {
    /// The first signs, all verify.
    keys: Vec<Key>,
    /// `appservice.public_url` and the path, up to the signed part.
    base: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { base, .. } = self;
        formatter
            .debug_struct("Signer")
            .field("base", base)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer with the keys of `media.key_file`; the first signs, the others still verify.
    ///
    /// # Errors
    /// When there is no key.
    pub fn new(keys: &[SecretString], public_url: &Url) -> Result<Self, NoKey> {
        let keys: Vec<Key> = keys.iter().filter_map(key).collect();
        if keys.is_empty() {
            return Err(NoKey);
        }
        let base = format!("{}{PATH}", public_url.as_str().trim_end_matches('/'));
        Ok(Self { keys, base })
    }

    /// The link for something; `None` only where there is no key, which [`Self::new`] excludes.
    pub fn link(&self, claims: &Claims) -> Option<String> {
        let key = self.keys.first()?;
        let mut bytes = Vec::with_capacity(CLAIMS_BYTES + SIGNATURE_BYTES);
        bytes.push(code(claims.purpose));
        bytes.extend_from_slice(&key.id);
        bytes.extend_from_slice(&claims.expires.unwrap_or(0).to_be_bytes());
        bytes.extend_from_slice(claims.id.as_bytes());
        let signature = sign(key, &bytes);
        bytes.extend(signature.into_iter().take(SIGNATURE_BYTES));
        Some(format!("{}{}", self.base, URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The id of something, by what it is: the same for the same thing, and not to be guessed without the key. `None`
    /// only where there is no key.
    pub fn id(&self, what: &[&str]) -> Option<MediaId> {
        let mut mac = self.keys.first()?.mac.clone();
        mac.update(ID_DOMAIN);
        for part in what {
            // Lengths keep neighbours apart.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let hash = mac.finalize().into_bytes();
        hash.first_chunk().copied().map(MediaId::from_bytes)
    }

    /// Reads what is behind the path of a link. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When the bridge did not make it, or it has expired.
    pub fn read(&self, signed: &str, now: i64) -> Result<Claims, LinkError> {
        if signed.len() != SIGNED_LENGTH {
            return Err(LinkError::Invalid);
        }
        let bytes = URL_SAFE_NO_PAD.decode(signed).map_err(|_| LinkError::Invalid)?;
        let (claims, signature) = bytes.split_at_checked(CLAIMS_BYTES).ok_or(LinkError::Invalid)?;
        self.verify(claims, signature)?;
        let claims = parse(claims).ok_or(LinkError::Invalid)?;
        match claims.expires {
            Some(expires) if i64::from(expires) <= now => Err(LinkError::Expired),
            _ => Ok(claims),
        }
    }

    /// The one place where signatures are compared, in constant time.
    fn verify(&self, claims: &[u8], signature: &[u8]) -> Result<(), LinkError> {
        let id = claims.get(1..4).ok_or(LinkError::Invalid)?;
        let with_this_id = self.keys.iter().filter(|key| key.id == id);
        for key in with_this_id {
            let expected: Vec<u8> = sign(key, claims).into_iter().take(SIGNATURE_BYTES).collect();
            if bool::from(expected.as_slice().ct_eq(signature)) {
                return Ok(());
            }
        }
        Err(LinkError::Invalid)
    }
}

fn key(secret: &SecretString) -> Option<Key> {
    let secret = secret.expose_secret().as_bytes();
    let mut hash = Sha256::new();
    hash.update(b"gitter-matrix-bridge media key id\0");
    hash.update(secret);
    let id = hash.finalize().first_chunk::<3>().copied()?;
    let mac = Hmac::new_from_slice(secret).ok()?;
    Some(Key { id, mac })
}

fn sign(key: &Key, claims: &[u8]) -> impl IntoIterator<Item = u8> + use<> {
    let mut mac = key.mac.clone();
    mac.update(DOMAIN);
    mac.update(claims);
    mac.finalize().into_bytes()
}

fn parse(claims: &[u8]) -> Option<Claims> {
    let (purpose, rest) = claims.split_first()?;
    let expires = u32::from_be_bytes(*rest.get(3..)?.first_chunk::<4>()?);
    Some(Claims {
        id: MediaId::from_bytes(*rest.get(7..)?.first_chunk()?),
        purpose: MediaPurpose::ALL
            .into_iter()
            .find(|known| code(*known) == *purpose)?,
        expires: Some(expires).filter(|expires| *expires != 0),
    })
}

/// The byte of a purpose. Old links hold it, so none is ever given to another.
const fn code(purpose: MediaPurpose) -> u8 {
    match purpose {
        MediaPurpose::Media => 1,
        MediaPurpose::Thumbnail => 2,
        MediaPurpose::Avatar => 3,
        MediaPurpose::FullText => 4,
    }
}

#[cfg(test)]
mod tests;
