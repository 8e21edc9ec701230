//! Where to look for DNS, alike for every command that reads packets.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use dgawatch::decode::{Config, Tunnel};

#[derive(Args)]
pub(super) struct Decoding {
    /// Further ports to look for DNS on, beside 53, 5353 and 5355
    #[arg(long = "port", value_name = "PORT", value_delimiter = ',')]
    ports: Vec<u16>,

    /// Tunnels not to look into; packets in them count as `encapsulated`
    #[arg(long = "no-tunnel", value_name = "TUNNEL", value_delimiter = ',', value_parser = tunnels())]
    closed: Vec<Tunnel>,
}

impl Decoding {
    pub(super) fn config(&self) -> Config {
        Config::new(&self.ports, &self.closed)
    }
}

fn tunnels() -> impl TypedValueParser<Value = Tunnel> {
    PossibleValuesParser::new(Tunnel::ALL.map(Tunnel::label)).map(|label| {
        let known = Tunnel::ALL.into_iter().find(|tunnel| tunnel.label() == label);
        known.expect("only labels of tunnels are let through")
    })
}
