//! What is packed into a report as a page.

use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The columns of all sources, as the page's script reads them: sources as addresses, queries as numbers of them.
pub fn columns(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    let packed = STANDARD.decode(rest.split_once('<').unwrap().0).unwrap();
    let mut data: Value = serde_json::from_reader(flate2::read::GzDecoder::new(&packed[..])).unwrap();
    let mut before = 0;
    for source in data["source"].as_array_mut().unwrap() {
        if let Some(distance) = source.as_i64() {
            before += distance;
            *source = Ipv4Addr::from(u32::try_from(before).unwrap()).to_string().into();
        }
    }
    let names = data["names"].clone();
    for (queries, names) in data["queries"].as_array_mut().unwrap().iter_mut().zip(names.as_array().unwrap()) {
        *queries = u64::try_from(queries.as_i64().unwrap() + names.as_i64().unwrap()).unwrap().into();
    }
    data
}
