//! A [`Snapshot`] as Prometheus sees it. docs/METRICS.md has a row for each metric here, and a test compares the two.
//!
//! Families are made anew at each scrape, by a `Collector`: the vectors of the `prometheus` crate never forget a label,
//! and list days, sources and interfaces come and go. Label values are ours or the operator's; nothing that a stranger
//! chose becomes one but the address of a source.

use std::collections::HashMap;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};

use super::Snapshot;
use super::snapshot::RecentSources;
use crate::decode::{GivenUp, Kind, Outcome, Transport};

/// What `Content-Type` the text has.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes what a scrape of this moment answers.
///
/// # Errors
/// When the metrics contradict each other, which the tests exclude.
pub fn metrics_text(snapshot: &Arc<Snapshot>) -> Result<String, String> {
    let refuse = |error: prometheus::Error| format!("the metrics cannot be written: {error}");
    let registry = Registry::new();
    registry.register(Box::new(Exposition(Arc::clone(snapshot)))).map_err(refuse)?;
    TextEncoder::new().encode_to_string(&registry.gather()).map_err(refuse)
}

/// Turns a snapshot into metric families when asked.
struct Exposition(Arc<Snapshot>);

impl Collector for Exposition {
    /// None: descriptors fix label values, and ours are not known beforehand.
    fn desc(&self) -> Vec<&Desc> {
        vec![]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = Families::default();
        build(&self.0, &mut families);
        packets(&self.0, &mut families);
        lists(&self.0, &mut families);
        findings(&self.0, &mut families);
        housekeeping(&self.0, &mut families);
        families.order
    }
}

fn build(snapshot: &Snapshot, to: &mut Families) {
    to.gauge(
        "dgawatch_build_info",
        "Always 1; the labels tell which program this is.",
        &[("version", &snapshot.version), ("revision", &snapshot.revision)],
        1.0,
    );
    let started = seconds(snapshot.started);
    to.gauge("dgawatch_start_time_seconds", "When the process started, in seconds since 1970.", &[], started);
}

fn packets(snapshot: &Snapshot, to: &mut Families) {
    for interface in &snapshot.interfaces {
        let of = [("interface", interface.name.as_str())];
        to.counter("dgawatch_packets_total", "Packets handed to the sensor.", &of, interface.packets);
        let stages =
            [("nic", interface.dropped_by_nic), ("kernel", interface.dropped_by_kernel), ("queue", interface.dropped_by_queue)];
        for (stage, dropped) in stages {
            let labels = [of[0], ("stage", stage)];
            to.counter("dgawatch_packets_dropped_total", "Packets lost before they were looked at, by where.", &labels, dropped);
        }
        to.counter(
            "dgawatch_startup_discarded_packets_total",
            "Packets thrown away because they came before all workers had joined.",
            &of,
            interface.startup_discarded,
        );
        let last = interface.last_packet.map_or(0.0, seconds);
        let help = "When the latest packet was captured, in seconds since 1970; 0 before the first.";
        to.gauge("dgawatch_last_packet_timestamp_seconds", help, &of, last);
        let help = "Connections of servers that send dnstap.";
        to.counter("dgawatch_dnstap_connections_total", help, &of, interface.connections);
        let help = "Those of them that were broken off here, or in the middle of a frame.";
        to.counter("dgawatch_dnstap_connections_broken_total", help, &of, interface.connections_broken);
    }
    for outcome in Outcome::ALL {
        let count = snapshot.outcomes.of(outcome);
        to.counter("dgawatch_packet_outcomes_total", "What became of each packet.", &[("outcome", outcome.label())], count);
    }
    for transport in Transport::ALL {
        for kind in Kind::ALL {
            let labels = [("transport", transport.label()), ("kind", kind.label())];
            to.counter("dgawatch_dns_messages_total", "DNS messages.", &labels, snapshot.messages.of(transport, kind));
        }
    }
    for why in GivenUp::ALL {
        let help = "Parts of messages in several packets that were given up, by reason.";
        to.counter("dgawatch_given_up_total", help, &[("reason", why.label())], snapshot.given_up.of(why));
    }
}

