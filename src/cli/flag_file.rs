//! `--config FILE`: flags in a file. What it says is turned into arguments before the command line is read, so that every
//! flag of a command is a key as soon as it exists, with the same words, the same checks and the same default.
//!
//! ```toml
//! interface = ["eth1", "eth2"]      # --interface eth1 --interface eth2
//! no-indicators = true              # --no-indicators
//! [web]
//! listen-address = "[::1]:9353"     # --web.listen-address [::1]:9353
//! ```
//!
//! A flag that is on the command line as well is taken from there, with all its values.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Cli, Failure, live};

/// Keys that would lead round in a circle or nowhere.
const NOT_IN_A_FILE: [&str; 3] = ["config", "help", "version"];

/// What a file says: a flag with its values.
pub(super) struct Setting {
    /// The flag, without its dashes.
    pub(super) key: String,
    /// Where the file says it, from 1.
    pub(super) line: usize,
    /// Why it has no effect, if it has none.
    pub(super) overruled: bool,
    arguments: Vec<OsString>,
}

/// The words of the command line, those of the file of flags before them where there is one; and what the file says.
///
/// # Errors
/// A sentence with file and line: no such file, not TOML, a key or value that the command does not know.
pub(super) fn merge(program: &Command, words: Vec<OsString>) -> Result<(Vec<OsString>, Vec<Setting>), Failure> {
    let Some((command, matches)) = first_look(program, &words) else { return Ok((words, vec![])) };
    let Some(file) = matches.get_one::<PathBuf>("config") else { return Ok((words, vec![])) };
    let path = file.display();
    let text =
        fs::read_to_string(file).map_err(|error| Failure::Said(format!("configuration {path} cannot be read: {error}")))?;
    let settings = read(&command, &matches, &text).map_err(|(line, why)| Failure::Usage(format!("{path}:{line}: {why}")))?;
    let said = settings.iter().filter(|setting| !setting.overruled).flat_map(|setting| setting.arguments.iter().cloned());
    let (start, rest) = words.split_at(2);
    Ok((start.iter().cloned().chain(said).chain(rest.iter().cloned()).collect(), settings))
}

/// The command that was asked for, as far as its words make sense before the file is known; nothing where it takes no file.
/// Words that make no sense are reported when all are there.
fn first_look(program: &Command, words: &[OsString]) -> Option<(Command, ArgMatches)> {
    let command = program.find_subcommand(words.get(1)?)?.clone();
    command.get_arguments().find(|argument| argument.get_long() == Some("config"))?;
    // What is required may be in the file.
    let command = command.mut_args(|argument| argument.required(false));
    let matches = command.clone().ignore_errors(true).try_get_matches_from(&words[1..]).ok()?;
    Some((command, matches))
}

/// A mistake: the line and what is wrong there.
type Mistake = (usize, String);

fn read(command: &Command, matches: &ArgMatches, text: &str) -> Result<Vec<Setting>, Mistake> {
    let line = |at: usize| text.bytes().take(at).filter(|octet| *octet == b'\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        let why = error.message().lines().next().unwrap_or_default();
        (error.span().map_or(1, |span| line(span.start)), format!("this is not TOML: {why}"))
    })?;
    let mut values = vec![];
    flatten("", table.get_ref(), &mut values);
    let mut settings = vec![];
    for (key, at, value) in values {
        let arguments = arguments(command, &key, value).map_err(|why| (line(at), why))?;
        let argument = flag(command, &key).map_err(|why| (line(at), why))?;
        let overruled = matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine);
        settings.push(Setting { key, line: line(at), overruled, arguments });
    }
    settings.sort_by_key(|setting| setting.line);
    Ok(settings)
}

/// `[web] listen-address` is `web.listen-address`.
fn flatten<'a>(above: &str, table: &'a DeTable<'_>, into: &mut Vec<(String, usize, &'a DeValue<'a>)>) {
    for (key, value) in table {
        let whole = format!("{above}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(table) => flatten(&format!("{whole}."), table, into),
            value => into.push((whole, key.span().start, value)),
        }
    }
}

/// The flag of a name, or what it may have meant.
fn flag<'a>(command: &'a Command, key: &str) -> Result<&'a Arg, String> {
    if NOT_IN_A_FILE.contains(&key) {
        return Err(format!("`{key}` belongs on the command line"));
    }
    let found = command.get_arguments().find(|argument| argument.get_long() == Some(key));
    found.ok_or_else(|| {
        let error = command.clone().try_get_matches_from([OsString::from("dgawatch"), format!("--{key}").into()]).err();
        let nearest = match error.as_ref().and_then(|error| error.get(ContextKind::SuggestedArg)) {
            Some(ContextValue::String(flag)) => format!(": did you mean `{}`?", flag.trim_start_matches('-')),
            _ => format!(": `dgawatch {} --help` lists them", command.get_name()),
        };
        format!("there is no setting `{}`{nearest}", key.escape_debug())
    })
}

