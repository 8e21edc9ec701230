//! Any compiled watchlist: refused in a sentence, or lists that find no name but their own.

#![no_main]

use dgawatch::watchlist::{Image, List};
use libfuzzer_sys::fuzz_target;
use memmap2::MmapMut;

/// Octets of the header and of the end.
const HEADER: usize = 64;
const END: usize = 32;

fuzz_target!(|octets: &[u8]| {
    if octets.is_empty() {
        return;
    }
    // The checksum keeps nearly everything out: what would come behind it is tried with a right one too.
    for octets in [octets.to_vec(), sealed(octets)] {
        let mut map = MmapMut::map_anon(octets.len()).expect("there is memory");
        map.copy_from_slice(&octets);
        match Image::open(map.make_read_only().expect("memory can be read")) {
            Err(why) => assert!(!why.is_empty() && !why.contains('\n')),
            Ok(image) => look_up(&image),
        }
    }
});

fn look_up(image: &Image) {
    let hasher = image.hasher();
    let _ = image.check();
    for (family, edition, count, _) in image.lists().take(16) {
        let Some(list) = image.list(family, edition) else { continue };
        for place in (0..count.min(16)).chain([count - 1]) {
            let name = list.names().name(place);
            if let Some(found) = list.find(List::hash(&hasher, &name), &name) {
                assert_eq!(list.names().name(found), name);
            }
        }
    }
}

/// With the length, the length of the table and the checksum that it should have.
fn sealed(octets: &[u8]) -> Vec<u8> {
    let mut file = octets.to_vec();
    let Some(end) = file.len().checked_sub(END).filter(|end| *end >= HEADER) else { return file };
    let table = u64::from_le_bytes(file[end..end + 8].try_into().expect("eight octets"));
    let Some(table) = usize::try_from(table).ok().filter(|table| (HEADER..=end).contains(table)) else { return file };
    let length = file.len() as u64;
    file[end + 8..end + 16].copy_from_slice(&((end - table) as u64).to_le_bytes());
    file[end + 16..end + 24].copy_from_slice(&length.to_le_bytes());
    let mut crc = u32::MAX;
    for octet in file[..HEADER].iter().chain(&file[table..end + 24]) {
        crc ^= u32::from(*octet);
        for _ in 0..8 {
            crc = if crc & 1 > 0 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    file[end + 24..end + 28].copy_from_slice(&(!crc).to_le_bytes());
    file
}
