//! `dgawatch simulate`: a description in, a capture and the truth about it out.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use dgawatch::day::{Day, Timestamp};
use dgawatch::simulate::{Description, Fault, Population};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use toml::de::{DeTable, DeValue};

use super::{Failure, say};

const EXAMPLES: &str = "\
Examples:
  dgawatch simulate --family conficker-b --hosts 100 --behind cache -o b.pcap --truth b.json
  dgawatch replay --family conficker-b b.pcap
  dgawatch simulate examples/populations/verdicts.toml --scale 0.01 -o v.pcap --truth v.json
  dgawatch simulate --family conficker-b --hosts 9 --behind nat --describe > mine.toml";

/// Write a capture of a made-up network with infected hosts, and the truth about it.
///
/// A description (TOML) says who is there: infected hosts and their habits, honest clients, NATs, resolvers with caches,
/// what the tap sees and loses. The same description and seed give the same octets on every machine. docs/SIMULATE.md
/// explains every key; examples/populations/ has descriptions to begin with. Small ones can be said with flags.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The description; or say it with --family
    #[arg(value_name = "FILE", required_unless_present = "family", conflicts_with = "family")]
    description: Option<PathBuf>,

    #[command(flatten)]
    small: Small,

    /// Where the capture goes: pcap with nanoseconds; - for standard output
    #[arg(long, short, value_name = "FILE", required_unless_present = "describe")]
    output: Option<PathBuf>,

    /// Where the truth goes, as JSON
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,

    /// List in the truth the names that each address asked for
    #[arg(long, requires = "truth")]
    truth_names: bool,

    /// What chance begins with: another seed is another day of the same network
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Multiply the number of hosts and clients in every group, for instance by 0.01
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = factor)]
    scale: f64,

    /// Print the description that the flags stand for, and do nothing else: something to begin with
    #[arg(long, requires = "family")]
    describe: bool,

    /// No progress bar
    #[arg(long, short)]
    quiet: bool,
}

/// The description in flags.
#[derive(Args)]
struct Small {
    /// Infected hosts of this family: conficker-a, conficker-b or conficker-c
    #[arg(long, value_name = "FAMILY")]
    family: Option<String>,

    /// How many
    #[arg(long, value_name = "N", default_value_t = 100, requires = "family")]
    hosts: u64,

    /// What the sensor sees of them
    #[arg(long, value_enum, default_value = "nothing", requires = "family")]
    behind: Behind,

    /// Seconds for which a resolver may keep a denial
    #[arg(long, value_name = "SECONDS", default_value_t = 900, requires = "family")]
    negative_ttl: u32,

    /// Honest clients beside them, of 20 queries an hour each
    #[arg(long, value_name = "N", default_value_t = 0, requires = "family")]
    clean: u64,

    /// The day on which the capture begins
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2009-04-01", requires = "family")]
    date: Day,

    /// How many hours the capture has
    #[arg(long, value_name = "N", default_value_t = 24, requires = "family", value_parser = clap::value_parser!(u32).range(1..=87_600))]
    hours: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Behind {
    /// Every host with an address of its own, in front of the resolver
    Nothing,
    /// All hosts behind one address, in front of the resolver
    Nat,
    /// The resolver's questions to the authorities, behind its cache
    Cache,
    /// Both sides of the resolver
    Both,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (text, origin) = match (&arguments.description, &arguments.small.family) {
        (Some(path), _) => {
            let text = fs::read_to_string(path)
                .map_err(|error| Failure::Said(format!("description {} cannot be read: {error}", path.display())))?;
            (text, Some(path.as_path()))
        }
        (None, Some(family)) => (arguments.small.describe(family), None),
        (None, None) => unreachable!("clap asks for one of them"),
    };
    if arguments.describe {
        return Ok(io::stdout().write_all(text.as_bytes())?);
    }
    let population = load(&text, arguments.scale).map_err(|mistake| mistake.tell(origin))?;
    let output = arguments.output.as_deref().expect("clap asks for it");
    if output.as_os_str() == "-" && io::stdout().is_terminal() {
        return Err(Failure::Usage("a capture is nothing for a terminal: write -o FILE, or send it through a pipe".to_owned()));
    }
    // Both are opened before anything is made.
    let truth_file = arguments.truth.as_deref().map(|path| create(path).map(|file| (path, file))).transpose()?;
    if output.as_os_str() == "-" {
        simulate(population, arguments, truth_file, io::stdout().lock(), Failure::Output)
    } else {
        let failed = |error| cannot_write(output, &error);
        simulate(population, arguments, truth_file, create(output)?, failed)
    }
}

fn simulate(
    population: Population,
    arguments: &Arguments,
    truth_file: Option<(&Path, File)>,
    out: impl Write,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    let mut capture = Capture { out: BufWriter::with_capacity(1 << 18, out), packets: 0 };
    let (start, end) = population.window();
    let bar = progress_bar(end.as_nanos() - start.as_nanos(), arguments.quiet);
    capture.header().map_err(&failed)?;
    let made = population.simulate(arguments.seed, arguments.truth_names, &mut |time, frame| {
        capture.record(time, frame)?;
        if capture.packets % 200_000 == 1 {
            bar.set_message(format!("{}  {:.1} M packets", time, capture.packets as f64 / 1e6));
            bar.set_position(time.as_nanos() - start.as_nanos());
        }
        Ok(())
    });
    let truth = made.and_then(|truth| capture.out.flush().map(|()| truth)).map_err(&failed)?;
    bar.finish_and_clear();
    if let Some((path, file)) = truth_file {
        let mut out = BufWriter::new(file);
        let written = serde_json::to_writer_pretty(&mut out, &truth).map_err(io::Error::from);
        written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).map_err(|error| cannot_write(path, &error))?;
    }
    if !arguments.quiet && io::stderr().is_terminal() {
        say(&format!("{} packets from {start} to {end}, {} addresses", truth.packets.written, truth.sources_seen));
    }
    Ok(())
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Said(format!("{} cannot be written: {error}", path.display()))
}

