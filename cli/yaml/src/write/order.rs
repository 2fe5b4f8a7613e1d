//! The order in which go-yaml v2 writes the keys of a mapping.

use std::cmp::Ordering;

/// Sorts entries by key: a merge sort of our own, since go-yaml's order is not
/// transitive for every set of keys, which the standard library's sorts may
/// answer with a panic.
pub(super) fn sort<T: Copy>(entries: &mut [(&str, T)]) {
    const SMALL: usize = 12;
    if entries.len() <= SMALL {
        for end in 1..entries.len() {
            let mut at = end;
            while at > 0 && key_order(entries[at].0, entries[at - 1].0) == Ordering::Less {
                entries.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let middle = entries.len() / 2;
    sort(&mut entries[..middle]);
    sort(&mut entries[middle..]);
    let left = entries[..middle].to_vec();
    let (mut from_left, mut from_right) = (0, middle);
    for to in 0..entries.len() {
        // What is left of the right half stands where it belongs.
        let Some(one) = left.get(from_left) else { return };
        let right = entries.get(from_right);
        if let Some(two) = right.filter(|two| key_order(two.0, one.0) == Ordering::Less) {
            entries[to] = *two;
            from_right += 1;
        } else {
            entries[to] = *one;
            from_left += 1;
        }
    }
}

/// go-yaml v2's `keyList.Less`: letters after everything else, runs of digits
/// by their value. Digits are the ASCII ones here.
pub(super) fn key_order(a: &str, b: &str) -> Ordering {
    // Most keys differ first in two ASCII letters.
    if let Some((x, y)) = a.bytes().zip(b.bytes()).find(|(x, y)| x != y)
        && x.is_ascii_alphabetic()
        && y.is_ascii_alphabetic()
    {
        return x.cmp(&y);
    }
    let is_digit = |c: &char| c.is_ascii_digit();
    let common = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    let common: usize = common.map(|(c, _)| c.len_utf8()).sum();
    let (rest_a, rest_b) = (&a[common..], &b[common..]);
    let (Some(x), Some(y)) = (rest_a.chars().next(), rest_b.chars().next()) else {
        return rest_a.len().cmp(&rest_b.len());
    };
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // Leading zeros count when they continue a number.
    let continues = (x == '0' || y == '0')
        && a[..common].chars().rev().take_while(is_digit).any(|digit| digit != '0');
    let number = |rest: &str| {
        rest.chars().take_while(is_digit).fold(
            (i64::from(continues), 0),
            |(value, count), digit| {
                let digit = i64::from(u32::from(digit) - u32::from('0'));
                (value.wrapping_mul(10).wrapping_add(digit), count + 1)
            },
        )
    };
    number(rest_a).cmp(&number(rest_b)).then(x.cmp(&y))
}
