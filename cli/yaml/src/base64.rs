//! Standard base64 with padding, line breaks ignored: Go's `StdEncoding`.

/// The bytes, or `None` where the text is not base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut group: u32 = 0;
    let mut digits = 0;
    let mut padding = 0;
    for byte in text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        if byte == b'=' && digits + padding < 4 && digits >= 2 {
            padding += 1;
            continue;
        }
        if padding > 0 {
            return None;
        }
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        group = group << 6 | u32::from(digit);
        digits += 1;
        if digits == 4 {
            out.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, digits) = (0, 0);
        }
    }
    if (digits, padding) != (0, 0) {
        if digits + padding != 4 {
            return None;
        }
        group <<= 6 * padding;
        out.extend_from_slice(&group.to_be_bytes()[1..digits]);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups() {
        let cases: &[(&str, Option<&[u8]>)] = &[
            ("", Some(b"")),
            ("aGVsbG8=", Some(b"hello")),
            ("aGVs\nbG8=\n", Some(b"hello")),
            ("aA==", Some(b"h")),
            ("aGVs", Some(b"hel")),
            ("aGV", None),
            ("aA=", None),
            ("aA===", None),
            ("=", None),
            ("aA==aA==", None),
            ("a b=", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(decode(text).as_deref(), *bytes, "{text:?}");
        }
    }
}
