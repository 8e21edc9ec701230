//! `dgawatch live`: interfaces in, report out.

use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clap::Args;
use dgawatch::dga::Catalog;
use dgawatch::export::http::Server;
use dgawatch::export::{Desk, EventLog, Grouping};
use dgawatch::pipeline::{Live, LiveState, Plan, Sensor, Settings, StateConfig, Thread, Threads};
use dgawatch::process::{Access, Notifier, Request, Role, Sandbox, host_name, request_on_signal, stop_on_signals};
use dgawatch::source::{Filter, LiveConfig};

use super::confinement::{Confinement, Prepared};
use super::families::{Watched, gap};
use super::names::today;
#[cfg(feature = "parquet")]
use super::parquet::LiveParquet;
use super::reload::Running;
use super::report::{Matching, Output, all_told};
use super::syslog::{Started, Syslog};
use super::web::Web;
use super::{Failure, say};

/// Listen to interfaces, and report who asked for generated names when stopped.
///
/// Listens until SIGINT (Ctrl-C) or SIGTERM, or for so many seconds, then prints the report. Needs root or CAP_NET_RAW.
/// Sends nothing. Packets lost before they were seen are told, and make the exit code 1.
#[derive(Args)]
pub(super) struct Arguments {
    /// An interface, such as a span port; may repeat
    #[arg(long = "interface", short, value_name = "INTERFACE", required = true)]
    interfaces: Vec<String>,

    /// Stop by itself after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<NonZero<u32>>,

    #[command(flatten)]
    capture: Capture,

    #[command(flatten)]
    watched: Watched,

    #[command(flatten)]
    output: Output,

    #[command(flatten)]
    matching: Matching,

    #[command(flatten)]
    web: Web,

    #[command(flatten)]
    state: State,

    #[cfg(feature = "parquet")]
    #[command(flatten)]
    parquet: LiveParquet,

    #[command(flatten)]
    confinement: Confinement,

    /// Flags from a file, in TOML: `interface = ["eth1"]` for --interface eth1; those given here go before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Arguments {
    /// What would be done, a line each; reads what it takes to say so.
    pub(super) fn effects(&self) -> Result<Vec<String>, Failure> {
        let (catalog, compiled) = self.watched.load()?;
        let settings = self.matching.settings(&catalog)?;
        let mut lines = vec![format!("listen on {}", self.interfaces.join(", "))];
        let today = today();
        for (_, family) in catalog.iter() {
            lines.push(format!("look for {}: {} names on the list of {today}", family.id(), family.count(today)));
        }
        if let Some(image) = &compiled {
            let (first, last, skew) = image.days();
            let days = format!("packets from {first} to {last}, clocks up to {skew} days wrong");
            lines.push(format!("take {} lists from a file instead of building them: {days}", image.lists().count()));
        }
        lines.push(format!("hold packets against the lists of {} days before and after their own", settings.skew));
        lines.push(format!("watch {} patterns of yours", settings.patterns.own()));
        lines.push(format!("keep evidence of up to {} sources of each family and day", settings.max_sources));
        if let Some(networks) = self.output.desk(&settings.masking)?.networks {
            let by: Vec<&str> = networks.groupings().map(Grouping::label).collect();
            lines.push(format!("count sources by {}; labels: {}", by.join(", "), networks.labels().len()));
        }
        lines.extend(self.output.syslog.effect());
        lines.push(format!("serve HTTP on {}", self.web.config().listen.join(", ")));
        lines.push(match &self.state.directory {
            Some(directory) => format!("write the evidence to {} every {} s", directory.display(), self.state.interval),
            None => "forget the evidence at the end: no --state-dir".to_owned(),
        });
        #[cfg(feature = "parquet")]
        lines.extend(self.parquet.effect());
        lines.push(self.prepare()?.to_string());
        Ok(lines)
    }

    /// What a sensor that runs by `running` is to look for from now on.
    pub(super) fn look_for(&self, running: &Settings) -> Result<(Catalog, Settings), Failure> {
        let (catalog, compiled) = self.watched.load()?;
        let networks = self.output.desk.networks(&running.masking)?;
        let settings = Settings { compiled, networks, ..self.matching.change(&catalog, running)? };
        Ok((catalog, settings))
    }

