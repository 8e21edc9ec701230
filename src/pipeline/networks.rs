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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;

    use super::*;
    use crate::ledger::Masking;

    #[test]
    fn each_label_has_its_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("networks");
        fs::write(&path, "192.0.2.0/24,a\n192.0.2.128/25,b\n198.51.100.0/24,c\n").unwrap();
        let mut networks = Networks::new(&Masking::default()).unwrap();
        networks.add_labels(&path).unwrap();
        let mut catalog = Catalog::default();
        ["conficker-a", "conficker-b"].into_iter().for_each(|id| catalog.add(id).unwrap());
        let mut count = NetworkCount::by(Some(Arc::new(networks)));
        let sources =
            [("192.0.2.1", 0, Verdict::Infected), ("192.0.2.2", 0, Verdict::Infected), ("192.0.2.200", 0, Verdict::Suspect)];
        let more =
            [("203.0.113.1", 1, Verdict::Infected), ("2001:db8::1", 1, Verdict::Suspect), ("192.0.2.1", 1, Verdict::Suspect)];
        let sources: HashMap<(FamilyId, IpAddr), Verdict> =
            sources.into_iter().chain(more).map(|(source, family, of)| ((family, source.parse().unwrap()), of)).collect();
        // A count begins anew each time.
        for _ in 0..2 {
            count.count(2, &sources);
        }
        let rows: Vec<_> =
            count.rows(&catalog).into_iter().map(|row| (row.family, row.network, row.suspect, row.infected)).collect();
        let wanted = [
            ("conficker-a", "a", 0, 2),
            ("conficker-a", "b", 1, 0),
            ("conficker-a", "c", 0, 0),
            ("conficker-a", "other", 0, 0),
            ("conficker-b", "a", 1, 0),
            ("conficker-b", "b", 0, 0),
            ("conficker-b", "c", 0, 0),
            ("conficker-b", "other", 1, 1),
        ];
        assert_eq!(
            rows,
            wanted.map(|(family, network, suspect, infected)| (family.to_owned(), network.to_owned(), suspect, infected))
        );
        let mut none = NetworkCount::by(None);
        none.count(2, &sources);
        assert_eq!(none.rows(&catalog), []);
    }
}
