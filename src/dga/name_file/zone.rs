//! Zone files (RFC 1035 §5.1), as far as names need: origins, owners that are left out, parentheses, quotes and comments.
//!
//! What a response policy zone says of a name is in its record: `CNAME .` refuses it, `CNAME rpz-passthru.` lets it pass
//! (draft-vixie-dnsop-dns-rpz). Owners that are no names but triggers of other kinds (`rpz-ip` and the like), and wildcards, are
//! left out.

use crate::name::Name;

/// A zone that is being read.
#[derive(Default)]
pub(super) struct Zone {
    /// What names without a final dot end in, once a directive said so.
    origin: Option<Name>,
    /// The zone's own name, once its SOA record came.
    apex: Option<Name>,
    /// The owner of the last record.
    owner: Option<Name>,
    /// Parentheses that are open.
    depth: usize,
    /// Whether a quoted text is open.
    quoted: bool,
}

/// A record that begins on this line.
struct Record {
    kind: Vec<u8>,
    first_of_data: Vec<u8>,
    /// Whether the owner was written without a final dot.
    relative: bool,
}

impl Zone {
    /// Reports the name that a line of a response policy zone refuses.
    pub(super) fn policy(&mut self, line: &[u8], each: &mut dyn FnMut(&Name)) -> Result<(), String> {
        let Some(record) = self.record(line)? else { return Ok(()) };
        let passes = record.kind == b"CNAME" && record.first_of_data.eq_ignore_ascii_case(b"rpz-passthru.");
        if passes || !matches!(&*record.kind, b"CNAME" | b"A" | b"AAAA" | b"TXT" | b"MX") {
            return Ok(());
        }
        let Some(owner) = &self.owner else { return Ok(()) };
        let apex = self.apex.as_ref().filter(|apex| **apex != Name::root());
        let name = match apex {
            Some(apex) => owner.strip_suffix(apex),
            None => Some(owner.clone()),
        };
        // The zone's own records, and what lies outside it, refuse nothing.
        if let Some(name) = name.filter(|name| *name != Name::root() && is_a_name(name)) {
            each(&name);
        }
        Ok(())
    }

    /// Reports the owner of the record on a line, if there is one.
    pub(super) fn owner(&mut self, line: &[u8], each: &mut dyn FnMut(&Name)) -> Result<(), String> {
        let Some(record) = self.record(line)? else { return Ok(()) };
        if record.relative && self.origin.is_none() && self.apex.is_none() {
            return Err("has a name without a final dot, and no $ORIGIN came before".to_owned());
        }
        if let Some(owner) = self.owner.as_ref().filter(|owner| **owner != Name::root() && is_a_name(owner)) {
            each(owner);
        }
        Ok(())
    }

    /// Reads a line; the record that begins on it.
    fn record(&mut self, line: &[u8]) -> Result<Option<Record>, String> {
        let continued = self.depth > 0 || self.quoted;
        let words = self.words(line);
        if continued || words.is_empty() {
            return Ok(None);
        }
        if words[0].eq_ignore_ascii_case(b"$ORIGIN") {
            let origin = words.get(1).ok_or("has no origin")?;
            self.origin = Some(self.absolute(origin)?);
            return Ok(None);
        }
        if words[0].starts_with(b"$") {
            return Ok(None);
        }
        let mut rest = &words[..];
        let mut relative = false;
        if !line.first().is_some_and(u8::is_ascii_whitespace) {
            relative = !is_absolute(&words[0]);
            self.owner = Some(self.absolute(&words[0])?);
            rest = &rest[1..];
        }
        // Time to live and class come in either order, or not at all.
        while rest.first().is_some_and(|word| is_time(word) || is_class(word)) {
            rest = &rest[1..];
        }
        let kind = rest.first().ok_or("ends before the type of the record")?.to_ascii_uppercase();
        if kind == b"SOA" {
            self.apex = self.owner.clone();
            return Ok(None);
        }
        Ok(Some(Record { kind, first_of_data: rest.get(1).cloned().unwrap_or_default(), relative }))
    }

    /// The words of a line up to its comment; keeps count of parentheses and quotes.
    fn words(&mut self, line: &[u8]) -> Vec<Vec<u8>> {
        let mut words = vec![];
        let mut word = vec![];
        let mut octets = line.iter().copied();
        while let Some(octet) = octets.next() {
            match octet {
                b'\\' => {
                    word.push(octet);
                    word.extend(octets.next());
                }
                b'"' => self.quoted = !self.quoted,
                _ if self.quoted => word.push(octet),
                b';' => break,
                b'(' => self.depth += 1,
                b')' => self.depth = self.depth.saturating_sub(1),
                b' ' | b'\t' | b'\r' if word.is_empty() => {}
                b' ' | b'\t' | b'\r' => words.push(std::mem::take(&mut word)),
                _ => word.push(octet),
            }
        }
        // A quoted text ends with its line: no name holds a line break.
        self.quoted = false;
        if !word.is_empty() {
            words.push(word);
        }
        words
    }