    fn prepare(&self) -> Result<Prepared, Failure> {
        self.confinement.prepare(self.capture.reopen.0.is_some())
    }

    /// What may still be opened when the captures are open.
    fn access(&self) -> Access {
        let mut access = Access::default();
        let web = self.web.config().web_config;
        let files = self.watched.files().chain(self.matching.files()).chain(self.output.desk.files());
        let files = files.chain(self.config.as_deref()).chain(web.as_deref());
        for file in files {
            if !access.reload(file) {
                say(&format!("{} cannot be read again once it is replaced: put it in a directory of its own", file.display()));
            }
        }
        self.state.directory.iter().for_each(|directory| access.write(directory));
        #[cfg(feature = "parquet")]
        self.parquet.flags.folder.iter().for_each(|folder| access.write(folder));
        self.output.syslog.connects_to().into_iter().for_each(|port| access.connect(port));
        // A log that is begun anew is another file.
        self.matching.events().and_then(Path::parent).into_iter().for_each(|directory| {
            access.write(if directory.as_os_str().is_empty() { Path::new(".") } else { directory });
        });
        access
    }
}

#[derive(Args)]
#[command(next_help_heading = "Capture")]
struct Capture {
    /// Threads that share the packets of each interface
    ///
    /// Take more when packets are lost in the kernel though the ring is large. The kernel then deals packets out by addresses
    /// and ports, both directions of a connection to the same thread (PACKET_FANOUT), and puts fragments of IPv4 together.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,

    /// Processors to pin these threads to, one after the other: 2,3,4
    ///
    /// Best on the processors next to the network card's, and not those that serve its interrupts.
    #[arg(long = "cpu", value_name = "LIST", value_delimiter = ',')]
    cpus: Vec<usize>,

    /// Room for packets that wait, for each thread: octets, or with k, M, G
    ///
    /// The kernel fills it while a thread is busy; what does not fit is lost, and counted. 128M is a tenth of a second of
    /// a saturated 10 Gbit/s link.
    #[arg(long, value_name = "SIZE", default_value = "128M", value_parser = ring_size)]
    ring_size: usize,

    /// Octets kept of a packet
    ///
    /// The default keeps the longest there is. Less saves room in the ring, and cuts long messages: 512 holds every query.
    #[arg(long, value_name = "OCTETS", default_value = "65535", value_parser = clap::value_parser!(u32).range(64..=262_144))]
    snap_length: u32,

    /// See only packets to and from this machine
    ///
    /// The kernel then does not tell what the network card lost.
    #[arg(long)]
    no_promiscuous: bool,

    /// What the kernel passes, as pcap-filter(7) has it, instead of all that may hold DNS
    ///
    /// By default plain IP without a DNS port is left out; tagged, tunnelled, labelled and fragmented packets are passed, to
    /// be looked into here. Mind that words like `vlan` and `mpls` move what follows them, and that the kernel takes the
    /// outermost VLAN tag off before it asks.
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "no_filter")]
    filter: Option<String>,

    /// Let the kernel pass everything: costs time, and counts every packet of the link
    #[arg(long)]
    no_filter: bool,

    /// Longest pause in seconds between attempts to open an interface again that was deleted, or `never`, to end instead
    ///
    /// One that goes down and up needs no opening. For this CAP_NET_RAW is kept, which is given up otherwise: ending, and being
    /// started anew by a service manager, is safer.
    #[arg(long, value_name = "SECONDS", default_value = "never", value_parser = reopen)]
    reopen: Reopen,
}

/// The longest pause, if any.
#[derive(Clone, Copy)]
struct Reopen(Option<Duration>);

#[derive(Args)]
struct State {
    /// Keep the evidence of open list days here, to go on from it after a restart
    #[arg(long = "state-dir", value_name = "DIR")]
    directory: Option<PathBuf>,

