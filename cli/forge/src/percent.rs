//! Percent encoding, as RFC 3986 section 2 has it.

/// `text` with every byte encoded but the unreserved ones and those in `kept`.
pub(crate) fn encode(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || kept.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `text` with encoded bytes decoded; `None` when the bytes are not UTF-8. A `%`
/// without two digits after it stays.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for (text, encoded) in [
            ("main", "main"),
            ("release/web", "release/web"),
            ("a b&c=d#e?f%g+h", "a%20b%26c%3Dd%23e%3Ff%25g%2Bh"),
            ("é", "%C3%A9"),
            ("", ""),
        ] {
            assert_eq!(encode(text, "/"), encoded);
            assert_eq!(decode(encoded).as_deref(), Some(text));
        }
        assert_eq!(encode("a/b", ""), "a%2Fb");
        assert_eq!(decode("100%").as_deref(), Some("100%"));
        assert_eq!(decode("%+1").as_deref(), Some("%+1"));
        assert_eq!(decode("%FF"), None);
    }
}