fn lists(snapshot: &Snapshot, to: &mut Families) {
    for list in &snapshot.lists {
        let day = list.list_day.to_string();
        let labels = [("family", list.family.as_str()), ("list_day", &day)];
        to.gauge("dgawatch_watchlist_names", "Names of the lists that are open.", &labels, list.names as f64);
    }
    to.gauge("dgawatch_watchlist_bytes", "Memory of the matching structure.", &[], snapshot.list_bytes as f64);
    for (result, count) in [("success", snapshot.list_builds.done), ("failure", snapshot.list_builds.failed)] {
        to.counter("dgawatch_list_builds_total", "Lists that were built.", &[("result", result)], count);
    }
    let help = "Time that the building of lists took.";
    to.counter_of("dgawatch_list_build_seconds_total", help, &[], snapshot.list_builds.seconds);
}

fn findings(snapshot: &Snapshot, to: &mut Families) {
    for found in &snapshot.families {
        let of = ("family", found.family.as_str());
        to.counter("dgawatch_matches_total", "Queries for listed names.", &[of], found.matches);
        to.counter("dgawatch_match_responses_total", "Responses about listed names.", &[of], found.responses);
        for (verdict, sources) in [("suspect", found.suspect), ("infected", found.infected)] {
            let help = "Sources in this state on the current list days.";
            to.gauge("dgawatch_sources", help, &[of, ("verdict", verdict)], sources as f64);
        }
        if let Some((low, best, high)) = found.hosts {
            for (bound, hosts) in [("low", Some(low)), ("best", Some(best)), ("high", high)] {
                let help = "Infected hosts behind the sources, where there is an honest number.";
                hosts
                    .into_iter()
                    .for_each(|hosts| to.gauge("dgawatch_hosts_estimate", help, &[of, ("bound", bound)], hosts as f64));
            }
        }
        for (reason, sources) in &found.hosts_refused {
            let help = "Infected sources whose hosts are not counted, by reason.";
            to.gauge("dgawatch_hosts_refused", help, &[of, ("reason", reason)], *sources as f64);
        }
        recent(&found.recent, of, to);
        for (kind, count) in &found.answers {
            let help = "What listed names resolved to.";
            to.counter("dgawatch_rendezvous_answers_total", help, &[of, ("kind", kind)], *count);
        }
        let help = "Listed names of open list days that lead to no known sinkhole.";
        to.gauge("dgawatch_rendezvous_names", help, &[of], found.rendezvous as f64);
        let help = "Those of them of which no answer has a query that was seen: forged, or queries take another way.";
        to.gauge("dgawatch_rendezvous_unsolicited_names", help, &[of], found.unsolicited as f64);
        let help = "Infected sources that were told where such a name leads.";
        to.gauge("dgawatch_exposed_sources", help, &[of], found.exposed as f64);
    }
    for row in &snapshot.networks {
        for (verdict, sources) in [("suspect", row.suspect), ("infected", row.infected)] {
            let help = "Sources in this state on the current list days, by the operator's networks.";
            let labels = [("network", row.network.as_str()), ("family", &row.family), ("verdict", verdict)];
            to.gauge("dgawatch_network_sources", help, &labels, sources as f64);
        }
    }
    for row in &snapshot.series {
        let help = "Queries for listed names of one source; those without a series of their own together as other.";
        let labels = [("source", row.source.as_str()), ("family", &row.family)];
        to.counter("dgawatch_source_matches_total", help, &labels, row.matches);
    }
}

fn recent(sources: &RecentSources, of: (&str, &str), to: &mut Families) {
    let help = "Different sources in a window that ends now; not to be added up.";
    for window in &sources.windows {
        for (level, counts) in [("seen", window.seen), ("infected", window.infected)] {
            for (bound, count) in ["low", "best", "high"].into_iter().zip(counts) {
                let labels = [of, ("level", level), ("window", window.window), ("bound", bound)];
                to.gauge("dgawatch_distinct_sources", help, &labels, count as f64);
            }
        }
    }
    if let Some((low, high)) = sources.at_once {
        let help = "Infected addresses that are live within one cycle, where a day was watched.";
        for (bound, count) in [("low", low), ("high", high)] {
            to.gauge("dgawatch_live_sources", help, &[of, ("bound", bound)], count as f64);
        }
    }
    if let Some(growth) = sources.growth {
        let help = "Infected addresses of a week for each of a day, where a week was watched: about 1 where addresses stay.";
        to.gauge("dgawatch_address_growth_ratio", help, &[of], growth);
    }
}

