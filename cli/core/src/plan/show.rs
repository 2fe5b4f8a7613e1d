//! A plan in text.

use std::fmt::Write as _;

use crate::judge::{Move, Moved, Operation};

use super::hunk::{hunks, printable};
use super::merge::shown;
use super::rules::{Pattern, key_of};
use super::{Contents, Plan};

/// A plan as `--dry-run` prints it: what moves where, the lines that change,
/// and the texts of the commit. Lines of files that match `sealed` are left
/// out. `width` is that of the terminal, in columns.
pub fn show(plan: &Plan, contents: &Contents, sealed: &[Pattern], width: usize) -> String {
    let mut text = String::new();
    // Writing into a `String` cannot fail.
    let _ = writeln!(text, "{}", title(plan));
    if plan.nothing_to_do() {
        if plan.notes.is_empty() {
            let _ = writeln!(
                text,
                "nothing to do: {} runs {} already",
                plan.target.name,
                printable(&plan.version)
            );
        } else {
            let _ = writeln!(text, "nothing to do: nothing moves");
        }
        for note in &plan.notes {
            let _ = writeln!(text, "{}", printable(note));
        }
        return text;
    }
    match &plan.branch {
        Some(branch) => {
            let _ = writeln!(text, "branch {branch}, to be merged into {}", plan.base);
        }
        None => {
            let _ = writeln!(text, "directly onto {}", plan.base);
        }
    }
    for note in &plan.notes {
        let _ = writeln!(text, "{}", printable(note));
    }
    text.push('\n');
    text.push_str(&moves(&plan.moves, width));
    for stays in &plan.stays {
        let _ = writeln!(text, "stays: {}", printable(stays));
    }
    for warning in &plan.warnings {
        let _ = writeln!(text, "warning: {}", printable(warning));
    }
    text.push('\n');
    for (path, bytes) in contents.files() {
        if sealed.iter().any(|pattern| pattern.matches(path.as_str())) {
            let _ = writeln!(text, "{} (sealed)", printable(path.as_str()));
        } else {
            let moved = plan.moves.iter().filter_map(|moved| moved.source.as_ref());
            let moved = moved.filter(|source| source.path == path.as_str());
            let lines: Vec<u32> = moved.filter_map(|source| source.line).collect();
            text.push_str(&hunks(path, bytes, &lines));
        }
    }
    text.push('\n');
    for line in plan.message().trim_end().lines() {
        let line = format!("    {}", printable(line));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn title(plan: &Plan) -> String {
    let apps = printable(&plan.apps.join(", "));
    let version = printable(&plan.version);
    let target = &plan.target.name;
    match (&plan.source, plan.operation) {
        (Some(source), _) => format!("promote {apps} {version}: {} → {target}", source.name),
        (None, Operation::Rollback) => format!("roll {apps} back to {version} in {target}"),
        (None, _) => format!("release {apps} {version} into {target}"),
    }
}

/// The values that move, as a table.
fn moves(moves: &[Move], width: usize) -> String {
    let mut rows = vec![["APP", "WHAT", "BEFORE → AFTER", "WHERE"].map(str::to_owned)];
    for moved in moves {
        let key = key_of(moved.what);
        let what = match moved.what {
            Moved::Value => moved.name.clone(),
            Moved::Folder => format!("file {}", moved.name),
            _ if moved.name == moved.app => key.to_owned(),
            _ => format!("{} {key}", moved.name),
        };
        let value = |value: &Option<String>| match value {
            None => "(none)".to_owned(),
            value => shown(value.as_deref(), moved.what),
        };
        rows.push(
            [
                moved.app.clone(),
                what,
                format!("{} → {}", value(&moved.before), value(&moved.after)),
                moved.source.as_ref().map(ToString::to_string).unwrap_or_default(),
            ]
            .map(|cell| printable(&cell)),
        );
    }
    let widest = |column: usize| {
        rows.iter().map(|row: &[String; 4]| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths = [widest(0), widest(1), widest(2)];
    let wide = widths.iter().sum::<usize>() + 6 + widest(3) > width;
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        if wide {
            let _ = writeln!(text, "{}", line.trim_end());
            let _ = writeln!(text, "  {}", row[3]);
        } else {
            line.push_str(&row[3]);
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}
