//! The comment of a request: one that is kept up to date instead of many.

use super::Md;
use crate::plan::printable;

/// What the comment says, from the most to the least important.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which promotion it is of: `APP/ENVIRONMENT`.
    pub about: String,
    /// The first line.
    pub title: Md,
    /// What follows.
    pub parts: Vec<Part>,
    /// How to see what did not fit.
    pub whole: Md,
}

/// One part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A line.
    Line(Md),
    /// Rows under a head.
    Table {
        /// The names of the columns.
        head: Vec<&'static str>,
        /// As many cells a row.
        rows: Vec<Vec<Md>>,
    },
    /// Items under a line that opens them.
    List {
        /// The line.
        summary: Md,
        /// The items.
        items: Vec<Md>,
    },
    /// A text that is shown as it is, under a line that opens it.
    Diff {
        /// The line.
        summary: Md,
        /// The text.
        text: String,
    },
}

const MARK: &str = "<!-- kubectl-gitops:report ";

/// The last line of the comment about a promotion.
fn mark(about: &str) -> String {
    // Nothing in a name ends the comment that hides it.
    let plain: String = about
        .chars()
        .map(|letter| match letter {
            '<' | '>' => '_',
            letter if letter.is_control() || letter.is_whitespace() => '_',
            letter => letter,
        })
        .collect();
    let mut name = plain;
    while name.contains("--") {
        name = name.replace("--", "-_");
    }
    format!("{MARK}{name} -->")
}

/// Whether a comment is the one about a promotion, by its last line.
pub fn is_report(comment: &str, about: &str) -> bool {
    let last = comment.lines().rev().map(str::trim).find(|line| !line.is_empty());
    last == Some(mark(about).as_str())
}

/// A comment with other parts in place of the line that begins with `opening`, which
/// is the first one below the title, and of the table under it. `None` where there is
/// no such line.
pub fn replaced(comment: &str, parts: &[Part], opening: &str) -> Option<String> {
    // Some forges end lines in their own way.
    let comment = comment.replace("\r\n", "\n");
    let (title, rest) = comment.split_once("\n\n")?;
    if !title.starts_with("### ") || title.contains('\n') || !rest.starts_with(opening) {
        return None;
    }
    let (_, mut after) = rest.split_once('\n')?;
    if let Some(table) = after.strip_prefix("\n| ") {
        after = &table[table.find("\n\n")? + 1..];
    }
    let blocks = parts.iter().map(|part| part.block().within(usize::MAX).0);
    Some(format!("{title}\n{}{after}", blocks.collect::<String>()))
}

impl Report {
    /// The comment, of at most `limit` letters. Lines that do not fit are left
    /// out, the last ones first, and it is said how many.
    pub fn comment(&self, limit: usize) -> String {
        let mark = mark(&self.about);
        let left = self.left_out(usize::MAX);
        // What is always there.
        let mut room = limit.saturating_sub(length(&mark) + length(&left) + 4);
        let mut text = String::new();
        let mut lost = 0;
        let mut add = |block: Block, text: &mut String| {
            let (block, without) = block.within(room);
            room -= length(&block);
            lost += without;
            text.push_str(&block);
        };
        let title = format!("### {}\n", self.title.text());
        add(Block { open: String::new(), lines: vec![title], close: String::new() }, &mut text);
        for part in &self.parts {
            add(part.block(), &mut text);
        }
        if lost > 0 {
            text.push_str(&format!("\n{}\n", self.left_out(lost)));
        }
        format!("{text}\n{mark}")
    }

    fn left_out(&self, lines: usize) -> String {
        let noun = if lines == 1 { "line is" } else { "lines are" };
        let words = format!("{lines} {noun} left out here, since the forge takes no longer text: ");
        (Md::ours(&words) + self.whole.clone() + " shows all").text().to_owned()
    }
}

/// Lines between what opens and closes them, which come all or none.
struct Block {
    open: String,
    lines: Vec<String>,
    close: String,
}

