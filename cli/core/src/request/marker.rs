//! The marker: which promotion a request is of, and which plan it stands for.

use serde_json::Value;

/// What the hidden last line of a request's body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The apps, joined by `+`, and the environment: `web/prod`.
    pub promotion: String,
    /// The digest of the plan.
    pub plan: String,
    /// The digest of its edits.
    pub change: String,
}

const START: &str = "<!-- kubectl-gitops: ";
const END: &str = " -->";

impl Marker {
    /// The line. Nothing in it ends the comment that hides it.
    pub fn line(&self) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let (promotion, plan, change) =
            (text(&self.promotion), text(&self.plan), text(&self.change));
        let json = format!("{{\"promotion\":{promotion},\"plan\":{plan},\"change\":{change}}}");
        let mut line = String::from(START);
        for letter in json.chars() {
            match letter {
                // Two dashes end a comment, and so does `>` in some readers. Both
                // stand only inside of texts.
                '-' if line.ends_with('-') => line.push_str("\\u002d"),
                '<' => line.push_str("\\u003c"),
                '>' => line.push_str("\\u003e"),
                letter => line.push(letter),
            }
        }
        line.push_str(END);
        line
    }

    /// The marker of a body: its last line that is one. Text before it may say
    /// what it likes.
    pub fn find(body: &str) -> Option<Marker> {
        body.lines().rev().find_map(|line| {
            let json = line.trim().strip_prefix(START)?.strip_suffix(END)?;
            let json: Value = serde_json::from_str(json).ok()?;
            let text = |key: &str| json.get(key)?.as_str().map(str::to_owned);
            let (promotion, plan, change) = (text("promotion")?, text("plan")?, text("change")?);
            Some(Marker { promotion, plan, change })
        })
    }
}

/// A request's body: the text, and the marker as its last line. A text that
/// would take it over `limit` letters is cut.
pub fn body(text: &str, marker: &Marker, limit: usize) -> String {
    const CUT: &str = "\n\n(cut: the forge takes no longer text)";
    let line = marker.line();
    let text = text.trim_end();
    let between = if text.is_empty() { "" } else { "\n\n" };
    let room = limit.saturating_sub(line.chars().count() + 2);
    if text.chars().count() <= room {
        return format!("{text}{between}{line}");
    }
    let kept: String = text.chars().take(room.saturating_sub(CUT.chars().count())).collect();
    format!("{kept}{CUT}\n\n{line}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn marker(promotion: &str) -> Marker {
        Marker {
            promotion: promotion.to_owned(),
            plan: "sha256:aa".to_owned(),
            change: "sha256:bb".to_owned(),
        }
    }

    #[test]
    fn the_last_marker_counts() {
        let text = body(&format!("text\n{}", marker("evil/prod").line()), &marker("web/prod"), 900);
        assert_eq!(Marker::find(&text).unwrap().promotion, "web/prod");
        assert_eq!(Marker::find("no marker"), None);
        assert_eq!(Marker::find("<!-- kubectl-gitops: {} -->"), None);
        // A forge's editor may change how lines end.
        assert_eq!(Marker::find(&text.replace('\n', "\r\n")), Some(marker("web/prod")));
    }

    #[test]
    fn a_body_is_cut_before_its_marker() {
        let long = "é".repeat(5000);
        let text = body(&long, &marker("web/prod"), 1000);
        assert!(text.chars().count() <= 1000, "{}", text.chars().count());
        assert_eq!(Marker::find(&text), Some(marker("web/prod")));
        assert!(text.contains("(cut:"));
    }

    proptest! {
        #[test]
        fn a_marker_survives_any_text(text in any::<String>(), promotion in any::<String>(), limit in 300_usize..2000) {
            let marker = marker(&promotion);
            let line = marker.line();
            let inner = line.strip_prefix("<!--").unwrap().strip_suffix("-->").unwrap();
            prop_assert!(!inner.contains("--") && !inner.contains('>') && !inner.contains('<'));
            prop_assert!(!line.contains(['\n', '\r']));
            let body = body(&text, &marker, limit);
            prop_assert_eq!(Marker::find(&body), Some(marker));
            prop_assert!(body.chars().count() <= limit.max(line.chars().count() + 50));
        }
    }
}
