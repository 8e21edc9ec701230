//! Names that lead somewhere, and addresses that are taken for sinkholes, written down and read back.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Context, WrittenList, read_count, read_times, read_transport, write_times};
use crate::day::{Day, Timestamp};
use crate::decode::Transport;
use crate::dga::FamilyId;
use crate::ledger::octets::{Decoder, Encoder};
use crate::ledger::rendezvous::{MOST_ADDRESSES, MOST_SERVERS};
use crate::ledger::{Exposure, Learned, Ledger, Rendezvous};

impl Context<'_> {
    pub(super) fn write_live<W: Write>(
        &self,
        out: &mut Encoder<'_, W>,
        ledger: &Ledger,
        lists: &BTreeMap<(FamilyId, Day), u64>,
    ) -> io::Result<()> {
        out.number(ledger.live.kept().len() as u64)?;
        for ((family, list_day, index), rendezvous) in ledger.live.kept() {
            out.number(lists[&(*family, *list_day)])?;
            out.number((*index).into())?;
            write_rendezvous(out, rendezvous)?;
        }
        let learned = ledger.learned();
        out.number(learned.len() as u64)?;
        for Learned { family, address, names, answers, last_seen } in learned {
            out.text(self.catalog.family(family).id())?;
            out.address(address)?;
            for number in [names.into(), answers, last_seen.as_nanos()] {
                out.number(number)?;
            }
        }
        let unkept = ledger.unkept();
        out.number(unkept.names)?;
        out.number(unkept.exposed)
    }

    pub(super) fn read_live(&self, from: &mut Decoder<'_>, ledger: &mut Ledger, lists: &[WrittenList]) -> Option<()> {
        for _ in 0..from.number()? {
            let list = lists.get(from.small::<usize>()?)?;
            let index = from.small()?;
            let rendezvous = read_rendezvous(from)?;
            // The list may be gone, or another by now.
            if let Ok((family, list_day)) = list.key {
                if index >= list.names {
                    return None;
                }
                ledger.live.restore((family, list_day, index), rendezvous)?;
            }
        }
        for _ in 0..from.number()? {
            let id = from.text()?;
            let (address, names, answers) = (from.address()?, from.small()?, read_count(from)?);
            let last_seen = Timestamp::from_nanos(from.number()?);
            if let Some((family, _)) = self.catalog.iter().find(|(_, family)| family.id() == id) {
                ledger.live.restore_learned(&Learned { family, address, names, answers, last_seen });
            }
        }
        ledger.live.unkept.names += read_count(from)?;
        ledger.live.unkept.exposed += read_count(from)?;
        Some(())
    }
}

fn write_rendezvous<W: Write>(out: &mut Encoder<'_, W>, rendezvous: &Rendezvous) -> io::Result<()> {
    let Rendezvous {
        first_seen,
        last_seen,
        answers,
        unsolicited,
        addresses,
        addresses_left_out,
        lifetime,
        servers,
        exposed,
        exposed_left_out,
    } = rendezvous;
    let lifetime = u64::from(*lifetime);
    write_times(out, *first_seen, *last_seen)?;
    let counts = [*answers, *unsolicited, *addresses_left_out, *exposed_left_out, lifetime, addresses.len() as u64];
    counts.into_iter().try_for_each(|number| out.number(number))?;
    addresses.iter().try_for_each(|address| out.address(*address))?;
    out.number(servers.len() as u64)?;
    servers.iter().try_for_each(|server| out.text(server))?;
    out.number(exposed.len() as u64)?;
    for (source, Exposure { first_seen, last_seen, answers, unsolicited, port, transport }) in exposed {
        out.address(*source)?;
        write_times(out, *first_seen, *last_seen)?;
        out.number(*answers)?;
        out.number(*unsolicited)?;
        out.number((*port).into())?;
        out.octets(&[u8::from(*transport == Transport::Tcp)])?;
    }
    Ok(())
}

fn read_rendezvous(from: &mut Decoder<'_>) -> Option<Rendezvous> {
    let (first_seen, last_seen) = read_times(from)?;
    let (answers, unsolicited) = read_answers(from)?;
    let (addresses_left_out, exposed_left_out) = (read_count(from)?, read_count(from)?);
    let lifetime = from.small()?;
    let mut addresses = vec![];
    for _ in 0..from.number()?.min(MOST_ADDRESSES as u64 + 1) {
        addresses.push(from.address()?);
    }
    let mut servers = vec![];
    for _ in 0..from.number()?.min(MOST_SERVERS as u64 + 1) {
        // What was escaped stays so.
        servers.push(from.text().filter(|text| text.bytes().all(|octet| octet.is_ascii_graphic()))?.to_owned());
    }
    let mut exposed = BTreeMap::new();
    for _ in 0..from.number()? {
        let source = from.address()?;
        let (first_seen, last_seen) = read_times(from)?;
        let (answers, unsolicited) = read_answers(from)?;
        let (port, transport) = (from.small()?, read_transport(from)?);
        exposed.insert(source, Exposure { first_seen, last_seen, answers, unsolicited, port, transport });
    }
    let kept = addresses.len() <= MOST_ADDRESSES && servers.len() <= MOST_SERVERS && !addresses.is_empty();
    kept.then_some(Rendezvous {
        first_seen,
        last_seen,
        answers,
        unsolicited,
        addresses,
        addresses_left_out,
        lifetime,
        servers,
        exposed,
        exposed_left_out,
    })
}

/// How many answers there were, and how many of them nobody was seen to ask for.
fn read_answers(from: &mut Decoder<'_>) -> Option<(u64, u64)> {
    let (answers, unsolicited) = (read_count(from)?, read_count(from)?);
    (unsolicited <= answers).then_some((answers, unsolicited))
}
