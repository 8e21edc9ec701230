//! What `replay` and `live` share: how to match, and how to write the report.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, ValueEnum};
use dgawatch::dga::Catalog;
use dgawatch::export::{AbuseFormat, Desk, EventLog, Report, ReportFormat, write_whole};
use dgawatch::ledger::{Masking, Prefix, PseudonymKey, Sinkholes};
use dgawatch::pipeline::Settings;
use dgawatch::watchlist::{Patterns, SearchList};

use super::decoding::Decoding;
use super::desk::DeskFlags;
use super::syslog::SyslogFlags;
use super::{Failure, say};

#[derive(Args)]
pub(super) struct Matching {
    /// List days before and after a packet's own that count too: hosts have wrong clocks
    #[arg(long, value_name = "DAYS", default_value = "1")]
    skew: u16,

    /// Sources to keep evidence of, each counted once a family and day, and of each set of patterns
    ///
    /// Memory for the sources is set aside at once, 120 octets each. When it is full, the weakest evidence makes room.
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = clap::value_parser!(u32).range(..=MOST_SOURCES))]
    max_sources: u32,

    #[command(flatten)]
    decoding: Decoding,

    /// Names to watch beside the generated ones, one a line: `a.example` that name, `.a.example` that and all below, `*text*`
    /// names that hold text; a label may follow a comma. Reported for every source that asked; never part of a verdict
    #[arg(long = "pattern", value_name = "FILE")]
    patterns: Vec<PathBuf>,

    /// Leave out what else infected hosts ask for (public-address checks, fixed names), shown beside their evidence
    #[arg(long)]
    no_indicators: bool,

    /// Domains that clients append to what they look for: with corp.example, abcde.com.corp.example counts as abcde.com
    #[arg(long = "search-suffix", value_name = "DOMAIN", value_delimiter = ',')]
    search_suffixes: Vec<String>,

    /// Where names lead without alarm, in place of the built-in table: `prefix,sinkhole`, `prefix,parking` or `prefix,blocked` a line
    ///
    /// A listed name that leads elsewhere is a rendezvous, unless so many lead there that it must be a sinkhole. What follows
    /// a further comma is for people; `#` begins a comment.
    #[arg(long, value_name = "FILE")]
    sinkholes: Option<PathBuf>,

    /// Keep and show only so many leading bits of addresses, of IPv4 and of IPv6, as 24,56: networks instead of hosts
    #[arg(long, value_name = "BITS,BITS")]
    prefix: Option<Prefix>,

    /// Keep and show pseudonyms of addresses instead, under the key in FILE
    ///
    /// 32 octets, or 64 hexadecimal digits (`openssl rand -hex 32`): pseudonyms keep networks together. 16 octets, or 32 digits: they
    /// do not. Whoever has the key can turn pseudonyms back (ipcrypt).
    #[arg(long, value_name = "FILE")]
    pseudonymise: Option<PathBuf>,

    /// Append events to FILE (`-` for standard output) as JSON lines: a source is suspect or infected, a name leads somewhere and
    /// who was told, a list day is over
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

impl Matching {
    /// Where events go, if to a file.
    #[cfg(feature = "live")]
    pub(super) fn events(&self) -> Option<&Path> {
        self.events.as_deref().filter(|path| path.as_os_str() != "-")
    }