impl Block {
    /// As much of it as `room` letters hold, and how many lines do not fit.
    fn within(self, room: usize) -> (String, usize) {
        let around = length(&self.open) + length(&self.close);
        let count = self.lines.len();
        let mut used = around;
        let mut text = self.open;
        let mut kept = 0;
        for line in &self.lines {
            used += length(line);
            if used > room {
                break;
            }
            text.push_str(line);
            kept += 1;
        }
        if kept == 0 {
            return (String::new(), count);
        }
        text.push_str(&self.close);
        (text, count - kept)
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

impl Part {
    fn block(&self) -> Block {
        let folded = |summary: &Md| format!("\n<details><summary>{}</summary>\n\n", html(summary));
        match self {
            Part::Line(line) => Block {
                open: "\n".to_owned(),
                lines: vec![format!("{}\n", line.text())],
                close: String::new(),
            },
            Part::Table { head, rows } => {
                let row = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
                let rule = vec!["---"; head.len()];
                Block {
                    open: format!("\n{}{}", row(head.clone()), row(rule)),
                    lines: rows
                        .iter()
                        .map(|cells| row(cells.iter().map(Md::text).collect()))
                        .collect(),
                    close: String::new(),
                }
            }
            Part::List { summary, items } => Block {
                open: folded(summary),
                lines: items.iter().map(|item| format!("- {}\n", item.text())).collect(),
                close: "\n</details>\n".to_owned(),
            },
            Part::Diff { summary, text } => {
                let lines: Vec<String> =
                    text.lines().map(|line| format!("{}\n", printable(line))).collect();
                let fence = "`".repeat(longest_run(&lines).max(2) + 1);
                Block {
                    open: format!("{}{fence}diff\n", folded(summary)),
                    lines,
                    close: format!("{fence}\n\n</details>\n"),
                }
            }
        }
    }
}

/// In the line that opens a fold, forges read HTML only.
fn html(summary: &Md) -> String {
    let mut out = String::new();
    for (index, piece) in summary.text().split('`').enumerate() {
        match index % 2 {
            0 => out.push_str(piece),
            _ => out.push_str(&format!("<code>{piece}</code>")),
        }
    }
    out
}

/// The longest run of backticks.
fn longest_run(lines: &[String]) -> usize {
    lines
        .iter()
        .flat_map(|line| line.split(|letter| letter != '`'))
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// The text with the seals of this run, which are others in the next one,
/// numbered in their order. Equal ones stay equal.
pub fn still_seals(text: &str) -> String {
    const SEAL: &str = "(sealed ";
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SEAL) {
        let (before, from) = rest.split_at(at + SEAL.len());
        out.push_str(before);
        rest = from;
        let Some(digest) = from.split(')').next().filter(|d| is_digest(d)) else { continue };
        let number = seen.iter().position(|known| *known == digest).unwrap_or_else(|| {
            seen.push(digest);
            seen.len() - 1
        });
        out.push_str(&(number + 1).to_string());
        rest = &from[digest.len()..];
    }
    out.push_str(rest);
    out
}

fn is_digest(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn report(guest: &str) -> Report {
        Report {
            about: format!("{guest}/prod"),
            title: Md::code(guest) + " into " + Md::code("prod"),
            parts: vec![
                Part::Line(Md::ours("pending").strong()),
                Part::Table {
                    head: vec!["gate", "why"],
                    rows: vec![vec![Md::code(guest), Md::prose(guest)]; 3],
                },
                Part::List {
                    summary: Md::ours("1 finding of ") + Md::code(guest),
                    items: vec![Md::prose(guest); 3],
                },
                Part::Diff { summary: Md::ours("rendered"), text: format!("-a\n+{guest}\n") },
            ],
            whole: Md::code("kubectl gitops promote web --to prod --dry-run"),
        }
    }

    #[test]
    fn a_comment_in_full() {
        assert_eq!(
            report("web").comment(65_536),
            "### `web` into `prod`\n\n**pending**\n\n| gate | why |\n| --- | --- |\n| `web` | web |\n| `web` | web |\n| `web` | web |\n\n<details><summary>1 finding of <code>web</code></summary>\n\n- web\n- web\n- web\n\n</details>\n\n<details><summary>rendered</summary>\n\n```diff\n-a\n+web\n```\n\n</details>\n\n<!-- kubectl-gitops:report web/prod -->"
        );
    }

    #[test]
    fn a_comment_knows_its_own() {
        let comment = report("web").comment(9999);
        assert!(is_report(&comment, "web/prod") && !is_report(&comment, "web/uat"));
        assert!(is_report(&format!("{}\r\n", comment.replace('\n', "\r\n")), "web/prod"));
        assert!(!is_report(&format!("> {comment}\n\nquoted"), "web/prod"));
        assert!(is_report(&report("a --> b").comment(9999), "a --> b/prod"));
    }

    #[test]
    fn answers_are_replaced_and_nothing_else() {
        let with = |word: &str, rows: usize| {
            let mut report = report("web");
            report.parts[0] = Part::Line(Md::ours("It is ") + Md::ours(word));
            let head = vec!["gate", "why"];
            let table = Part::Table { head, rows: vec![vec![Md::code(word), Md::ours("x")]; rows] };
            report.parts[1] = table;
            report
        };
        let (before, after) = (with("shut", 3), with("open", 1));
        let text = replaced(&before.comment(9999), &after.parts[..2], "It is ").unwrap();
        assert_eq!(text, after.comment(9999));
        let foreign = before.comment(9999).replace('\n', "\r\n");
        assert_eq!(replaced(&foreign, &after.parts[..2], "It is "), Some(text));
        // Without a table, before and after.
        let mut bare = with("open", 1);
        bare.parts.remove(1);
        let text = replaced(&before.comment(9999), &bare.parts[..1], "It is ").unwrap();
        assert_eq!(text, bare.comment(9999));
        let text = replaced(&text, &before.parts[..2], "It is ").unwrap();
        assert_eq!(text, before.comment(9999));
        assert_eq!(replaced(&before.comment(9999), &after.parts[..2], "It was "), None);
        assert_eq!(replaced("### x", &after.parts[..2], ""), None);
    }

    #[test]
    fn seals_stay_still() {
        let text = "-x: (sealed 0123456789ab)\n+x: (sealed ba9876543210)\n y: (sealed 0123456789ab) (sealed)\n";
        assert_eq!(still_seals(text), "-x: (sealed 1)\n+x: (sealed 2)\n y: (sealed 1) (sealed)\n");
        assert_eq!(still_seals("(sealed x) (sealed "), "(sealed x) (sealed ");
    }

    /// Counts what must be balanced, and finds what must not be there.
    fn is_sound(comment: &str) -> Result<(), String> {
        let mut fence: Option<String> = None;
        let mut open = 0_i32;
        for line in comment.lines() {
            let ticks: String = line.chars().take_while(|letter| *letter == '`').collect();
            if let Some(fence_now) = &fence {
                if ticks.len() >= fence_now.len() && line[ticks.len()..].trim().is_empty() {
                    fence = None;
                }
                continue;
            }
            if ticks.len() >= 3 {
                fence = Some(ticks);
                continue;
            }
            open += i32::try_from(line.matches("<details>").count()).unwrap();
            open -= i32::try_from(line.matches("</details>").count()).unwrap();
            if !(0..=1).contains(&open) {
                return Err(format!("{open} open at {line}"));
            }
        }
        match (fence, open) {
            (None, 0) => Ok(()),
            (fence, open) => Err(format!("{fence:?}, {open} open")),
        }
    }

    proptest! {
        #[test]
        fn a_cut_splits_nothing(guest in "(\\PC|\n|`|<details>|</details>|@a|--|\\||```){0,40}", limit in 0_usize..1500) {
            let report = report(&guest);
            let whole = report.comment(usize::MAX / 2);
            prop_assert_eq!(is_sound(&whole), Ok(()));
            let comment = report.comment(limit);
            prop_assert_eq!(is_sound(&comment), Ok(()), "{}", comment);
            prop_assert!(is_report(&comment, &report.about));
            let least = length(&mark(&report.about)) + 200;
            prop_assert!(length(&comment) <= limit.max(least), "{} of {limit}", length(&comment));
            if length(&whole) > limit {
                prop_assert!(comment.contains("left out here"), "{}", comment);
            }
        }
    }
}