    /// Write it so often, in seconds: so much is lost when the sensor is killed
    #[arg(long = "state-interval", value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u32).range(1..))]
    interval: u32,
}

impl State {
    fn config(&self) -> Option<StateConfig> {
        let directory = self.directory.clone()?;
        Some(StateConfig { directory, interval: Duration::from_secs(self.interval.into()) })
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (catalog, compiled) = arguments.watched.load()?;
    gap(compiled.as_ref(), [today()].into_iter()).iter().for_each(|gap| say(gap));
    let series = Some(arguments.web.series());
    let mut settings = Settings { compiled, series, ..arguments.matching.settings(&catalog)? };
    let mut desk = arguments.output.desk(&settings.masking)?;
    desk.sensor = desk.sensor.or_else(|| Some(host_name()).filter(|name| Desk::is_sensor(name)));
    settings.networks.clone_from(&desk.networks);
    #[cfg(feature = "parquet")]
    {
        settings.sketches = arguments.parquet.flags.wanted();
    }
    let syslog = arguments.output.syslog.open(&desk, &settings.masking)?;
    let sending = syslog.map(|Syslog { form, sending }| {
        let log = settings.events.get_or_insert_with(|| Arc::new(Mutex::new(EventLog::unwritten())));
        log.lock().unwrap_or_else(PoisonError::into_inner).send_to(form);
        sending
    });
    let stop = signals(stop_on_signals())?;
    let limit = arguments.seconds.map(|seconds| Duration::from_secs(seconds.get().into()));
    let notifier = Notifier::connect().map_err(Failure::Said)?;
    let state = arguments.state.config();
    let prepared = arguments.prepare()?;
    state.as_ref().map_or(Ok(()), |state| prepared.make_directory(&state.directory))?;
    #[cfg(feature = "parquet")]
    arguments.parquet.flags.folder.as_ref().map_or(Ok(()), |folder| prepared.make_directory(folder))?;
    let access = arguments.access();

    // What takes rights comes before they are given up.
    let capture = arguments.capture.config(settings.decode.capture_filter());
    let threads = Threads { cpus: arguments.capture.cpus.clone(), ..Threads::default() };
    let running = Running::new(settings.clone())?;
    let plan = Arc::new(Plan::new(catalog, settings, (threads.clock)()));
    let mut live = Live::open(Arc::clone(&plan), &arguments.interfaces, &capture, threads).map_err(Failure::Said)?;
    let server = Server::bind(arguments.web.config()).map_err(Failure::Said)?;
    let connect = arguments.output.syslog.connects_to().is_some();
    let sandbox = prepared.enter(&access, connect).map_err(Failure::Said)?;
    let sending = sending.map(|sending| sending.start(move || confine(sandbox, Role::Sender { connect }))).transpose()?;

    let (rotate, hang_up) = (signals(request_on_signal(Request::Rotate))?, signals(request_on_signal(Request::Reload))?);
    let restored = state.as_ref().and_then(|state| state.restore(&plan, &say));
    #[cfg(feature = "parquet")]
    let parquet = arguments.parquet.config(&desk, state.as_ref(), restored.is_some());
    if state.is_some() {
        live.go_on_from(restored);
    }
    let (mut sensor, board) = Sensor::new(Threads::default().clock, Arc::clone(&rotate), Arc::new(say));
    if let Some(state) = &state {
        sensor.keep_state(state, move || confine(sandbox, Role::Clerk)).map_err(Failure::Said)?;
    }
    #[cfg(feature = "parquet")]
    if let Some(parquet) = parquet {
        sensor.write_parquet(&parquet, move || confine(sandbox, Role::Clerk)).map_err(Failure::Said)?;
    }
    let read_again = Box::new(move || running.read_again());
    sensor.reload_with(Arc::clone(&plan), read_again, move || confine(sandbox, Role::Clerk)).map_err(Failure::Said)?;
    let reopen = capture.reopen.is_some();
    live.begin_threads_with(move |thread| confine(sandbox, role(thread, reopen)));
    let addresses: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
    let stop_serving = Arc::new(AtomicBool::new(false));
    let serve = {
        let stop = Arc::clone(&stop_serving);
        move || confine(sandbox, Role::Http).and_then(|()| server.run(board, &stop))
    };
    let server = thread::Builder::new().name("http".to_owned()).spawn(serve);
    let server = server.map_err(|error| Failure::Said(format!("no thread for HTTP can be started: {error}")))?;
    say(&format!("serving http://{}", addresses.join(", http://")));
    say(&format!("listening on {}", arguments.interfaces.join(", ")));
    notifier.ready();
    let (mut reloading, mut networks) = (false, desk.networks.clone());
    let report = live.run(&stop, limit, &mut |state: &mut LiveState<'_, '_>| {
        if hang_up.swap(false, Ordering::Relaxed) {
            rotate.store(true, Ordering::Relaxed);
            sensor.reload();
        }
        if reloading != sensor.is_reloading() {
            reloading = !reloading;
            if reloading { notifier.reloading() } else { notifier.ready() }
        }
        networks.clone_from(&state.plan.settings().networks);
        sensor.look(state);
        notifier.alive();
        if server.is_finished() {
            // Without anybody who can see it, a sensor is of no use.
            stop.store(true, Ordering::Relaxed);
        }
    });
    notifier.stopping();
    let serving = !server.is_finished();
    stop_serving.store(true, Ordering::Relaxed);
    let served = server.join().unwrap_or_else(|_| Err("the HTTP server died: a fault of dgawatch, told above".to_owned()));
    let sent = sending.is_none_or(Started::end);
    let report = report.with_desk(Desk { networks, ..desk });
    let whole = arguments.output.write(&report)? & all_told(plan.settings()) & sent;
    served.map_err(Failure::Said)?;
    if whole && serving { Ok(()) } else { Err(Failure::Reported) }
}

fn signals(flag: io::Result<Arc<AtomicBool>>) -> Result<Arc<AtomicBool>, Failure> {
    flag.map_err(|error| Failure::Said(format!("signals cannot be handled: {error}")))
}

/// What the kernel lacks for one thread it lacked for the first, which said so.
fn confine(sandbox: Sandbox, role: Role) -> Result<(), String> {
    sandbox.confine_calls(role).map(drop)
}

const fn role(thread: Thread, reopen: bool) -> Role {
    match thread {
        Thread::Worker if reopen => Role::Opener,
        Thread::Worker => Role::Worker,
        Thread::Builder => Role::Builder,
    }
}

impl Capture {
    fn config(&self, dns: String) -> LiveConfig {
        let filter = match &self.filter {
            Some(text) => Filter::Own(text.clone()),
            None if self.no_filter => Filter::None,
            None => Filter::Dns(dns),
        };
        LiveConfig {
            workers: self.workers.into(),
            ring: self.ring_size,
            snap_length: self.snap_length as usize,
            promiscuous: !self.no_promiscuous,
            filter,
            reopen: self.reopen.0,
        }
    }
}

/// The smallest ring that holds a packet of the greatest length, and the largest that libpcap can be asked for.
const RING: std::ops::RangeInclusive<u64> = 1 << 18..=(2 << 30) - 1;

fn ring_size(text: &str) -> Result<usize, String> {
    let unit = match text.chars().last() {
        Some('k' | 'K') => 1 << 10,
        Some('m' | 'M') => 1 << 20,
        Some('g' | 'G') => 1 << 30,
        _ => 1_u64,
    };
    let number = if unit > 1 { &text[..text.len() - 1] } else { text };
    let octets = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|octets| RING.contains(octets));
    octets.map(|octets| octets as usize).ok_or_else(|| "give 256k to 2047M".to_owned())
}

fn reopen(text: &str) -> Result<Reopen, String> {
    if text == "never" {
        return Ok(Reopen(None));
    }
    let seconds = text.parse::<u32>().ok().filter(|seconds| *seconds > 0);
    seconds.map(|seconds| Reopen(Some(Duration::from_secs(seconds.into())))).ok_or_else(|| "give seconds, or `never`".to_owned())
}
