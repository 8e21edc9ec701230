//! Looks for names in the lists of many days, on all cores.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::unbounded;

use crate::day::Day;
use crate::dga::{Catalog, FamilyId};
use crate::name::Name;

/// Days that a thread takes at a time: many enough for a family to search several in step.
const STEP: usize = 64;

/// The families and list days that generate `name`, with its index, by family, then by day. `days` are those to look
/// at for each family of the catalog; a list counts when it is current on one of them.
pub fn search(catalog: &Catalog, name: &Name, days: &[RangeInclusive<Day>], threads: usize) -> Vec<(FamilyId, Day, u32)> {
    let tasks: Vec<(FamilyId, Vec<Day>)> = catalog
        .iter()
        .zip(days)
        .flat_map(|((id, family), days)| {
            let list_days: Vec<Day> = family.calendar().list_days(*days.start(), *days.end()).collect();
            list_days.chunks(STEP).map(|days| (id, days.to_vec())).collect::<Vec<_>>()
        })
        .collect();
    let next = AtomicUsize::new(0);
    let (give, take) = unbounded();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (give, next, tasks) = (give.clone(), &next, &tasks);
            scope.spawn(move || {
                while let Some((id, days)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    catalog.family(*id).search(name, days, &mut |day, index| {
                        // The other end outlives the threads.
                        let _ = give.send((*id, day, index));
                    });
                }
            });
        }
    });
    drop(give);
    let mut found: Vec<_> = take.into_iter().collect();
    found.sort_unstable();
    found
}
