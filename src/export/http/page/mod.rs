//! The page at `/`: the snapshot for people, and answers to what they search for. Whole without scripts; a script listens
//! to what is new, or asks again every few seconds, and puts in what changed.
//!
//! It is made from the same values as the API, so it shows nothing that the API does not: no address unmasked, nothing
//! without the password.

mod search;
mod sections;

pub(super) use self::search::{Found, Search};

use hyper::StatusCode;
use hyper::header;
use maud::{DOCTYPE, Markup, html};

use super::reply::Reply;
use crate::export::Snapshot;
use crate::export::page::{STYLE, second};

/// What a page may load: its own style, script and icon, and itself again. Nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Where its files are.
pub(super) const STYLE_PATH: &str = "/page/style.css";
pub(super) const SCRIPT_PATH: &str = "/page/live.js";
pub(super) const ICON_PATH: &str = "/page/icon.svg";

/// One of its files.
pub(super) fn file(path: &str) -> Reply {
    let (kind, body) = match path {
        STYLE_PATH => ("text/css; charset=utf-8", STYLE),
        SCRIPT_PATH => ("text/javascript; charset=utf-8", include_str!("live.js")),
        _ => ("image/svg+xml", include_str!("icon.svg")),
    };
    // Nobody else's, and not kept by what is in between; the browser asks again whenever the program may be another.
    Reply::new(StatusCode::OK, kind, body)
}

/// What every page shows beside its own.
pub(super) struct Frame<'a> {
    /// What is known.
    pub(super) snapshot: &'a Snapshot,
    /// Whether the sensor does its work.
    pub(super) ready: Result<(), String>,
    /// Where the metrics are.
    pub(super) telemetry_path: &'a str,
}

impl Frame<'_> {
    /// The first page.
    pub(super) fn front(&self) -> Reply {
        let title = match self.snapshot.overview.infected_now {
            0 => "dgawatch".to_owned(),
            infected => format!("({infected}) dgawatch"),
        };
        self.reply(&title, "", &sections::all(self.snapshot))
    }

    /// The parts of the first page that change.
    pub(super) fn live(&self) -> String {
        html! { (self.state()) (sections::all(self.snapshot)) (self.footer()) }.into_string()
    }

    /// What is known of what somebody searched for.
    pub(super) fn found(&self, asked: &str, found: &Found) -> Reply {
        self.reply(&format!("{asked} · dgawatch"), asked, &search::shown(self.snapshot, asked, found))
    }

    fn reply(&self, title: &str, asked: &str, body: &Markup) -> Reply {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) }
                    link rel="stylesheet" href=(STYLE_PATH);
                    link rel="icon" href=(ICON_PATH);
                    script src=(SCRIPT_PATH) defer {}
                    noscript { meta http-equiv="refresh" content="30"; }
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header.bar {
                        div.wrap {
                            a.brand href="/" { "dgawatch" }
                            (self.state())
                            form.search action="/" method="get" role="search" {
                                label.unseen for="q" { "Search for an address or a name" }
                                input #q name="q" type="search" value=(asked) placeholder="Address or name" maxlength="1012"
                                    autocomplete="off" autocapitalize="none" spellcheck="false";
                                button type="submit" { "Search" }
                            }
                        }
                    }
                    div.gone #gone role="alert" hidden { div.wrap { "The sensor does not answer. What you see may be old." } }
                    main.wrap #main { (body) }
                    (self.footer())
                }
            }
        };
        Reply::new(StatusCode::OK, "text/html; charset=utf-8", page.into_string()).with(header::CONTENT_SECURITY_POLICY, POLICY)
    }

    fn state(&self) -> Markup {
        let names: Vec<&str> = self.snapshot.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        html! {
            p #state data-live class={ "state" @if self.ready.is_err() { " not" } } {
                @match &self.ready {
                    Ok(()) => span { "Listening on " (names.join(", ")) }
                    Err(why) => span { "Not ready: " (why) }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        html! {
            footer {
                div.wrap {
                    span #taken data-live { "As of " (second(self.snapshot.taken)) " UTC" }
                    span { "Version " (self.snapshot.version) }
                    a href=(self.telemetry_path) { "Metrics" }
                    a href="/api/v1/summary" { "Summary" }
                    a href="/api/v1/families" { "Families" }
                    a href="/api/v1/sources" { "Sources" }
                    a href="/-/healthy" { "Healthy" }
                    a href="/-/ready" { "Ready" }
                }
            }
        }
    }
}
