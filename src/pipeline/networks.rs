//! Sources of a sensor by the labels of their networks: counted when a snapshot is due, bounded by the number of labels.

use std::net::IpAddr;
use std::sync::Arc;

use crate::dga::{Catalog, FamilyId};
use crate::export::Networks;
use crate::export::snapshot::NetworkSources;
use crate::ledger::Verdict;

/// Counts by family, then by label.
#[derive(Default)]
pub(super) struct NetworkCount {
    /// None where there is no label.
    networks: Option<Arc<Networks>>,
    /// Suspect and infected sources; the last row of a family has those without a label.
    counts: Vec<Vec<(u64, u64)>>,
}

impl NetworkCount {
    pub(super) fn by(networks: Option<Arc<Networks>>) -> Self {
        Self { networks: networks.filter(|networks| !networks.labels().is_empty()), counts: vec![] }
    }

    /// Counts sources of so many families anew, each once a family.
    pub(super) fn count<'a>(
        &mut self,
        families: usize,
        sources: impl IntoIterator<Item = (&'a (FamilyId, IpAddr), &'a Verdict)>,
    ) {
        let Some(networks) = &self.networks else { return };
        let labels = networks.labels().len();
        self.counts = vec![vec![(0, 0); labels + 1]; families];
        for (&(family, source), verdict) in sources {
            let (suspect, infected) = &mut self.counts[usize::from(family)][networks.label(source).unwrap_or(labels)];
            *(if *verdict == Verdict::Infected { infected } else { suspect }) += 1;
        }
    }

    /// A row for each family and label.
    pub(super) fn rows(&self, catalog: &Catalog) -> Vec<NetworkSources> {
        let Some(networks) = &self.networks else { return vec![] };
        let labels = || networks.labels().iter().map(String::as_str).chain([Networks::OTHER]);
        let of_family = catalog.iter().zip(&self.counts).flat_map(|((_, family), counts)| {
            labels().zip(counts).map(move |(network, &(suspect, infected))| NetworkSources {
                network: network.to_owned(),
                family: family.id().to_owned(),
                suspect,
                infected,
            })
        });
        of_family.collect()
    }
}