/// A setting as it would stand on the command line.
fn arguments(command: &Command, key: &str, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
    let argument = flag(command, key)?;
    if !argument.get_action().takes_values() {
        return match value {
            DeValue::Boolean(true) => Ok(vec![format!("--{key}").into()]),
            DeValue::Boolean(false) => Ok(vec![]),
            _ => Err(format!("`{key}` is true or false")),
        };
    }
    let several = matches!(argument.get_action(), ArgAction::Append);
    let texts = match value {
        DeValue::Array(values) if several => {
            values.iter().map(|value| scalar(key, Spanned::get_ref(value))).collect::<Result<_, _>>()?
        }
        DeValue::Array(_) => return Err(format!("`{key}` has one value, not a list")),
        value => vec![scalar(key, value)?],
    };
    let words: Vec<OsString> = texts.into_iter().map(|text| format!("--{key}={text}").into()).collect();
    words.iter().try_for_each(|word| check(command, word))?;
    Ok(words)
}

fn scalar(key: &str, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => {
            let value = i128::from_str_radix(number.as_str(), number.radix());
            value.map(|value| value.to_string()).map_err(|error| format!("`{key}`: {error}"))
        }
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Datetime(time) => Ok(time.to_string()),
        DeValue::Boolean(_) => Err(format!("`{key}` has a value of its own, not true or false")),
        DeValue::Array(_) | DeValue::Table(_) => Err(format!("`{key}` holds a list in a list")),
    }
}

/// Whether the command takes this value. What needs other flags beside it is judged when all are there.
fn check(command: &Command, word: &OsStr) -> Result<(), String> {
    let Err(error) = command.clone().try_get_matches_from([OsStr::new("dgawatch"), word]) else { return Ok(()) };
    if matches!(error.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand) {
        return Ok(());
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    Err(lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").to_owned())
}

/// How a setting that the file at `path` has reads in a report.
pub(super) fn origin(path: &Path, settings: &[Setting], key: &str) -> Option<String> {
    let setting = settings.iter().find(|setting| setting.key == key && !setting.overruled)?;
    Some(format!("{}:{}", path.display(), setting.line))
}

/// What `live` was told, by words and by file.
pub(super) struct Flags {
    command: Command,
    matches: ArgMatches,
    /// What the file says.
    pub(super) settings: Vec<Setting>,
}

impl Flags {
    /// Understands the words of a command line that asks for `live`.
    ///
    /// # Errors
    /// A sentence that begins with `whose`, or with the file and line that is wrong.
    pub(super) fn of_live(words: Vec<OsString>, whose: &dyn Display) -> Result<Self, Failure> {
        let mut program = Cli::command();
        let (words, settings) = merge(&program, words)?;
        let mut matches = program.try_get_matches_from_mut(words).map_err(|error| {
            let text = error.to_string();
            let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty() && !line.starts_with("Usage"));
            Failure::Usage(format!("{whose}: {}", lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ")))
        })?;
        let (name, matches) = matches.remove_subcommand().expect("no words make sense without a command");
        let command = program.find_subcommand(name).expect("it was found just now").clone();
        Ok(Self { command, matches, settings })
    }

    /// As typed values.
    pub(super) fn arguments(&self) -> live::Arguments {
        live::Arguments::from_arg_matches(&self.matches).expect("these words ask for live")
    }

    /// Flags that have a value or are set, and whether somebody set them.
    pub(super) fn effective(&self) -> Vec<(String, String, bool)> {
        let mut rows = vec![];
        for argument in self.command.get_arguments() {
            let (Some(key), id) = (argument.get_long(), argument.get_id().as_str()) else { continue };
            let set = self.matches.value_source(id) == Some(ValueSource::CommandLine);
            if !argument.get_action().takes_values() {
                if set {
                    rows.push((key.to_owned(), "true".to_owned(), set));
                }
            } else if let (Some(values), false) = (self.matches.get_raw(id), key == "config") {
                let values: Vec<String> = values.map(|value| value.to_string_lossy().escape_debug().to_string()).collect();
                rows.push((key.to_owned(), values.join(", "), set));
            }
        }
        rows
    }
}
