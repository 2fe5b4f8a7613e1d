//! A failing case made small: files, blocks of lines, lines and values are
//! taken away as long as the case still fails in the same way.

use crate::peer::Case;

/// The smallest case found that `fails`, in at most so many tries.
pub fn shrink(case: &Case, mut tries: usize, fails: &dyn Fn(&Case) -> bool) -> Case {
    let mut best = case.clone();
    loop {
        let before = best.clone();
        let mut attempt = |candidate: Case, best: &mut Case| {
            if tries == 0 || candidate == *best {
                return false;
            }
            tries -= 1;
            let worse = fails(&candidate);
            if worse {
                *best = candidate;
            }
            worse
        };
        for path in before.files.keys() {
            let mut candidate = best.clone();
            candidate.files.remove(path);
            attempt(candidate, &mut best);
        }
        for path in before.files.keys() {
            shrink_blocks(path, &mut best, &mut attempt);
            shrink_words(path, &mut best, &mut attempt);
        }
        if best == before || tries == 0 {
            return best;
        }
    }
}

fn lines(case: &Case, path: &str) -> Option<Vec<String>> {
    let text = std::str::from_utf8(case.files.get(path)?).ok()?;
    Some(text.split_inclusive('\n').map(str::to_owned).collect())
}

fn with(case: &Case, path: &str, lines: &[String]) -> Case {
    let mut case = case.clone();
    case.files.insert(path.to_owned(), lines.concat().into_bytes());
    case
}

/// The end of the block that a line opens: all that is indented deeper.
fn block_end(lines: &[String], start: usize) -> usize {
    let depth = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let own = depth(&lines[start]);
    let deeper = |line: &String| line.trim().is_empty() || depth(line) > own;
    let items = lines[start].trim_end().ends_with(':') && !lines[start].trim().starts_with("- ");
    let item = |line: &String| items && depth(line) == own && line.trim().starts_with("- ");
    let length = lines[start + 1..].iter().take_while(|line| deeper(line) || item(line)).count();
    start + 1 + length
}

fn shrink_blocks(path: &str, best: &mut Case, attempt: &mut impl FnMut(Case, &mut Case) -> bool) {
    let Some(mut now) = lines(best, path) else { return };
    // Documents first, then blocks from the outside in, then single lines.
    let mut at = 0;
    while at < now.len() {
        if now[at].starts_with("---") || at == 0 {
            let end = now[at + 1..]
                .iter()
                .position(|line| line.starts_with("---"))
                .map_or(now.len(), |length| at + 1 + length);
            let rest: Vec<String> = now[..at].iter().chain(&now[end..]).cloned().collect();
            if attempt(with(best, path, &rest), best) {
                now = rest;
                continue;
            }
        }
        at += 1;
    }
    let mut at = 0;
    while at < now.len() {
        let end = block_end(&now, at);
        let without = |from: usize, to: usize| -> Vec<String> {
            now[..from].iter().chain(&now[to..]).cloned().collect()
        };
        // An item whose first line goes passes its dash on to the next one.
        let passed: Option<Vec<String>> = now[at].trim_start().strip_prefix("- ").and_then(|_| {
            let next = now.get(at + 1).filter(|_| at + 1 < end)?;
            let dash = now[at].find('-')?;
            let mut next = next.clone();
            (next.len() > dash + 2 && next.is_char_boundary(dash + 1)).then_some(())?;
            next.replace_range(dash..=dash, "-");
            let mut lines = without(at, at + 1);
            lines[at] = next;
            Some(lines)
        });
        let mut candidates = vec![without(at, end)];
        candidates.extend((end > at + 1).then(|| without(at, at + 1)));
        candidates.extend(passed);
        match candidates.into_iter().find(|rest| attempt(with(best, path, rest), best)) {
            Some(rest) => now = rest,
            None => at += 1,
        }
    }
}

/// Makes what stands after a colon short, and drops comments and anchors.
fn shrink_words(path: &str, best: &mut Case, attempt: &mut impl FnMut(Case, &mut Case) -> bool) {
    let Some(mut now) = lines(best, path) else { return };
    for at in 0..now.len() {
        let line = now[at].clone();
        let body = line.trim_end_matches(['\n', '\r']);
        let mut candidates = Vec::new();
        if let Some(colon) = body.find(": ") {
            let value = &body[colon + 2..];
            for short in ["a", "1"] {
                if value.len() > 1 && !value.starts_with(['|', '>', '&']) {
                    candidates.push(format!("{}: {short}\n", &body[..colon]));
                }
            }
            let words: Vec<&str> = value.split(' ').collect();
            for skip in 0..words.len().min(12) {
                let mut fewer = words.clone();
                fewer.remove(skip);
                candidates.push(format!("{}: {}\n", &body[..colon], fewer.join(" ")));
            }
        }
        if line.ends_with("\r\n") {
            candidates.push(format!("{body}\n"));
        }
        for candidate in candidates {
            let mut lines = now.clone();
            lines[at] = candidate;
            if attempt(with(best, path, &lines), best) {
                now = lines;
            }
        }
    }
}
