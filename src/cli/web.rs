//! How `live` is watched: where it serves HTTP, to whom, and how many sources its metrics name.

use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;
use dgawatch::export::http::Config;
use dgawatch::export::series::{SeriesConfig, SourcePrefix};

#[derive(Args)]
pub(super) struct Web {
    /// Address to serve metrics and the API on; may repeat. Without a host (:9353), every address of this machine
    #[arg(long = "web.listen-address", value_name = "HOST:PORT", default_value = "127.0.0.1:9353")]
    listen: Vec<String>,

    /// Path of the metrics
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics")]
    telemetry_path: String,

    /// TLS, client certificates, passwords and headers: YAML with the keys of Prometheus' exporter-toolkit, read again when it
    /// changes
    #[arg(long = "web.config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// Connections at a time; when all are taken, the one that has been idle longest goes
    #[arg(long = "web.max-connections", value_name = "N", default_value = "512")]
    max_connections: NonZero<usize>,

    /// Answers in the making at a time; further requests are told to come back
    #[arg(long = "web.max-requests", value_name = "N", default_value = "40")]
    max_requests: NonZero<usize>,

    /// Sources that have a metric of their own, the most active ones; the rest are added up as "other". 0 for none
    #[arg(long = "metrics.max-sources", value_name = "N", default_value = "1000", value_parser = max_sources)]
    max_series: usize,

    /// Networks instead of addresses in the metrics: prefix lengths of IPv4 and IPv6, such as 24,56
    #[arg(long = "metrics.source-prefix", value_name = "V4,V6")]
    source_prefix: Option<SourcePrefix>,
}

/// More series than Prometheus should be given by one sensor.
const MAX_SOURCES: usize = 100_000;

fn max_sources(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|sources| *sources <= MAX_SOURCES).ok_or_else(|| format!("write a number from 0 to {MAX_SOURCES}"))
}

impl Web {
    /// How to serve.
    pub(super) fn config(&self) -> Config {
        Config {
            listen: self.listen.clone(),
            telemetry_path: self.telemetry_path.clone(),
            web_config: self.config_file.clone(),
            max_connections: self.max_connections.get(),
            max_requests: self.max_requests.get(),
            ..Config::default()
        }
    }

    /// Which sources have series.
    pub(super) const fn series(&self) -> SeriesConfig {
        SeriesConfig { max_sources: self.max_series, prefix: self.source_prefix }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        web: Web,
    }

    fn parse(words: &[&str]) -> Result<Web, clap::Error> {
        Line::try_parse_from([&["x"], words].concat()).map(|line| line.web)
    }

    #[test]
    fn defaults_are_those_of_the_server() {
        let web = parse(&[]).unwrap();
        assert_eq!(format!("{:?}", web.config()), format!("{:?}", Config::default()));
        assert_eq!(web.series(), SeriesConfig { max_sources: 1000, prefix: None });
    }

    #[test]
    fn words_become_settings() {
        let web = parse(&[
            "--web.listen-address",
            ":1",
            "--web.listen-address=[::1]:2",
            "--web.config.file=w.yml",
            "--web.max-connections=7",
            "--metrics.max-sources=0",
            "--metrics.source-prefix=24,56",
        ])
        .unwrap();
        let config = web.config();
        assert_eq!((config.listen, config.max_connections), (vec![":1".to_owned(), "[::1]:2".to_owned()], 7));
        assert_eq!(web.series(), SeriesConfig { max_sources: 0, prefix: "24,56".parse().ok() });
        for wrong in ["--web.max-connections=0", "--metrics.max-sources=100001", "--metrics.source-prefix=24"] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }
}
