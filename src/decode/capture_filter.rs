//! What a kernel must pass so that no DNS message is missed, and encrypted ones are counted: an expression of pcap-filter(7).
//!
//! Only what is plain is left out: ARP, and IP packets straight in the frame that are not fragments and carry UDP, TCP or
//! another common protocol without a port that we look at. Whatever else a frame holds, tags, labels, PPPoE, tunnels, is
//! passed and decoded here. So the expression needs none of the keywords that look behind a tag (`vlan`, `mpls`,
//! `pppoes`): these move all that follows them, and the kernel takes the outermost tag off before it asks.

use super::{Config, QUIC_PORTS, TLS_PORT, tunnel};

/// IP protocols without DNS that are common enough to be worth leaving out: ICMP, IGMP, TCP, UDP, ESP, ICMPv6. TCP and
/// UDP are told by ports.
const PLAIN: [u8; 6] = [1, 2, 6, 17, 50, 58];

impl Config {
    /// The expression.
    pub fn capture_filter(&self) -> String {
        let is_dns = |port: &u16| self.is_dns(*port, *port);
        let dns = any((0..=u16::MAX).filter(is_dns).map(|port| format!("port {port}")));
        let tunnels = any((0..=u16::MAX).filter(|port| tunnel::on_port(*port).is_some()).map(|port| format!("port {port}")));
        let quic = any(QUIC_PORTS.iter().map(|port| format!("port {port}")));
        let other = |field: &str| PLAIN.map(|protocol| format!("{field} != {protocol}")).join(" and ");
        let (v4, v6) = (other("ip[9]"), other("ip6[6]"));
        [
            "not (ip or ip6 or arp)".to_owned(),
            // More fragments, or an offset (RFC 791).
            format!("(ip and (ip[6:2] & 0x3fff != 0 or ({v4})))"),
            format!("(ip6 and {v6})"),
            format!("(udp and ({dns} or {tunnels} or {quic}))"),
            format!("(tcp and ({dns} or port {TLS_PORT}))"),
        ]
        .join(" or ")
    }
}

fn any(terms: impl Iterator<Item = String>) -> String {
    terms.collect::<Vec<_>>().join(" or ")
}
