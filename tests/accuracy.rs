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

use whole_path::{day, figures, infected, resolver, told};

/// Above a resolver that denies from signed gaps fewer names are seen; the suffixes that lack them are told, and left out.
#[test]
fn signed_gaps_are_told() {
    let c = "conficker-c";
    let above = |aggressive: bool, share: f64| {
        let text = format!("[answers]\nnegative_ttl = 10800\nsigned = {{ share = {share}, names = [50, 500] }}\n")
            + &resolver("r", "192.0.2.53", "upstream", &format!("aggressive_nsec = {aggressive}"))
            + &infected(c, 200, "10.0.0.0/16", "r", "first_round_within = \"17h\"");
        let told = told(&day(&text), 3, &[c], 0.0);
        let row = told.source(c, "2009-04-01", "192.0.2.53").cloned().unwrap_or_default();
        let caveats = row["hosts"]["caveats"].to_string();
        let is_told = caveats.contains("signed gaps") || caveats.contains("zones are signed");
        (row["distinct_names"].as_u64().unwrap_or(0), figures(&row), is_told, row["refused"].to_string())
    };
    let (all, plain, is_told, _) = above(false, 0.3);
    assert!(!is_told && plain.is_some_and(|(low, _, high)| low <= 200 && high.is_some_and(|high| high >= 200)), "{plain:?}");
    let (some, counted, is_told, _) = above(true, 0.3);
    let (low, best, high) = counted.unwrap_or_default();
    assert!(20 * some < 19 * all && is_told, "{some} of {all} names, {counted:?}");
    assert!(best >= 180 && low <= 200 && high.is_some_and(|high| high >= 200), "{counted:?}");
    // Where all zones are signed alike all suffixes lack names alike; whether the resolver makes use of it cannot be seen.
    for aggressive in [true, false] {
        let (names, counted, is_told, refused) = above(aggressive, 1.0);
        let open =
            is_told && counted.is_some_and(|(low, best, high)| low <= 200 && high.is_none() && (aggressive || best >= 190));
        assert!(open || aggressive && refused.contains("signed gaps"), "{names} names, {counted:?} {refused}");
    }
    // Where most suffixes lack names nobody knows how many are complete.
    let (fewer, counted, is_told, refused) = above(true, 0.9);
    assert!(fewer < some && (refused.contains("signed gaps") || is_told), "{counted:?} {refused}");
}

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
