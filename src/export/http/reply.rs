//! An answer: its headers, which trust no page and no cache, and gzip where the client takes it.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// Below so many octets gzip saves nothing.
const WORTH_PACKING: usize = 1024;

/// What is sent with every answer.
const STRICT: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// An answer in the making.
pub(super) struct Reply {
    status: StatusCode,
    body: Vec<u8>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// Of some type.
    pub(super) fn new(status: StatusCode, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), headers: vec![] }.with(header::CONTENT_TYPE, content_type)
    }

    /// A line of text.
    pub(super) fn line(status: StatusCode, line: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{line}\n"))
    }

    /// A JSON object.
    pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(mut body) => {
                body.push(b'\n');
                Self::new(status, "application/json", body)
            }
            Err(error) => Self::line(StatusCode::INTERNAL_SERVER_ERROR, &format!("this cannot be written as JSON: {error}")),
        }
    }

    /// With one more header.
    pub(super) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// As it is sent: packed where the request allows it, `more` headers in the place of ours of the same name.
    pub(super) fn send(self, request: &HeaderMap, more: &[(HeaderName, HeaderValue)]) -> Response<Full<Bytes>> {
        let mut body = self.body;
        let mut headers = HeaderMap::new();
        headers.extend(STRICT.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))));
        // In the place of those of the same name: two policies would both hold.
        self.headers.into_iter().for_each(|(name, value)| drop(headers.insert(name, value)));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if body.len() >= WORTH_PACKING
            && takes_gzip(request)
            && let Some(packed) = gzip(&body)
        {
            body = packed;
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        more.iter().for_each(|(name, value)| drop(headers.insert(name, value.clone())));
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}

/// Whether the client takes gzip (RFC 9110 §12.5.3): named, or `*`, and not with a weight of 0.
fn takes_gzip(request: &HeaderMap) -> bool {
    let values = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings: Vec<(String, bool)> = values.flat_map(|value| value.split(',')).map(coding).collect();
    let wanted = |name: &str| codings.iter().find(|(coding, _)| coding == name).map(|(_, wanted)| *wanted);
    wanted("gzip").or_else(|| wanted("*")).unwrap_or(false)
}

fn coding(text: &str) -> (String, bool) {
    let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
    let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.trim().parse::<f32>().ok());
    (name.trim().to_ascii_lowercase(), weight.is_some_and(|weight| weight > 0.0))
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(4));
    packer.write_all(body).ok()?;
    packer.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_only_for_those_who_take_it() {
        for (value, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("deflate, gzip;q=0.5", true),
            ("br;q=1.0, gzip; q=0.8, *;q=0.1", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("gzip;q=x", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(takes_gzip(&headers), expected, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
