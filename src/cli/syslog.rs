//! Events sent to a syslog receiver, as flags; and the thread that sends them.

use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::{Args, ValueEnum};
use dgawatch::export::{
    Desk, Report, SyslogForm, SyslogLink, SyslogPayload, SyslogQueue, SyslogReceiver, SyslogSender, SyslogTls,
};
use dgawatch::ledger::Masking;
use dgawatch::process::host_name;

use super::{Failure, say};

/// Where Debian and others keep the authorities that they trust.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How long what waits at the end has.
#[cfg(feature = "live")]
const FAREWELL: Duration = Duration::from_secs(3);

/// How long it has at the end of a report, which nobody waits for but its reader.
const REPORT_FAREWELL: Duration = Duration::from_secs(30);

#[derive(Args)]
#[command(next_help_heading = "Syslog")]
pub(super) struct SyslogFlags {
    /// Send events as syslog messages: udp://HOST:514, tcp://HOST:601 or tls://HOST:6514
    ///
    /// RFC 5424, with lengths in front over TCP and TLS. `live` sends them as they happen, `replay` a message for each infected
    /// source, family and list day. Suspects too with --suspects. HOST is looked up once, at start.
    #[arg(long, value_name = "RECEIVER")]
    syslog: Option<SyslogReceiver>,

    /// How an event stands in a message
    #[arg(long, value_enum, default_value = "json")]
    syslog_format: Payload,

    /// Authorities that may vouch for the receiver of tls://, in PEM
    #[arg(long, value_name = "FILE", default_value = AUTHORITIES)]
    syslog_ca: PathBuf,

    /// Our certificate, where the receiver of tls:// asks for one, in PEM
    #[arg(long, value_name = "FILE", requires = "syslog_key")]
    syslog_cert: Option<PathBuf>,

    /// Its key
    #[arg(long, value_name = "FILE", requires = "syslog_cert")]
    syslog_key: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Payload {
    /// The JSON of --events
    Json,
    /// ArcSight's Common Event Format
    Cef,
}

impl SyslogFlags {
    /// Finds the receiver and reads certificates, where messages are to be sent. `desk` is what they say beside what is found.
    pub(super) fn open(&self, desk: &Desk, masking: &Masking) -> Result<Option<Syslog>, Failure> {
        let Some(receiver) = &self.syslog else { return Ok(None) };
        if self.syslog_format == Payload::Cef && !masking.is_none() {
            let why = "what stands for sources there would accuse others: not with --prefix or --pseudonymise";
            return Err(Failure::Usage(format!("--syslog-format cef names sources; {why}")));
        }
        let own = self.syslog_cert.clone().zip(self.syslog_key.clone());
        let tls = SyslogTls { authorities: self.syslog_ca.clone(), own };
        let link = SyslogLink::prepare(receiver.clone(), &tls).map_err(Failure::Said)?;
        let payload = if self.syslog_format == Payload::Cef { SyslogPayload::Cef } else { SyslogPayload::Json };
        let queue = SyslogQueue::default();
        let form = SyslogForm::new(payload, &host_name(), desk.clone(), queue.clone());
        Ok(Some(Syslog { form, sending: Sending { sender: SyslogSender::new(queue.clone(), link), queue } }))
    }

    /// The TCP port that the sender connects to.
    #[cfg(feature = "live")]
    pub(super) fn connects_to(&self) -> Option<u16> {
        self.syslog.as_ref().and_then(SyslogReceiver::connects_to)
    }

    /// What it does, in a line.
    #[cfg(feature = "live")]
    pub(super) fn effect(&self) -> Option<String> {
        self.syslog.as_ref().map(|receiver| format!("send events to {receiver}"))
    }
}

/// Messages to be made and sent.
pub(super) struct Syslog {
    pub(super) form: SyslogForm,
    pub(super) sending: Sending,
}

/// What sends them, once it is started.
pub(super) struct Sending {
    sender: SyslogSender,
    queue: SyslogQueue,
}

/// A thread that sends them.
pub(super) struct Started {
    thread: JoinHandle<()>,
    queue: SyslogQueue,
}

impl Sending {
    /// On a thread that does `begin` first.
    pub(super) fn start(self, begin: impl FnOnce() -> Result<(), String> + Send + 'static) -> Result<Started, Failure> {
        let Self { sender, queue } = self;
        let send = move || match begin() {
            Ok(()) => sender.run(&say),
            Err(why) => say(&format!("nothing is sent to syslog: {why}")),
        };
        let thread = thread::Builder::new().name("syslog".to_owned()).spawn(send);
        let thread = thread.map_err(|error| Failure::Said(format!("no thread for syslog can be started: {error}")))?;
        Ok(Started { thread, queue })
    }
}

impl Started {
    /// Has the rest sent; tells whether all was.
    pub(super) fn finish(self, farewell: Duration) -> bool {
        self.queue.close(farewell);
        let fell = self.thread.join().is_err();
        let counts = self.queue.counts();
        let lost = counts.told - counts.sent;
        if lost > 0 {
            say(&format!("{lost} of {} messages were not sent to syslog", counts.told));
        }
        lost == 0 && !fell
    }

    /// At the end of a sensor.
    #[cfg(feature = "live")]
    pub(super) fn end(self) -> bool {
        self.finish(FAREWELL)
    }
}

/// Sends the sources of a report, where that was asked for; tells whether all were.
pub(super) fn send_report(syslog: Option<Syslog>, report: &Report) -> Result<bool, Failure> {
    let Some(Syslog { mut form, sending }) = syslog else { return Ok(true) };
    let started = sending.start(|| Ok(()))?;
    match report.send(&mut form) {
        Ok(()) => Ok(started.finish(REPORT_FAREWELL)),
        Err(why) => {
            say(&format!("syslog: {why}"));
            started.finish(Duration::ZERO);
            Ok(false)
        }
    }
}
