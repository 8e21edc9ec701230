//! What is at which path, and who may ask.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{Channel, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};

use super::connection::Slot;
use super::events::{self, Events};
use super::page::{self, Frame, Search};
use super::reply::Reply;
use super::server::Site;
use super::web::{Judged, Web};
use super::{SourcePage, api};
use crate::export::metrics;

/// Paths that are taken.
const PATHS: [&str; 14] = [
    "/",
    page::STYLE_PATH,
    page::SCRIPT_PATH,
    page::ICON_PATH,
    events::PATH,
    "/-/healthy",
    "/-/ready",
    "/-/reload",
    "/api/v1/summary",
    "/api/v1/overview",
    "/api/v1/families",
    "/api/v1/rendezvous",
    "/api/v1/sources",
    "/api/v1/explain",
];

/// Characters of a search that are looked at: the longest name has 253, and 4 for each octet that is escaped.
const LONGEST_SEARCH: usize = 1_012;

/// Whether the metrics can be there.
///
/// # Errors
/// One sentence when not.
pub(super) fn check_telemetry_path(path: &str) -> Result<(), String> {
    let plain = path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"/-_.~".contains(&octet));
    if plain && !PATHS.contains(&path) {
        return Ok(());
    }
    let taken = PATHS.join(", ");
    Err(format!("`{}` cannot be the path of the metrics: write /, letters and digits, and none of {taken}", path.escape_debug()))
}

/// An answer as a whole, or as it comes.
type Body = Either<Full<Bytes>, Channel<Bytes>>;

/// Answers a request.
pub(super) async fn respond(site: Arc<Site>, slot: Arc<Slot>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    slot.answering();
    let web = site.web();
    let (reply, stream) = match refuse(&site, &web, request.headers()).await {
        Some(refusal) => (refusal, None),
        None if *request.method() == Method::GET && request.uri().path() == events::PATH => match site.events.listen(&slot) {
            Some(stream) => (Events::reply(), Some(stream)),
            None => (busy("too many listen to this page"), None),
        },
        None => (answer(&site, &slot, &request).await, None),
    };
    let response = reply.send(request.headers(), web.headers());
    slot.writing();
    Ok(response.map(|whole| stream.map_or(Either::Left(whole), Either::Right)))
}

/// Turns away whoever does not know a password, where one is needed.
async fn refuse(site: &Site, web: &Arc<Web>, headers: &HeaderMap) -> Option<Reply> {
    let judged = match web.judge(headers) {
        Judged::Unknown(claim) => {
            let web = Arc::clone(web);
            site.judge.run(move || web.verify(&claim)).await
        }
        Judged::Welcome => Some(true),
        Judged::Nobody => Some(false),
    };
    match judged {
        Some(true) => None,
        Some(false) => Some(
            Reply::line(StatusCode::UNAUTHORIZED, "a user and a password are needed")
                .with(header::WWW_AUTHENTICATE, "Basic realm=\"dgawatch\", charset=\"UTF-8\""),
        ),
        None => Some(busy("too many passwords wait to be checked")),
    }
}

fn busy(why: &str) -> Reply {
    Reply::line(StatusCode::SERVICE_UNAVAILABLE, why).with(header::RETRY_AFTER, "5")
}

