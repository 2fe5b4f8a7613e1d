//! Requests by a push alone: GitLab opens a merge request where a push asks for
//! one, without a token for its API.
//!
//! Source: GitLab docs, "Push options", "Push options for merge requests".

use gitops_core::plan::Plan;
use gitops_forge::{Forge, Kind};

/// The longest title that GitLab takes, in letters.
const TITLE: usize = 255;

/// What a push of a plan's branch asks of its server; nothing of one that knows no
/// such options. Labels are given once, with the `first` push: who takes one away
/// means it.
pub(super) fn options(forge: Option<&Forge>, plan: &Plan, first: bool) -> Vec<String> {
    if forge.is_none_or(|forge| forge.kind != Kind::GitLab) {
        return Vec::new();
    }
    let mut options = vec![
        "merge_request.create".to_owned(),
        format!("merge_request.target={}", one_line(&plan.base)),
        format!("merge_request.title={}", title(&plan.title)),
        "merge_request.remove_source_branch".to_owned(),
    ];
    if first {
        let labels = plan.labels.iter().map(|label| one_line(label));
        options.extend(labels.map(|label| format!("merge_request.label={label}")));
    }
    options
}

/// The page of the merge request that the server tells of, of this repository.
pub(super) fn page(forge: Option<&Forge>, words: &[String]) -> Option<String> {
    let forge = forge?;
    let start = format!("{}/{}/{}/-/merge_requests/", forge.web, forge.owner, forge.repository);
    words.iter().find_map(|line| {
        let (_, rest) = line.split_once(&start)?;
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let ends = rest[number.len()..].chars().next().is_none_or(char::is_whitespace);
        (!number.is_empty() && ends).then(|| format!("{start}{number}"))
    })
}

fn title(title: &str) -> String {
    one_line(title).chars().take(TITLE).collect()
}

/// An option is one line: what follows a line break would be another one.
fn one_line(text: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let text: String = text.chars().map(plain).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_line_of_a_text_is_an_option_of_its_own() {
        for (text, expected) in [
            ("Release `web`", "Release `web`"),
            (
                "a\nmerge_request.merge_when_pipeline_succeeds",
                "a merge_request.merge_when_pipeline_succeeds",
            ),
            ("a\r\n b\0c\t", "a b c"),
            ("", ""),
        ] {
            assert_eq!(one_line(text), expected);
        }
        assert_eq!(title(&"é".repeat(300)).chars().count(), 255);
    }

    #[test]
    fn the_page_is_one_of_this_repository() {
        let forge = gitops_forge::identify("https://gitlab.com/acme/shop/apps.git").unwrap();
        let page = |line: &str| page(Some(&forge), &["View it:".to_owned(), line.to_owned()]);
        let own = "https://gitlab.com/acme/shop/apps/-/merge_requests/";
        assert_eq!(page(&format!("  {own}12")), Some(format!("{own}12")));
        for line in [
            format!("{own}new?merge_request%5Bsource_branch%5D=x"),
            format!("{own}12@evil.example"),
            "https://evil.example/acme/shop/apps/-/merge_requests/1".to_owned(),
            "https://gitlab.com/acme/other/-/merge_requests/1".to_owned(),
        ] {
            assert_eq!(page(&line), None, "{line}");
        }
    }
}
