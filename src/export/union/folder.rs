//! Folders of Parquet files as reports to be merged: they hold evidence, and nothing of packets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;

use super::head::{AtMost, By, Capture, Family, List, ListDay, Moment, ReportHead, Tally};
use super::{MASKED_OTHERWISE, MOST_SERVERS, ReportUnion, family_of};
use crate::export::networks::is_printable;
use crate::export::parquet::{read_evidence, read_lists, read_servers};
use crate::export::{Desk, Grouping, Origin};
use crate::ledger::Role;

impl ReportHead {
    /// Reads what a folder says beside its sources, which are counted. It may hold the files of many sensors.
    ///
    /// # Errors
    /// One sentence, with the file: it is none of ours, it is damaged, or it does not go with others.
    pub fn of_folder(folder: &Path) -> Result<Self, String> {
        let mut head = Self { schema: 1, by_name: true, ..Self::default() };
        let (mut lists, mut sensors, mut masking) = (BTreeMap::new(), BTreeSet::new(), None);
        read_lists(folder, &mut |row| {
            if *masking.get_or_insert_with(|| row.masking.clone()) != row.masking {
                return Err(MASKED_OTHERWISE.to_owned());
            }
            let known = *lists.entry((row.family, row.list_day)).or_insert(row.names);
            if known == row.names { Ok(()) } else { Err("means other names by a list than a file before".to_owned()) }
        })?;
        let mut servers: BTreeSet<IpAddr> = BTreeSet::new();
        read_servers(folder, &mut |row| {
            if servers.len() < MOST_SERVERS {
                servers.insert(row.server);
            }
            Ok(())
        })?;
        head.masking = masking.flatten();
        let (mut labelled, mut span) = (false, None);
        read_evidence(folder, &mut |row| {
            if !Desk::is_sensor(&row.sensor) {
                return Err("has a `sensor` that cannot be one".to_owned());
            }
            if !lists.contains_key(&(row.family.clone(), row.list_day)) {
                return Err(format!("is of a list that no file of lists has: {}, {}", row.family.escape_debug(), row.list_day));
            }
            sensors.insert(row.sensor);
            labelled |= row.network.is_some();
            let (first, last) = span.unwrap_or((row.first_seen, row.last_seen));
            span = Some((row.first_seen.min(first), row.last_seen.max(last)));
            // Estimates reckon with one share for all.
            head.capture_loss = row.capture_loss.filter(|loss| (0.0..1.0).contains(loss)).unwrap_or(0.0).max(head.capture_loss);
            head.sources.0 += 1;
            Ok(())
        })?;
        if head.sources.0 == 0 {
            return Err(format!("{} holds no evidence of dgawatch: there is none in files under evidence/", folder.display()));
        }
        // What was watched is not told: from the first evidence to the last.
        let (first_packet, last_packet) = (span.map(|(first, _)| Moment(first)), span.map(|(_, last)| Moment(last)));
        let path = folder.display().to_string();
        let none = Tally::default();
        let (packets, bytes) = (none, none);
        let capture = Capture { path, packets, bytes, first_packet, last_packet, error: None, sensor: None, capture_loss: None };
        head.captures = AtMost(vec![capture]);
        head.sensor = sensors.pop_first().filter(|_| sensors.is_empty());
        let families: BTreeSet<&String> = lists.keys().map(|(family, _)| family).collect();
        let family = |family: &String| Family { family: family.clone(), answers: BTreeMap::new() };
        head.families = AtMost(families.into_iter().map(family).collect());
        let list = |((family, list_day), names)| List { family, list_day: ListDay(list_day), names, mark: None };
        head.lists = AtMost(lists.into_iter().map(list).collect());
        head.servers = AtMost(servers.into_iter().collect());
        head.networks.extend(labelled.then(|| By { by: Grouping::Network.label().to_owned() }));
        Ok(head)
    }
}

impl ReportUnion {
    /// Adds the sources of a folder.
    ///
    /// # Errors
    /// As [`ReportHead::of_folder`].
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), String> {
        let Self { catalog, ledger, origins, networks, .. } = self;
        read_evidence(folder, &mut |mut row| {
            let family = family_of(catalog, &row.family)?;
            *networks |= row.role == Role::Unknown;
            let network = row.network.take();
            if !network.iter().all(|label| is_printable(label)) {
                return Err("has the name of a network that cannot be shown".to_owned());
            }
            let record = row.into_portable(family)?;
            ledger.absorb(&record, catalog)?;
            if network.is_some() {
                let known = origins.entry(record.key.source).or_default();
                *known = std::mem::take(known).or(Origin { network, ..Origin::default() });
            }
            Ok(())
        })
    }
}