async fn answer(site: &Arc<Site>, slot: &Slot, request: &Request<Incoming>) -> Reply {
    let path = request.uri().path();
    let asks = matches!(*request.method(), Method::GET | Method::HEAD);
    if path == "/-/reload" {
        return if *request.method() == Method::POST { reload(site, request).await } else { not_allowed("POST") };
    }
    if path != site.config.telemetry_path && !PATHS.contains(&path) {
        return Reply::line(StatusCode::NOT_FOUND, "there is nothing at this path");
    }
    if !asks {
        return not_allowed("GET, HEAD");
    }
    match path {
        page::STYLE_PATH | page::SCRIPT_PATH | page::ICON_PATH => page::file(path),
        events::PATH => Events::reply(),
        "/-/healthy" => Reply::line(StatusCode::OK, "healthy"),
        "/-/ready" => match site.board.is_ready() {
            Ok(()) => Reply::line(StatusCode::OK, "ready"),
            Err(why) => Reply::line(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {why}")),
        },
        _ => weighty(site, slot, path, request.uri().query().unwrap_or_default()).await,
    }
}

/// Answers that cost memory: so many at a time.
async fn weighty(site: &Arc<Site>, slot: &Slot, path: &str, query: &str) -> Reply {
    let Ok(permit) = Arc::clone(&site.permits).try_acquire_owned() else {
        return busy("too many requests are being answered");
    };
    slot.hold(permit);
    match path {
        "/" => people(site, query).await,
        "/api/v1/summary" => Reply::json(StatusCode::OK, &api::summary(&site.board.snapshot(), site.board.is_ready())),
        "/api/v1/overview" => Reply::json(StatusCode::OK, &api::overview(&site.board.snapshot())),
        "/api/v1/families" => Reply::json(StatusCode::OK, &api::families(&site.board.snapshot())),
        "/api/v1/rendezvous" => Reply::json(StatusCode::OK, &api::rendezvous(&site.board.snapshot())),
        "/api/v1/sources" => sources(site, query).await,
        "/api/v1/explain" => explain(site, query).await,
        _ => match metrics::metrics_text(&site.board.snapshot()) {
            Ok(text) => Reply::new(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(why) => Reply::line(StatusCode::INTERNAL_SERVER_ERROR, &why),
        },
    }
}

async fn sources(site: &Arc<Site>, query: &str) -> Reply {
    let query = match api::source_query(query) {
        Ok(query) => query,
        Err(why) => return Reply::json(StatusCode::BAD_REQUEST, &api::Failure { error: &why }),
    };
    let (board, asked) = (Arc::clone(&site.board), query.clone());
    let page: Option<SourcePage> = site.clerk.run(move || board.sources(&asked)).await.flatten();
    page.map_or_else(
        || busy("too many requests wait for the table of sources"),
        |page| Reply::json(StatusCode::OK, &api::sources(&query, &page)),
    )
}

async fn explain(site: &Arc<Site>, query: &str) -> Reply {
    let name = match api::explain_query(query) {
        Ok(name) => name,
        Err(why) => return Reply::json(StatusCode::BAD_REQUEST, &api::Failure { error: &why }),
    };
    let (board, asked) = (Arc::clone(&site.board), name.clone());
    let lists = site.clerk.run(move || board.explain(&asked)).await;
    lists.map_or_else(
        || busy("too many requests wait for the lists"),
        |lists| Reply::json(StatusCode::OK, &api::explained(&name, &lists)),
    )
}

/// The page for people: the first one, or what was searched for.
async fn people(site: &Arc<Site>, query: &str) -> Reply {
    let snapshot = site.board.snapshot();
    let frame = Frame { snapshot: &snapshot, ready: site.board.is_ready(), telemetry_path: &site.config.telemetry_path };
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("q=")).map(|value| api::decoded(value).unwrap_or_default());
    let asked = asked.map(|asked| asked.trim().chars().take(LONGEST_SEARCH).collect::<String>()).unwrap_or_default();
    if asked.is_empty() {
        return frame.front();
    }
    let (board, search) = (Arc::clone(&site.board), Search::of(&asked));
    let found = site.clerk.run(move || search.run(&*board)).await;
    found.map_or_else(|| busy("too many searches wait"), |found| frame.found(&asked, &found))
}

async fn reload(site: &Arc<Site>, request: &Request<Incoming>) -> Reply {
    if !same_origin(request.headers()) {
        return Reply::line(StatusCode::FORBIDDEN, "a page of another origin may not ask for this");
    }
    let force = match request.uri().query() {
        None | Some("") => false,
        Some("force=true") => true,
        Some(_) => return Reply::line(StatusCode::BAD_REQUEST, "this takes `force=true` or nothing"),
    };
    let board = Arc::clone(&site.board);
    match site.clerk.run(move || board.reload(force)).await {
        Some(Ok(changed)) => Reply::line(StatusCode::OK, &changed),
        Some(Err(why)) => Reply::line(StatusCode::INTERNAL_SERVER_ERROR, &format!("all stays as it was: {why}")),
        None => busy("too much waits to be done"),
    }
}

/// Browsers name the page that a POST comes from; programs name none.
fn same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority.as_bytes());
    authority.is_some() && authority == headers.get(header::HOST).map(|host| host.as_bytes())
}

fn not_allowed(methods: &'static str) -> Reply {
    let line = format!("this path knows {methods} only");
    Reply::line(StatusCode::METHOD_NOT_ALLOWED, &line).with(header::ALLOW, methods)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_metrics() {
        assert_eq!(check_telemetry_path("/metrics"), Ok(()));
        assert_eq!(check_telemetry_path("/a/b-c_d.e~f"), Ok(()));
        for wrong in ["", "metrics", "/", "/-/ready", "/a b", "/a?b", "/<x>", "/a\"b", "/ä"] {
            assert!(check_telemetry_path(wrong).is_err(), "{wrong}");
        }
    }
}