    /// A name as it stands, or under the origin.
    fn absolute(&self, word: &[u8]) -> Result<Name, String> {
        let origin = self.origin.as_ref().or(self.apex.as_ref());
        if word == b"@" {
            return Ok(origin.cloned().unwrap_or_else(Name::root));
        }
        let fault = |why: &str| format!("`{}` {why}", word.escape_ascii());
        let text = std::str::from_utf8(word).map_err(|_| fault("is not UTF-8 text"))?;
        match origin.filter(|origin| **origin != Name::root() && !is_absolute(word)) {
            Some(origin) => Name::parse(&format!("{text}.{origin}")).map_err(fault),
            None => Name::parse(text).map_err(fault),
        }
    }
}

/// Whether a line holds what only response policy zones hold.
pub(super) fn is_policy(line: &[u8]) -> bool {
    let upper = line.to_ascii_uppercase();
    let mut words = upper.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip_while(|word| *word != b"CNAME");
    words.next().is_some() && words.next().is_some_and(|data| matches!(data, b"." | b"*.") || data.starts_with(b"RPZ-"))
}

/// A name proper: no wildcard, and none of the triggers that stand under `rpz-ip`, `rpz-nsdname` and the like.
fn is_a_name(name: &Name) -> bool {
    let mut rest = name.as_wire();
    let mut last: &[u8] = b"";
    if rest.starts_with(b"\x01*") {
        return false;
    }
    while let Some((&length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        (last, rest) = after.split_at(usize::from(length));
    }
    !last.starts_with(b"rpz-")
}

/// Whether a name is written with its final dot. One behind a backslash is part of a label.
fn is_absolute(word: &[u8]) -> bool {
    let before = word.strip_suffix(b".");
    before.is_some_and(|before| before.iter().rev().take_while(|octet| **octet == b'\\').count() % 2 == 0)
}

fn is_time(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_digit)
        && word.iter().all(|octet| octet.is_ascii_digit() || b"smhdwSMHDW".contains(octet))
}

fn is_class(word: &[u8]) -> bool {
    [&b"IN"[..], b"CH", b"HS"].iter().any(|class| word.eq_ignore_ascii_case(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = fn(&mut Zone, &[u8], &mut dyn FnMut(&Name)) -> Result<(), String>;

    fn read(read: Read, text: &str) -> Result<String, String> {
        let mut zone = Zone::default();
        let mut names = vec![];
        for line in text.lines() {
            read(&mut zone, line.as_bytes(), &mut |name| names.push(name.to_string()))?;
        }
        Ok(names.join(" "))
    }

    #[test]
    fn policies() {
        let text = "$TTL 1h ; c\n@ IN SOA localhost. root.localhost. (\n 1 2 ; x )\n 3 4 5 )\n  NS localhost.\na.example CNAME .\n*.a.example CNAME .\nB.example 300 IN cname *.\nok.example CNAME rpz-passthru.\n32.1.0.0.127.rpz-ip CNAME .\nc.example IN 60 A 10.0.0.1\n  AAAA ::1\nt.example TXT \"; not ( a comment\"\nd\\.e.example CNAME rpz-drop.\n";
        assert_eq!(read(Zone::policy, text).as_deref(), Ok("a.example b.example c.example c.example t.example d\\.e.example"));
        // The same under an origin, and with whole names.
        for text in [
            "$ORIGIN rpz.corp.\n@ SOA a. b. 1 2 3 4 5\na.example CNAME .\nb.example.rpz.corp. CNAME .\nc.example. CNAME .\n",
            "rpz.corp. 60 IN SOA a. b. 1 2 3 4 5\nrpz.corp. 60 IN NS localhost.\na.example.rpz.corp. 60 IN CNAME .\nb.example CNAME .\n",
        ] {
            assert_eq!(read(Zone::policy, text).as_deref(), Ok("a.example b.example"), "{text}");
        }
        assert_eq!(read(Zone::policy, "a..b CNAME .").unwrap_err(), "`a..b` has an empty label");
        assert_eq!(read(Zone::policy, "a.b 60 IN").unwrap_err(), "ends before the type of the record");
    }

    #[test]
    fn owners() {
        let text = "$ORIGIN org.\n@ 900 IN SOA a. b. 1 2 3 4 5\npraat NS ns1.praat\n NS ns2\nx.net. NS y.\n* A 10.0.0.1\n";
        assert_eq!(read(Zone::owner, text).as_deref(), Ok("praat.org praat.org x.net"));
        assert!(read(Zone::owner, "praat NS x.").unwrap_err().contains("no $ORIGIN"));
    }
}
