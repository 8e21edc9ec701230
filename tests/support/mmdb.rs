//! Databases in MaxMind's format, made from rows.

use std::net::{IpAddr, Ipv6Addr};

/// A value of the MaxMind DB format (its specification, "Data field format").
pub enum Field {
    Text(&'static str),
    Number(u32),
    Map(Vec<(&'static str, Field)>),
}

impl Field {
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                control(2, text.len(), to);
                to.extend(text.as_bytes());
            }
            Self::Number(number) => {
                control(6, 4, to);
                to.extend(number.to_be_bytes());
            }
            Self::Map(fields) => {
                control(7, fields.len(), to);
                for (name, field) in fields {
                    Self::Text(name).write(to);
                    field.write(to);
                }
            }
        }
    }
}

fn control(kind: u8, size: usize, to: &mut Vec<u8>) {
    to.push(kind << 5 | size.min(29) as u8);
    // What is longer says so in a further octet.
    to.extend(size.checked_sub(29).map(|more| more as u8));
}

/// A database of a type, IPv4 below ::/96, records of 24 bits.
pub fn database(of: &'static str, rows: &[(&str, Field)]) -> Vec<u8> {
    // Of a node the places of its halves; 0 is nothing, below 0 a row.
    let (mut nodes, mut data, mut places) = (vec![[0_i64; 2]], vec![], vec![]);
    for (number, (prefix, field)) in rows.iter().enumerate() {
        let (address, length) = prefix.split_once('/').unwrap();
        let (bits, length) = match address.parse().unwrap() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 96 + length.parse::<usize>().unwrap()),
            IpAddr::V6(v6) => (Ipv6Addr::to_bits(v6), length.parse().unwrap()),
        };
        let mut node = 0;
        for depth in 0..length {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == length {
                nodes[node][side] = -1 - number as i64;
            } else {
                if nodes[node][side] == 0 {
                    nodes[node][side] = nodes.len() as i64;
                    nodes.push([0; 2]);
                }
                node = nodes[node][side] as usize;
            }
        }
        places.push(data.len());
        field.write(&mut data);
    }
    let count = nodes.len();
    let mut octets = vec![];
    for half in nodes.iter().flatten() {
        let record = match *half {
            0 => count,
            node @ 1.. => node as usize,
            row => count + 16 + places[(-1 - row) as usize],
        };
        octets.extend(&(record as u32).to_be_bytes()[1..]);
    }
    octets.extend([0; 16]);
    octets.extend(data);
    octets.extend(b"\xAB\xCD\xEFMaxMind.com");
    // As the specification asks: 16 bits are type 5, 64 bits are extended type 2, an array extended type 4.
    control(7, 9, &mut octets);
    let mut name = |name: &'static str, value: &[u8]| {
        Field::Text(name).write(&mut octets);
        octets.extend(value);
    };
    let short = |number: u16| [&[5 << 5 | 2][..], &number.to_be_bytes()].concat();
    name("node_count", &[&[6 << 5 | 4][..], &(count as u32).to_be_bytes()].concat());
    name("record_size", &short(24));
    name("ip_version", &short(6));
    name("database_type", &[&[2 << 5 | of.len() as u8][..], of.as_bytes()].concat());
    name("languages", &[0, 4]);
    name("binary_format_major_version", &short(2));
    name("binary_format_minor_version", &short(0));
    name("build_epoch", &[&[8, 2][..], &1_238_493_600_u64.to_be_bytes()].concat());
    name("description", &[&[7 << 5 | 1, 2 << 5 | 2][..], b"en", &[2 << 5 | 4], b"test"].concat());
    octets
}

pub fn system(number: u32, name: &'static str) -> Field {
    Field::Map(vec![("autonomous_system_number", Field::Number(number)), ("autonomous_system_organization", Field::Text(name))])
}

pub fn country(code: &'static str) -> Field {
    Field::Map(vec![("country", Field::Map(vec![("iso_code", Field::Text(code))]))])
}
