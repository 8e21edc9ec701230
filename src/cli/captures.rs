//! What `replay` and `decode` share: which captures to read, and how far to unpack them.

use std::path::PathBuf;

use clap::Args;
use dgawatch::source::{Input, Limits};

use super::say;

#[derive(Args)]
pub(super) struct Captures {
    /// Captures and files of dnstap: files, directories, or - for standard input
    ///
    /// Files are read in the order of their first packets, whatever the order here; standard input and other pipes keep
    /// their place. gzip, zstd, lz4 and xz are recognised by content and unpacked, in pipes too.
    #[arg(required_unless_present = "dnstap", value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,

    /// A file of dnstap in Frame Streams, as unbound, knot, dnsdist, BIND and fstrm_capture write it; may repeat
    ///
    /// The same as to name it as a PATH: what a file is shows in its first octets.
    #[arg(long, value_name = "FILE", value_parser = dnstap_file)]
    dnstap: Vec<PathBuf>,

    /// What a compressed capture may unpack to, in octets, or with K, M, G, T; 0 for anything
    #[arg(long, value_name = "BYTES", default_value = "1T", value_parser = octets)]
    max_unpacked: u64,

    /// How many times its own size a compressed capture may unpack to; judged from 16 MiB on, 0 for any
    #[arg(long, value_name = "N", default_value_t = Limits::USUAL.ratio)]
    max_ratio: u64,
}

impl Captures {
    pub(super) fn limits(&self) -> Limits {
        let bound = |limit: u64| if limit == 0 { u64::MAX } else { limit };
        Limits { unpacked: bound(self.max_unpacked), ratio: bound(self.max_ratio) }
    }

    /// The captures in the order in which to read them; says how many files of directories are none.
    pub(super) fn inputs(&self) -> Vec<Input> {
        let paths: Vec<PathBuf> = self.paths.iter().chain(&self.dnstap).cloned().collect();
        let (inputs, others) = Input::expand(&paths, self.limits());
        if others > 0 {
            say(&format!("passed over {others} {} that hold no capture", if others == 1 { "file" } else { "files" }));
        }
        inputs
    }
}

/// A file, not where to listen.
fn dnstap_file(text: &str) -> Result<PathBuf, String> {
    if ["unix:", "tcp:"].iter().any(|kind| text.starts_with(kind)) {
        return Err("name a file; `dgawatch live --dnstap` listens".to_owned());
    }
    Ok(text.into())
}

/// A number of octets, with a unit or without.
fn octets(text: &str) -> Result<u64, String> {
    let (digits, power) = match text.char_indices().last() {
        Some((at, unit)) if !unit.is_ascii_digit() => {
            let power = ["K", "M", "G", "T"].iter().position(|known| text[at..].eq_ignore_ascii_case(known));
            (&text[..at], power.ok_or("write a number, then K, M, G, T or nothing")? as u32 + 1)
        }
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|error| format!("{error}"))?;
    number.checked_mul(1024_u64.pow(power)).ok_or_else(|| "is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_octets() {
        let rows =
            [("0", Ok(0)), ("17", Ok(17)), ("2K", Ok(2048)), ("3m", Ok(3 << 20)), ("1G", Ok(1 << 30)), ("1T", Ok(1 << 40))];
        for (text, expected) in rows {
            assert_eq!(octets(text), expected, "{text}");
        }
        for text in ["", "G", "1P", "-1", "1 G", "99999999T", "é"] {
            assert!(octets(text).is_err(), "{text}");
        }
        assert_eq!(octets("1T"), Ok(Limits::USUAL.unpacked));
    }
}
