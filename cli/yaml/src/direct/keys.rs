//! Keys that stand twice in a mapping: refused in one dialect, the last one
//! counts in the other, and both are left to the authority.

use super::{Reader, take};
use crate::{Node, Value};

/// Keys of a mapping that are compared one by one; more are sorted at its end.
const FEW: usize = 64;

impl Reader<'_> {
    /// Compares a key with those of its mapping, whose entries begin at `from`,
    /// and gives its signature.
    pub(super) fn new_key(&self, from: usize, key: &Node) -> Option<u64> {
        let text = text(key);
        let own = signature(text.as_bytes());
        let others = &self.signatures[from..];
        if others.len() < FEW {
            let twice = |(at, other): (usize, &u64)| {
                *other == own && self::text(&self.entries[from + at].0) == text
            };
            if others.iter().enumerate().any(twice) {
                return None;
            }
        }
        Some(own)
    }

    pub(super) fn push_entry(&mut self, signature: u64, key: Node, value: Node) {
        self.signatures.push(signature);
        self.entries.push((key, value));
    }

    /// The entries of the mapping that began at `from`.
    pub(super) fn take_entries(&mut self, from: usize) -> Option<Vec<(Node, Node)>> {
        self.signatures.truncate(from);
        let entries = take(&mut self.entries, from);
        if entries.len() > FEW {
            let mut keys: Vec<&str> = entries.iter().map(|(key, _)| text(key)).collect();
            keys.sort_unstable();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                return None;
            }
        }
        Some(entries)
    }
}

fn text(key: &Node) -> &str {
    match &key.value {
        Value::Scalar(scalar) => &scalar.text,
        _ => "",
    }
}

/// Equal for equal keys, and seldom for others.
fn signature(key: &[u8]) -> u64 {
    let length = key.len() as u64;
    let four = |at: usize| {
        let word = [key[at], key[at + 1], key[at + 2], key[at + 3]];
        u64::from(u32::from_le_bytes(word))
    };
    let bytes = match key.len() {
        0 => 0,
        1..4 => {
            let (first, middle, last) = (key[0], key[key.len() / 2], key[key.len() - 1]);
            u64::from(first) << 16 | u64::from(middle) << 8 | u64::from(last)
        }
        4..9 => four(0) << 32 | four(key.len() - 4),
        _ => (four(0) << 32 | four(key.len() - 4)) ^ four(4).rotate_left(16),
    };
    bytes ^ length.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
