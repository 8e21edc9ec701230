//! The text of the web configuration, and what is refused in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Web;
use super::auth::Users;
use super::tls;

/// As exporter-toolkit names it. What is not here is an error, so that nobody believes in a protection that is not there.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    tls_server_config: Option<tls::File>,
    http_server_config: Option<Http>,
    basic_auth_users: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Http {
    /// Accepted for the sake of files that have it: HTTP/1.1 is what is spoken.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    headers: Option<BTreeMap<String, String>>,
}

/// Headers that may be set.
const HEADERS: [&str; 5] =
    ["Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "X-XSS-Protection"];

/// More than any such file has.
const MAX_OCTETS: u64 = 1 << 20;

/// Reads a web configuration and the files it names.
///
/// # Errors
/// One sentence when anything in it is wrong.
pub(super) fn read(path: &Path) -> Result<Web, String> {
    let shown = path.display().to_string();
    let wrong = |why: String| format!("web configuration {shown}: {why}");
    let octets = fs::metadata(path).map_err(|error| wrong(format!("cannot be read: {error}")))?.len();
    if octets > MAX_OCTETS {
        return Err(wrong(format!("is larger than {MAX_OCTETS} octets")));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let file: File = parse(&text).map_err(wrong)?;
    let beside = path.parent().unwrap_or_else(|| Path::new("."));
    let (tls, mut files) = match &file.tls_server_config {
        None => (None, vec![]),
        Some(tls) => tls.load(beside).map(|(tls, files)| (Some(tls), files)).map_err(wrong)?,
    };
    files.push(PathBuf::from(path));
    Ok(Web {
        tls,
        users: Users::new(file.basic_auth_users.unwrap_or_default()).map_err(wrong)?,
        headers: headers(file.http_server_config.and_then(|http| http.headers).unwrap_or_default()).map_err(wrong)?,
        files,
    })
}

/// Reads the YAML of a configuration, without quoting what it holds.
///
/// # Errors
/// One line when it is none, or has what is not known.
pub(in crate::export::http) fn parse<T: DeserializeOwned + Default>(text: &str) -> Result<T, String> {
    // A file of comments alone is an empty one.
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(T::default());
    }
    serde_saphyr::from_str(text).map_err(|error| {
        // The first line says what and where; the others quote the file, which holds secrets.
        error.without_snippet().to_string().lines().next().unwrap_or_default().to_owned()
    })
}

fn headers(wanted: BTreeMap<String, String>) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let header = |(name, value): (String, String)| {
        let known = HEADERS.iter().find(|known| known.eq_ignore_ascii_case(&name));
        let known = known
            .ok_or_else(|| format!("the header `{}` cannot be set: choose from {}", name.escape_debug(), HEADERS.join(", ")))?;
        let name = HeaderName::from_bytes(known.as_bytes()).map_err(|error| format!("{known}: {error}"))?;
        let value = HeaderValue::from_str(&value).map_err(|_| format!("the value of the header {known} cannot be sent"))?;
        Ok((name, value))
    };
    wanted.into_iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_refused() {
        for good in ["", "# nothing\n", "basic_auth_users:\n", "http_server_config:\n  http2: false\n"] {
            assert!(parse::<File>(good).is_ok(), "{good}");
        }
        for (wrong, tells) in [
            ("tls_sever_config:\n  cert_file: a\n", "tls_sever_config"),
            ("tls_server_config:\n  cert: a\n", "cert"),
            ("tls_server_config:\n  cipher_suites: []\n", "cipher_suites"),
            ("basic_auth_users:\n  a: b\n  a: c\n", "a"),
            ("basic_auth_users: 3\n", ""),
            ("- a\n", ""),
            ("{", ""),
        ] {
            let why = parse::<File>(wrong).err().unwrap_or_else(|| panic!("{wrong} was taken"));
            assert!(why.contains(tells) && !why.contains('\n'), "{wrong}: {why}");
        }
    }

    #[test]
    fn only_some_headers_can_be_set() {
        let set = |name: &str, value: &str| headers(BTreeMap::from([(name.to_owned(), value.to_owned())]));
        assert_eq!(set("x-frame-options", "SAMEORIGIN").map(|headers| headers.len()), Ok(1));
        assert!(set("Set-Cookie", "a=b").is_err());
        assert!(set("X-Frame-Options", "a\r\nSet-Cookie: b").is_err());
    }
}
