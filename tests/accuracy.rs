//! Estimates against simulated truth: a part of the bars that `make accept` measures in full, and that the document says what
//! they ask for.

#[path = "support/acceptance.rs"]
mod acceptance;
#[path = "support/bars.rs"]
mod bars;
#[path = "support/bars_whole.rs"]
mod bars_whole;
#[path = "support/hosts.rs"]
mod hosts;
#[path = "support/sections.rs"]
mod sections;
#[path = "support/whole_path.rs"]
mod whole_path;

#[test]
fn bars_are_cleared_and_documented() {
    let document = include_str!("../docs/ACCURACY.md");
    let sections = acceptance::sections(&acceptance::PART);
    let missed: String = sections.iter().map(sections::Section::missed).collect();
    assert!(missed.is_empty() && sections.iter().all(sections::Section::is_cleared), "{missed}");
    for section in &sections {
        assert!(document.contains(&section.head()), "docs/ACCURACY.md (`make accept` writes it) lacks:\n{}", section.head());
    }
    let numbers: std::collections::BTreeSet<u32> = sections.iter().map(|section| section.number).collect();
    assert_eq!(numbers, (1..=13).collect());
}
