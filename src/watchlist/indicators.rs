//! Names that worms ask for besides those they generate. Too weak to accuse anybody: shown beside evidence, as context.
//!
//! Honest people ask for public-address checks as well, and the fixed name was in every newspaper.

/// What else the hosts of a worm ask for.
pub(super) struct Indicators {
    /// The worm, as its families name it.
    pub(super) worm: &'static str,
    /// The name of the set in reports.
    pub(super) set: &'static str,
    /// One pattern a line, as users write theirs.
    pub(super) text: &'static str,
}

pub(super) const BUILT_IN: [Indicators; 1] = [Indicators { worm: "conficker", set: "conficker-indicators", text: CONFICKER }];

/// * trafficconverter.biz: variant A fetches `/4vir/antispyware/loadadv.exe` there; a sinkhole still saw `Host:
///   trafficconverter.biz` on 30 May 2011 (two records of ISC's SIE, kept as test data of the Ruby binding of nmsg).
/// * getmyip.org, getmyip.co.uk, checkip.dyndns.org: where a host learns the address that others reach it at, to hand it
///   to its victims; P. Porras, H. Saïdi and V. Yegneswaran, "An Analysis of Conficker's Logic and Rendezvous Points",
///   SRI International, 2009, as retold in job-1994/ConfickerWiki (GitHub, commit 67d27dd), "Installing the binary".
const CONFICKER: &str = "\
trafficconverter.biz, fixed name of variant A
getmyip.org, public-address check
getmyip.co.uk, public-address check
checkip.dyndns.org, public-address check
";