    /// The files of patterns.
    #[cfg(feature = "live")]
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.patterns.iter().chain(&self.sinkholes).map(PathBuf::as_path)
    }

    pub(super) fn settings(&self, catalog: &Catalog) -> Result<Settings, Failure> {
        let (patterns, search_list) = self.names(catalog)?;
        let key = self.pseudonymise.as_deref().map(pseudonym_key).transpose()?;
        let masking = Masking::new(self.prefix.unwrap_or(Prefix::WHOLE), key.as_ref());
        let log = self.events.as_deref().map(EventLog::open).transpose().map_err(Failure::Said)?;
        let events = log.map(|log| Arc::new(Mutex::new(log)));
        let decode = self.decoding.config();
        let (skew, max_sources, sinkholes) = (self.skew, self.max_sources as usize, self.sinkholes()?);
        let (series, compiled, timeline, sketches, networks, lost) = (None, None, false, false, None, 0.0);
        Ok(Settings {
            skew,
            max_sources,
            lost,
            decode,
            patterns,
            search_list,
            sinkholes,
            masking,
            networks,
            events,
            series,
            compiled,
            timeline,
            sketches,
        })
    }

    /// The same for a sensor that runs by other settings: only what it looks for changes.
    #[cfg(feature = "live")]
    pub(super) fn change(&self, catalog: &Catalog, running: &Settings) -> Result<Settings, Failure> {
        let (patterns, search_list) = self.names(catalog)?;
        Ok(Settings { skew: self.skew, patterns, search_list, sinkholes: self.sinkholes()?, ..running.clone() })
    }

    /// Where names lead without alarm.
    fn sinkholes(&self) -> Result<Arc<Sinkholes>, Failure> {
        let Some(path) = &self.sinkholes else { return Ok(Arc::default()) };
        let name = path.display();
        let text = fs::read(path).map_err(|error| Failure::Said(format!("sinkholes {name} cannot be read: {error}")))?;
        Sinkholes::parse(&text).map(Arc::new).map_err(|why| Failure::Said(format!("sinkholes {name}: {why}")))
    }

    /// What is looked for beside families.
    fn names(&self, catalog: &Catalog) -> Result<(Arc<Patterns>, SearchList), Failure> {
        let mut search_list = SearchList::default();
        for suffix in &self.search_suffixes {
            let wrong = |why| Failure::Usage(format!("--search-suffix: `{}` {why}", suffix.escape_debug()));
            search_list.add(suffix).map_err(wrong)?;
        }
        let mut patterns = Patterns::default();
        if !self.no_indicators {
            patterns.add_indicators(catalog);
        }
        for path in &self.patterns {
            let name = path.display().to_string();
            let text = fs::read(path).map_err(|error| Failure::Said(format!("patterns {name} cannot be read: {error}")))?;
            patterns.add_set(&name, &text).map_err(|why| Failure::Said(format!("patterns {name}: {why}")))?;
        }
        Ok((Arc::new(patterns), search_list))
    }
}

/// Reads a key, and warns when others can read it too: they could turn pseudonyms back.
fn pseudonym_key(path: &Path) -> Result<PseudonymKey, Failure> {
    let name = path.display();
    let file = File::open(path).map_err(|error| Failure::Said(format!("key {name} cannot be opened: {error}")))?;
    // A key is short; whatever else it may be is not read to its end.
    let mut octets = vec![];
    let read = file.metadata().and_then(|metadata| (&file).take(4_096).read_to_end(&mut octets).map(|_| metadata));
    let metadata = read.map_err(|error| Failure::Said(format!("key {name} cannot be read: {error}")))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        say(&format!("key {name} is open to others than its owner: `chmod 600` it, or pseudonyms protect nobody"));
    }
    PseudonymKey::parse(&octets).map_err(|why| Failure::Said(format!("key {name} {why}")))
}

/// Says when events were lost; tells whether all are written.
pub(super) fn all_told(settings: &Settings) -> bool {
    let Some(log) = &settings.events else { return true };
    let log = &mut *log.lock().unwrap_or_else(PoisonError::into_inner);
    log.flush();
    if log.counts().lost > 0 || log.is_behind() {
        say(&format!("events were lost: they could not be written {} times", log.counts().failures));
        return false;
    }
    true
}

/// What a slip of the finger asks for is refused, not tried: 11 GB.
const MOST_SOURCES: i64 = 100_000_000;

#[derive(Args)]
pub(super) struct Output {
    /// How to write the report
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// Sources shown of each family and day in the text report, the weightiest first; 0 for all
    #[arg(long, value_name = "N", default_value = "20")]
    top: usize,