/// A pcap file with nanoseconds (the IETF draft "PCAP Capture File Format"), little-endian on every machine.
struct Capture<W: Write> {
    out: BufWriter<W>,
    packets: u64,
}

impl<W: Write> Capture<W> {
    fn header(&mut self) -> io::Result<()> {
        // Magic, version 2.4, two fields that are not used, longest packet, Ethernet.
        let numbers: [u32; 6] = [0xA1B2_3C4D, 0x0004_0002, 0, 0, 65_535, 1];
        numbers.iter().try_for_each(|number| self.out.write_all(&number.to_le_bytes()))
    }

    fn record(&mut self, time: Timestamp, frame: &[u8]) -> io::Result<()> {
        let (seconds, nanos) = time.parts();
        // Descriptions end before 2106, frames below 65,535 octets.
        let length = (frame.len() as u32).to_le_bytes();
        let mut head = [0; 16];
        head[..4].copy_from_slice(&(seconds as u32).to_le_bytes());
        head[4..8].copy_from_slice(&nanos.to_le_bytes());
        head[8..12].copy_from_slice(&length);
        head[12..].copy_from_slice(&length);
        self.packets += 1;
        self.out.write_all(&head)?;
        self.out.write_all(frame)
    }
}

/// What is wrong with a description, and where.
enum Mistake {
    Text { line: usize, why: String },
    Sense { line: Option<usize>, fault: Fault },
}

impl Mistake {
    fn tell(self, origin: Option<&Path>) -> Failure {
        let path = origin.map_or_else(|| "flags".to_owned(), |path| path.display().to_string());
        Failure::Usage(match self {
            Self::Text { line, why } => format!("{path}:{line}: {why}"),
            Self::Sense { line: Some(line), fault } if origin.is_some() => format!("{path}:{line}: {}: {}", fault.key, fault.why),
            Self::Sense { fault, .. } => format!("{path}: {}: {}", fault.key, fault.why),
        })
    }
}

fn load(text: &str, scale: f64) -> Result<Population, Mistake> {
    let line = |at: usize| text.bytes().take(at).filter(|octet| *octet == b'\n').count() + 1;
    let mut description: Description = toml::from_str(text).map_err(|error| Mistake::Text {
        line: error.span().map_or(1, |span| line(span.start)),
        why: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    description.scale(scale);
    Population::new(description).map_err(|fault| Mistake::Sense { line: place(text, &fault.key).map(line), fault })
}

/// Where a text has a key like `infected[1].duty.hours`, or the nearest above it.
fn place(text: &str, key: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut value = &DeValue::Table(table.into_inner());
    let mut found = None;
    for step in key.split('.') {
        let (name, index) = step.split_once('[').map_or((step, None), |(name, index)| (name, Some(index)));
        let DeValue::Table(table) = value else { break };
        let Some((key, next)) = table.iter().find(|(key, _)| key.get_ref() == name) else { break };
        found = Some(key.span().start);
        value = next.get_ref();
        let index = index.and_then(|index| index.trim_end_matches(']').parse::<usize>().ok());
        if let (DeValue::Array(values), Some(index)) = (value, index)
            && let Some(next) = values.get(index)
        {
            found = Some(next.span().start);
            value = next.get_ref();
        }
    }
    found
}

impl Small {
    /// As a file would say it.
    fn describe(&self, family: &str) -> String {
        let Self { hosts, negative_ttl, date, hours, clean, .. } = self;
        let sees = match self.behind {
            Behind::Nothing | Behind::Nat => "clients",
            Behind::Cache => "upstream",
            Behind::Both => "both",
        };
        let nat = if self.behind == Behind::Nat { format!("per_address = {}\n", (*hosts).max(1)) } else { String::new() };
        let honest = if *clean > 0 {
            format!("\n[[clean]]\ncount = {clean}\naddresses = \"10.128.0.0/9\"\nresolver = \"resolver\"\nrate = 20\n")
        } else {
            String::new()
        };
        format!(
            "start = \"{date}\"\nduration = \"{hours}h\"\n\n[answers]\nnegative_ttl = {negative_ttl}\n\n[[resolver]]\n\
             name = \"resolver\"\naddresses = [\"192.0.2.53\"]\nsees = \"{sees}\"\n\n[[infected]]\nfamily = {family:?}\n\
             count = {hosts}\naddresses = \"10.0.0.0/9\"\n{nat}resolver = \"resolver\"\n{honest}"
        )
    }
}

/// A factor that is one.
fn factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor: &f64| *factor > 0.0 && *factor <= 1e6);
    factor.ok_or_else(|| "write a number above 0, up to 1000000".to_owned())
}

/// On a terminal: how much of the time is written, how long it will take. Elsewhere nothing.
fn progress_bar(length: u64, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:12} {percent:>3} %  {eta} left  {msg}").expect("the template is well-formed");
    ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(10)).with_style(style)
}
