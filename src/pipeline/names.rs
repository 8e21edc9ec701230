//! The names of many list days in order, computed on several threads and handed over on one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::day::Day;
use crate::dga::{Catalog, FamilyId};
use crate::name::{Name, RawName};

/// Octets of names that are handed over at a time.
const BLOCK: usize = 1 << 16;

/// Blocks that a thread may be ahead: memory is bounded by this, whatever a list's size.
const AHEAD: usize = 16;

/// Names one behind the other, in wire form; none at the end of a list.
type Block = Vec<u8>;

/// What takes names: of which family and list day, at which place of the list.
pub type TakeName<'a, E> = dyn FnMut(FamilyId, Day, u32, &Name) -> Result<(), E> + 'a;

/// Hands over the names of the lists that are current on `days`, by day, each list once, then by family of the catalog, then as generated: each with its index.
///
/// # Errors
/// The first that `each` gives; no name comes after it.
pub fn names<E>(catalog: &Catalog, days: (Day, Day), threads: usize, each: &mut TakeName<'_, E>) -> Result<(), E> {
    let current = |day: Day| catalog.iter().map(move |(id, family)| (day, family.calendar().list_day(day), id));
    let lists = days.0.through(days.1).flat_map(current);
    let lists: Vec<(Day, FamilyId)> =
        lists.filter(|(day, list_day, _)| list_day == day || *day == days.0).map(|(_, list_day, id)| (list_day, id)).collect();
    let threads = threads.clamp(1, lists.len().max(1));
    let stopped = AtomicBool::new(false);
    thread::scope(|scope| {
        let takes: Vec<Receiver<Block>> = (0..threads)
            .map(|thread| {
                let (give, take) = bounded(AHEAD);
                let (lists, stopped) = (&lists, &stopped);
                scope.spawn(move || generate(catalog, lists.iter().skip(thread).step_by(threads), &give, stopped));
                take
            })
            .collect();
        // One name, used again and again: clearing it costs as much as computing it.
        let mut name = Name::root();
        let outcome = lists.iter().zip(takes.iter().cycle()).try_for_each(|((day, family), take)| {
            let mut index = 0;
            // A thread that is gone has handed over all it had.
            for block in take.iter().take_while(|block| !block.is_empty()) {
                let mut rest = &block[..];
                while let Some(raw) = RawName::take(rest) {
                    name.set(raw);
                    each(*family, *day, index, &name)?;
                    index += 1;
                    rest = &rest[raw.as_wire().len()..];
                }
            }
            Ok(())
        });
        stopped.store(true, Ordering::Relaxed);
        outcome
    })
}

/// Computes some of the lists, each ended by an empty block.
fn generate<'a>(catalog: &Catalog, lists: impl Iterator<Item = &'a (Day, FamilyId)>, give: &Sender<Block>, stopped: &AtomicBool) {
    // Where nobody takes them any more, names are computed for nothing to the end of their list, and no further.
    for (day, family) in lists.take_while(|_| !stopped.load(Ordering::Relaxed)) {
        let mut block = Block::with_capacity(BLOCK);
        catalog.family(*family).names(*day, &mut |name| {
            let wire = name.as_wire();
            if block.len() + wire.len() > BLOCK {
                let full = std::mem::replace(&mut block, Block::with_capacity(BLOCK));
                let _ = give.send(full);
            }
            block.extend_from_slice(wire);
        });
        if !block.is_empty() {
            let _ = give.send(block);
        }
        let _ = give.send(Block::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_whatever_the_threads() {
        let mut catalog = Catalog::default();
        ["conficker-b", "synthetic:9000"].iter().for_each(|id| catalog.add(id).unwrap());
        catalog.add_list("ours", b"a.example,2009-04-01\nb.example").unwrap();
        let days = (Day::of(2009, 3, 30), Day::of(2009, 4, 2));
        let mut wanted = vec![];
        for day in days.0.through(days.1) {
            for (id, family) in catalog.iter() {
                let mut index = 0;
                family.names(day, &mut |name| {
                    wanted.push((id, day, index, name.to_string()));
                    index += 1;
                });
            }
        }
        for threads in [0, 1, 2, 3, 100] {
            let mut got = vec![];
            names::<()>(&catalog, days, threads, &mut |id, day, index, name| {
                got.push((id, day, index, name.to_string()));
                Ok(())
            })
            .unwrap();
            assert!(got == wanted, "{threads} threads");
            // Whoever has seen enough gets no more.
            let mut seen = 0;
            let outcome = names(&catalog, days, threads, &mut |_, _, _, _| {
                seen += 1;
                if seen == 500 { Err("enough") } else { Ok(()) }
            });
            assert_eq!((outcome, seen), (Err("enough"), 500));
        }
    }
}