    #[command(flatten)]
    pub(super) desk: DeskFlags,

    #[command(flatten)]
    pub(super) syslog: SyslogFlags,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// One object with everything
    Json,
    /// The sources, one a row
    Csv,
    /// Infected sources as CSV with the columns of Shadowserver's sinkhole-DNS report
    Shadowserver,
    /// Infected sources as events of IntelMQ, one JSON object a line
    Intelmq,
    /// Infected sources as XARF 4 reports, one JSON object a line
    Xarf,
    /// Infected sources as events in ArcSight's Common Event Format, one a line
    Cef,
    /// What names resolved to that lead to no known sinkhole, in the Common Output Format of passive DNS, one JSON object a line
    Cof,
}

impl Format {
    /// Where it is for abuse desks.
    const fn abuse(self) -> Option<AbuseFormat> {
        match self {
            Self::Text | Self::Json | Self::Csv | Self::Cof => None,
            Self::Shadowserver => Some(AbuseFormat::Shadowserver),
            Self::Intelmq => Some(AbuseFormat::Intelmq),
            Self::Xarf => Some(AbuseFormat::Xarf),
            Self::Cef => Some(AbuseFormat::Cef),
        }
    }
}

impl Output {
    /// Reads what the report is to be told beside what is found, before anything is. `masking` is what becomes of sources.
    pub(super) fn desk(&self, masking: &Masking) -> Result<Desk, Failure> {
        if self.format.abuse().is_some() && !masking.is_none() {
            let why = "what stands for sources there would accuse others: not with --prefix or --pseudonymise";
            return Err(Failure::Usage(format!("--format for abuse desks names sources; {why}")));
        }
        let desk = self.desk.read(masking)?;
        if self.format == Format::Xarf && desk.reporter.is_none() {
            say("the XARF reports name nobody who can be asked about them: see --reporter");
        }
        Ok(desk)
    }

    /// The same for a report of reports, whose sources may be masked.
    pub(super) fn desk_of_reports(&self, masked: bool) -> Result<Desk, Failure> {
        let desk = self.desk(&Masking::default())?;
        if masked && (self.format.abuse().is_some() || desk.networks.is_some()) {
            let why = "what stands for sources in these reports is no address";
            return Err(Failure::Usage(format!("--format for abuse desks, and --networks, name sources; {why}")));
        }
        Ok(desk)
    }

    /// Writes the report to a file as a whole; tells whether all was read.
    pub(super) fn write_file(&self, report: &Report, path: &Path) -> Result<bool, Failure> {
        let written = write_whole(path, |out| self.write_to(report, out));
        written.map_err(|error| Failure::Said(format!("the report cannot be written: {error}")))?;
        Ok(all_read(report))
    }

    fn write_to(&self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        let format = match self.format {
            Format::Json => ReportFormat::Json,
            Format::Csv => ReportFormat::Csv,
            Format::Cof => ReportFormat::Cof,
            _ => ReportFormat::Text { top: self.top },
        };
        match self.format.abuse() {
            Some(format) => report.write_abuse(format, out),
            None => report.write(format, out),
        }
    }

    /// Writes the report to standard output, and what could not be read to standard error; tells whether all was read.
    pub(super) fn write(&self, report: &Report) -> Result<bool, Failure> {
        let captures = report.captures();
        // Where there was none to be read, the report says so.
        let nothing_read = !captures.is_empty() && captures.iter().all(|capture| capture.packets == 0 && capture.error.is_some());
        if self.format != Format::Text || !nothing_read {
            let mut out = BufWriter::new(io::stdout().lock());
            self.write_to(report, &mut out)?;
            out.flush()?;
        }
        Ok(all_read(report))
    }
}

/// Says what could not be read; tells whether all was.
fn all_read(report: &Report) -> bool {
    let mut whole = true;
    for capture in report.captures() {
        if let Some(error) = &capture.error {
            say(&format!("{} {error}", capture.path));
            whole = false;
        }
    }
    whole
}
