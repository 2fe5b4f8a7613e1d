//! U+0085, which JSON keeps and YAML 1.1 takes for a line break.
//!
//! kustomize prints an object as JSON read as YAML (sigs.k8s.io/yaml): what
//! stands raw in a JSON string is folded as in any quoted scalar.

use gitops_yaml::{Mark, Node, Value};

const NEXT_LINE: char = '\u{85}';

/// Folds it in the strings of an object. A key must stand on one line: gives
/// the mark of one that does not, and what is wrong.
pub(crate) fn fold(node: &mut Node) -> Result<(), (Mark, String)> {
    match &mut node.value {
        Value::Scalar(scalar) => {
            // Its first byte is that of few other characters.
            if scalar.text.as_bytes().contains(&0xc2) && scalar.text.contains(NEXT_LINE) {
                scalar.text = folded(&scalar.text).into();
            }
        }
        Value::Sequence(items) => items.iter_mut().try_for_each(fold)?,
        Value::Mapping(entries) => {
            for (key, value) in entries {
                if crate::resource::raw(key).contains(NEXT_LINE) {
                    return Err((key.mark, "a key holds the line break U+0085".to_owned()));
                }
                fold(value)?;
            }
        }
    }
    Ok(())
}

/// One becomes a blank, several become one line break less, and the blanks
/// around them go.
fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NEXT_LINE) {
        out.push_str(rest[..at].trim_end_matches(' '));
        let after = rest[at..].trim_start_matches([NEXT_LINE, ' ']);
        match rest[at..rest.len() - after.len()].matches(NEXT_LINE).count() {
            1 => out.push(' '),
            several => out.push_str(&"\n".repeat(several - 1)),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs taken from `kustomize build` v5.8.1.
    #[test]
    fn a_next_line_folds_as_a_line_break_does() {
        for (text, expected) in
            [("x \u{85}  y", "x y"), ("\u{85}", " "), ("x\u{85} \u{85}\u{85}y", "x\n\ny")]
        {
            assert_eq!(folded(text), expected, "{text:?}");
        }
    }
}
