//! Users and passwords (HTTP Basic), kept as bcrypt hashes.
//!
//! bcrypt takes long by intention, so a right password is remembered (as a digest) and not checked again until the file
//! changes. Wrong ones are not remembered: nobody can push the right ones out. An unknown user costs what a known one
//! costs, so that time tells nobody which users there are.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{self, HeaderMap};
use sha2::{Digest, Sha256};

/// Right passwords that are remembered: more than users, so that all find room.
const MAX_REMEMBERED: usize = 1_000;

/// 2^16 rounds take seconds.
const MAX_COST: u32 = 16;

/// Those who may ask; everybody when there are none.
#[derive(Default)]
pub(super) struct Users {
    hashes: BTreeMap<String, String>,
    remembered: Mutex<HashSet<[u8; 32]>>,
}

/// Who somebody claims to be.
pub(in super::super) struct Claim {
    user: String,
    password: String,
}

/// What can be told of a request at once.
pub(in super::super) enum Judged {
    /// It may be answered.
    Welcome,
    /// It names no user.
    Nobody,
    /// The password has to be checked.
    Unknown(Claim),
}

impl Users {
    /// Users and the hashes of their passwords.
    ///
    /// # Errors
    /// One sentence when a hash is none.
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Result<Self, String> {
        for (user, hash) in &hashes {
            let user = user.escape_debug();
            let cost = hash.parse::<bcrypt::HashParts>().map(|parts| parts.get_cost());
            match cost {
                Ok(cost) if cost > MAX_COST => {
                    return Err(format!("the hash of user `{user}` has cost {cost}: {MAX_COST} is the most that is taken"));
                }
                Ok(_) => {}
                Err(_) => return Err(format!("the password of user `{user}` is not a bcrypt hash: make one with htpasswd -nB")),
            }
        }
        Ok(Self { hashes, remembered: Mutex::default() })
    }

    /// Judges by what is known already.
    pub(super) fn judge(&self, headers: &HeaderMap) -> Judged {
        if self.hashes.is_empty() {
            return Judged::Welcome;
        }
        let Some(claim) = headers.get(header::AUTHORIZATION).and_then(|value| claim(value.as_bytes())) else {
            return Judged::Nobody;
        };
        let known = self.hashes.get(&claim.user).is_some_and(|hash| {
            let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            remembered.contains(&digest(&claim, hash))
        });
        if known { Judged::Welcome } else { Judged::Unknown(claim) }
    }

    /// Checks a password.
    pub(super) fn verify(&self, claim: &Claim) -> bool {
        let known = self.hashes.get(&claim.user);
        let Some(hash) = known.or_else(|| self.hashes.values().next()) else { return false };
        let right = bcrypt::verify(&claim.password, hash).unwrap_or(false) && known.is_some();
        if right {
            let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            if remembered.len() >= MAX_REMEMBERED {
                remembered.clear();
            }
            remembered.insert(digest(claim, hash));
        }
        right
    }
}

/// `Basic` and user:password in base64 (RFC 7617).
fn claim(value: &[u8]) -> Option<Claim> {
    let (scheme, credentials) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let plain = String::from_utf8(BASE64_STANDARD.decode(credentials.trim_ascii()).ok()?).ok()?;
    let (user, password) = plain.split_once(':')?;
    Some(Claim { user: user.to_owned(), password: password.to_owned() })
}

fn digest(claim: &Claim, hash: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [&claim.user, hash, &claim.password] {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user_and_password: &str) -> HeaderMap {
        let value = format!("bAsIc {}", BASE64_STANDARD.encode(user_and_password));
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn right_ones_are_remembered_and_only_those() {
        let hash = bcrypt::hash_with_salt("a:secret", 4, [7; 16]).unwrap().to_string();
        let users = Users::new(BTreeMap::from([("ann".to_owned(), hash)])).unwrap();
        for (credentials, right) in [("ann:a:secret", true), ("ann:other", false), ("bob:a:secret", false), (":", false)] {
            for round in 0..2 {
                match users.judge(&basic(credentials)) {
                    Judged::Welcome => assert!(right && round == 1, "{credentials}"),
                    Judged::Nobody => panic!("{credentials} names a user"),
                    Judged::Unknown(claim) => assert_eq!(users.verify(&claim), right, "{credentials}"),
                }
            }
        }
        assert_eq!(users.remembered.lock().unwrap().len(), 1);
        assert!(matches!(users.judge(&HeaderMap::new()), Judged::Nobody));
    }

    #[test]
    fn headers_that_name_nobody() {
        for value in ["", "Basic", "Basic ", "Basic !!!", "Bearer YTpi", "Basic YQ==", "Basic /w=="] {
            assert!(claim(value.as_bytes()).is_none(), "{value}");
        }
    }

    #[test]
    fn hashes_that_are_none() {
        let of = |hash: &str| Users::new(BTreeMap::from([("ann".to_owned(), hash.to_owned())]));
        assert!(of("plain").is_err_and(|why| !why.contains("plain") && why.contains("ann")));
        let dear = bcrypt::hash_with_salt("x", 4, [7; 16]).unwrap().to_string().replacen("$04$", "$31$", 1);
        assert!(of(&dear).is_err_and(|why| why.contains("cost 31")));
    }
}
