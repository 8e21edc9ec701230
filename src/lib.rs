//! A passive DNS sensor that computes each day's generated names and tells which sources ask for them.
//!
//! ```text
//!         day   name   process          words and tools: know nobody
//!           \    |    /
//!             dga ------------------.   which names will be asked on which day
//!                                   |
//!  wire, file                       v
//!   -> source -> decode -> watchlist -> ledger -> export -> operator, abuse desk, analyst
//!      Record    Message   Hit        Verdict    Report
//!      `------------------- pipeline -----------------'   threads, channels, order, stop
//!                              ^
//!                         cli, main                      words in, exit code out
//! ```
//!
//! A room may use the rooms before it in this row, never one behind:
//! `day, name, process, dga, simulate, source, decode, watchlist, ledger, export, pipeline`, then the program's own `cli`.
//! Read them in that order. docs/ARCHITECTURE.md has the laws, `tests/tidy.rs` holds them.

pub mod day;
pub mod decode;
pub mod dga;
pub mod export;
pub mod ledger;
pub mod name;
pub mod pipeline;
pub mod process;
pub mod simulate;
pub mod source;
pub mod watchlist;
