//! How much of a rendered diff is printed where nobody asks for all of it.

use std::collections::BTreeMap;

use gitops_core::change::Action;

/// As many lines of one object, and of all objects of a plan.
const OBJECT: usize = 40;
const ALL: usize = 200;

/// What may be printed still, and what was left out.
#[derive(Debug)]
pub(crate) struct Bound {
    /// `None` where everything is printed.
    rest: Option<usize>,
    lines: usize,
    cut: usize,
    whole: BTreeMap<&'static str, usize>,
}

impl Bound {
    /// Everything, or as much as is read at a glance.
    pub(crate) fn new(everything: bool) -> Bound {
        let rest = (!everything).then_some(ALL);
        Bound { rest, lines: 0, cut: 0, whole: BTreeMap::new() }
    }

    /// Whether nothing more of an object is printed than that it changes.
    pub(super) fn is_reached(&self) -> bool {
        self.rest == Some(0)
    }

    /// Leaves an object out.
    pub(super) fn leave(&mut self, action: Action) {
        *self.whole.entry(action.word()).or_default() += 1;
    }

    /// How many of the lines of an object are printed.
    pub(super) fn take(&mut self, lines: usize) -> usize {
        let Some(rest) = &mut self.rest else { return lines };
        let shown = lines.min(OBJECT).min(*rest);
        *rest -= shown;
        if shown < lines {
            self.lines += lines - shown;
            self.cut += 1;
        }
        shown
    }

    /// What was left out since this was last asked, and how to see it.
    pub(super) fn told(&mut self) -> Option<String> {
        let many = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        let mut left = Vec::new();
        if self.cut > 0 {
            left.push(format!("{} of {}", many(self.lines, "line"), many(self.cut, "object")));
        }
        if !self.whole.is_empty() {
            let words = self.whole.iter().map(|(word, count)| format!("{count} {word}"));
            let words: Vec<String> = words.collect();
            let all = many(self.whole.values().sum(), "object");
            left.push(format!("{all} ({})", words.join(", ")));
        }
        (self.lines, self.cut) = (0, 0);
        self.whole.clear();
        let left = (!left.is_empty()).then(|| left.join(" and "))?;
        Some(format!("left out: {left}; `--full-diff` shows all"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_object_and_in_all() {
        let mut bound = Bound::new(false);
        assert_eq!(bound.take(7), 7);
        assert_eq!(bound.told(), None);
        assert_eq!(bound.take(41), 40);
        let told = bound.told();
        assert_eq!(told.as_deref(), Some("left out: 1 line of 1 object; `--full-diff` shows all"));
        assert_eq!([40, 40, 40, 40].map(|lines| bound.take(lines)), [40, 40, 40, 33]);
        assert!(bound.is_reached());
        bound.leave(Action::Configured);
        bound.leave(Action::Deleted);
        bound.leave(Action::Configured);
        assert_eq!(
            bound.told().as_deref(),
            Some(
                "left out: 7 lines of 1 object and 3 objects (2 configured, 1 deleted); \
                 `--full-diff` shows all"
            )
        );
        assert_eq!(bound.told(), None);
    }

    #[test]
    fn everything_is_everything() {
        let mut bound = Bound::new(true);
        assert_eq!((bound.take(9_000), bound.is_reached(), bound.told()), (9_000, false, None));
    }
}
