//! `make accept`: measures every bar that estimates and verdicts have to clear, and writes the tables of docs/ACCURACY.md.
//! With `--check` nothing is written. Fails when a bar is missed, or when the document asks for something else.

#[path = "../tests/support/acceptance.rs"]
mod acceptance;
#[path = "../tests/support/bars.rs"]
mod bars;
#[path = "../tests/support/bars_whole.rs"]
mod bars_whole;
#[path = "../tests/support/hosts.rs"]
mod hosts;
#[path = "../tests/support/sections.rs"]
mod sections;
#[path = "../tests/support/whole_path.rs"]
mod whole_path;

use std::fs;
use std::process::ExitCode;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ACCURACY.md");

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let sections = acceptance::sections(&acceptance::FULL);
    let document = fs::read_to_string(DOCUMENT).expect("the document is there");
    let mut fine = true;
    for section in &sections {
        print!("{}", section.missed());
        fine &= section.is_cleared() || section.number == 0;
        if check && !document.contains(&section.head()) {
            println!("bar {}, {}: docs/ACCURACY.md asks for something else", section.number, section.title);
            fine = false;
        }
    }
    if !check {
        let text = sections::put(&document, &sections).expect("the document has the two marks");
        fs::write(DOCUMENT, text).expect("the document can be written");
    }
    println!("{}", if fine { "all bars cleared" } else { "NOT all bars cleared" });
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