fn housekeeping(snapshot: &Snapshot, to: &mut Families) {
    let table = &snapshot.table;
    to.gauge("dgawatch_source_table_rows", "Rows of evidence that are in use.", &[], table.used as f64);
    to.gauge("dgawatch_source_table_capacity", "Rows of evidence that there is room for.", &[], table.capacity as f64);
    let help = "Rows of evidence that went because the table was full.";
    to.counter("dgawatch_source_table_evictions_total", help, &[], table.evicted);
    for (what, count) in [("name", snapshot.answers_not_kept.0), ("client", snapshot.answers_not_kept.1)] {
        let help = "Answers that lead somewhere and were not noted for want of room.";
        to.counter("dgawatch_rendezvous_not_kept_total", help, &[("what", what)], count);
    }
    for output in &snapshot.outputs {
        for (result, count) in [("success", output.written), ("failure", output.failed)] {
            let labels = [("output", output.name), ("result", result)];
            to.counter("dgawatch_output_writes_total", "What was written, or could not be.", &labels, count);
        }
        if let Some(lines) = &output.lines {
            let of = [("output", output.name)];
            to.counter("dgawatch_output_events_total", "Events that an output was given.", &of, lines.told);
            to.counter("dgawatch_output_events_dropped_total", "Events that were given up.", &of, lines.dropped);
            to.gauge("dgawatch_output_events_waiting", "Events that wait to be written.", &of, lines.waiting as f64);
        }
    }
    for (sink, counts) in &snapshot.streams {
        let of = ("sink", *sink);
        let outcomes = [("offered", counts.offered), ("found", counts.found), ("sent", counts.sent), ("dropped", counts.dropped)];
        for (outcome, count) in outcomes {
            let help = "Records for a stream: offered and found at the start are sent, dropped and waiting.";
            to.counter("dgawatch_stream_records_total", help, &[of, ("outcome", outcome)], count);
        }
        to.gauge("dgawatch_stream_waiting_records", "Records that wait to be sent.", &[of], counts.waiting as f64);
        to.counter("dgawatch_stream_failures_total", "Attempts to connect or to send that failed.", &[of], counts.failures);
        to.gauge("dgawatch_stream_spool_bytes", "Octets of the spool on disk.", &[of], counts.spool_bytes as f64);
        let connected = f64::from(u8::from(counts.is_connected));
        to.gauge("dgawatch_stream_connected", "1 while there is a connection, as far as is known.", &[of], connected);
    }
    to.counter("dgawatch_clock_steps_total", "Steps of the system's clock.", &[], snapshot.clock_steps);
    for (result, count) in [("success", snapshot.reloads.done), ("failure", snapshot.reloads.failed)] {
        to.counter("dgawatch_reloads_total", "Reloads of configuration and lists.", &[("result", result)], count);
    }
}

fn seconds(time: crate::day::Timestamp) -> f64 {
    time.as_nanos() as f64 / 1e9
}

/// Metric families in the making.
#[derive(Default)]
struct Families {
    order: Vec<MetricFamily>,
    place: HashMap<&'static str, usize>,
}

impl Families {
    fn counter(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: u64) {
        self.counter_of(name, help, labels, value as f64);
    }

    fn counter_of(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: f64) {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_counter(counter);
        self.add(name, help, MetricType::COUNTER, metric);
    }

    fn gauge(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_gauge(gauge);
        self.add(name, help, MetricType::GAUGE, metric);
    }

    fn add(&mut self, name: &'static str, help: &str, kind: MetricType, metric: Metric) {
        let place = *self.place.entry(name).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            self.order.push(family);
            self.order.len() - 1
        });
        self.order[place].mut_metric().push(metric);
    }
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}
