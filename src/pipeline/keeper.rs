//! Where a sensor's evidence crosses restarts.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::plan::Plan;
use super::sensor::Say;
use crate::export::StateFile;
use crate::ledger::Ledger;

/// The longest state file that is read.
const MAX_STATE: u64 = 8 << 30;

/// How often something was written, and could not be.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) written: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// Where state is kept, and how often it is written.
#[derive(Clone, Debug)]
pub struct StateConfig {
    /// A directory.
    pub directory: PathBuf,
    /// How often.
    pub interval: Duration,
}

impl StateConfig {
    pub(super) fn file(&self) -> StateFile {
        StateFile::new(&self.directory.join("evidence"))
    }

    /// The evidence that an earlier run left, if it left any that can be used; what an operator should know goes to `say`.
    pub fn restore(&self, plan: &Plan, say: &Say) -> Option<Ledger> {
        let (context, bound) = (plan.context(), plan.settings.max_sources);
        let (restored, warning) = self.file().load(MAX_STATE, |octets| context.read(octets, bound));
        warning.iter().for_each(|warning| say(warning));
        let restored = restored?;
        restored.left_out.iter().for_each(|sentence| say(sentence));
        Some(restored.ledger)
    }
}

/// Writes the state, and tells of a failure when it is the first.
pub(super) fn save(file: &StateFile, octets: &[u8], counts: &Kept, say: &Arc<Say>) {
    match file.save(|out| out.write_all(octets)) {
        Ok(()) => counts.written.fetch_add(1, Ordering::Relaxed),
        Err(why) => {
            let before = counts.failed.fetch_add(1, Ordering::Relaxed);
            if before == 0 {
                say(&format!("{why}; it is tried again, and counted"));
            }
            before
        }
    };
}
