//! The table: 80 columns, two lines a row.

use std::time::Duration;

use crate::stats::{Sample, Target, ratio};

/// What was measured, and what came out.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What both programs did.
    pub(crate) what: String,
    /// The peer, with the arguments that tell it from others.
    pub(crate) peer_name: String,
    /// Our runs.
    pub(crate) ours: Sample,
    /// The peer's runs.
    pub(crate) peer: Sample,
    /// What the project promises, where it promises something.
    pub(crate) target: Option<Target>,
}

/// Width of the table, in characters.
pub(crate) const WIDTH: usize = 80;

/// The head of the table.
pub(crate) fn head() -> String {
    let rule = "-".repeat(WIDTH);
    format!(
        "{}\n{rule}\n",
        line("ours: median (range)", "peer: median (range)", "peer/ours", "MiB peak", "target")
    )
}

/// The two lines of a row.
pub(crate) fn row(row: &Row) -> String {
    let ratio = ratio(&row.ours, &row.peer).map_or("-".to_owned(), times);
    let peaks = match row.peer.runs() {
        0 => mebibytes(row.ours.peak()).to_string(),
        _ => format!("{}/{}", mebibytes(row.ours.peak()), mebibytes(row.peer.peak())),
    };
    let target = row.target.map_or("-".to_owned(), |target| {
        let verdict = if target.is_met(&row.ours, &row.peer) { "met" } else { "MISSED" };
        let promise = match target {
            Target::Faster(times) => format!("{times}x"),
            Target::AtMost(limit) => format!("{} ms", limit.as_millis()),
            Target::HalfMemory => "1/2 MiB".to_owned(),
            Target::MemoryAtMost(limit) => format!("{limit} MiB"),
            Target::Growth(times) => format!("<={times}x"),
            Target::Calls { most, .. } => format!("<={most} calls"),
        };
        format!("{promise} {verdict}")
    });
    format!(
        "{}\n{}\n",
        title(&row.what, &row.peer_name),
        line(&times_of(&row.ours), &times_of(&row.peer), &ratio, &peaks, &target)
    )
}

/// A row without an answer that can be used, and why.
pub(crate) fn failed(what: &str, why: &str) -> String {
    let mut text = format!("{what}\n");
    for line in why.lines() {
        text.push_str(&format!("  FAILED: {line}\n"));
    }
    text
}

/// A row that was left out, and why.
pub(crate) fn skipped(what: &str, why: &str) -> String {
    format!("{what}\n  skipped: {why}\n")
}

fn title(what: &str, peer: &str) -> String {
    let one = format!("{what} | {peer}");
    if one.chars().count() <= WIDTH { one } else { format!("{what}\n  | {peer}") }
}

fn line(ours: &str, peer: &str, ratio: &str, peaks: &str, target: &str) -> String {
    format!("  {ours:<20} {peer:<20} {ratio:>9} {peaks:>9}  {target}").trim_end().to_owned()
}

/// `251 ms (240-262)`; one unit for the three, that of the median.
fn times_of(sample: &Sample) -> String {
    if sample.runs() == 0 {
        return "-".to_owned();
    }
    let median = sample.median();
    let (unit, scale) = if median < Duration::from_secs(1) { ("ms", 1000.0) } else { ("s", 1.0) };
    let show = |time: Duration| figures(time.as_secs_f64() * scale);
    if sample.runs() < 2 {
        return format!("{} {unit} (1 run)", show(median));
    }
    format!("{} {unit} ({}-{})", show(median), show(sample.min()), show(sample.max()))
}

fn times(ratio: f64) -> String {
    format!("{}x", figures(ratio))
}

/// Three figures: `1.23`, `12.3`, `123`, `1234`.
fn figures(number: f64) -> String {
    let decimals = if number < 9.995 {
        2
    } else if number < 99.95 {
        1
    } else {
        0
    };
    format!("{number:.decimals$}")
}

fn mebibytes(kibibytes: u64) -> u64 {
    kibibytes.div_ceil(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(milliseconds: &[u64], peak: u64) -> Sample {
        let mut sample = Sample::default();
        for time in milliseconds {
            sample.add(Duration::from_millis(*time), peak);
        }
        sample
    }

    fn example() -> Row {
        Row {
            what: "diff of 1,000 objects".to_owned(),
            peer_name: "kubectl diff --server-side".to_owned(),
            ours: sample(&[251, 240, 262], 31 * 1024),
            peer: sample(&[4912, 4801, 12_345], 51 * 1024 + 1),
            target: Some(Target::Faster(20.0)),
        }
    }

    #[test]
    fn a_row_says_both_sides_the_ratio_the_memory_and_the_verdict() {
        let text = row(&example());
        assert_eq!(
            text,
            "diff of 1,000 objects | kubectl diff --server-side\n  \
             251 ms (240-262)     4.91 s (4.80-12.3)       19.6x     31/52  20x MISSED\n"
        );
    }

    #[test]
    fn columns_stand_below_their_heads() {
        let head = head();
        let head = head.lines().next().unwrap_or_default();
        let text = row(&example());
        let numbers = text.lines().nth(1).unwrap_or_default();
        assert_eq!(head.find("target"), numbers.find("20x"));
        assert_eq!(head.find("peer:"), numbers.find("4.91"));
    }

    #[test]
    fn the_widest_cells_fit() {
        let mut wide = example();
        wide.ours = sample(&[99_900, 98_700, 102_000], 9999 * 1024);
        wide.peer = sample(&[999, 998, 997], 9999 * 1024);
        wide.what = "diff of 1,000 objects, 10 changed, 10 ms round trip".to_owned();
        for target in
            [Target::AtMost(Duration::from_millis(10)), Target::HalfMemory, Target::Growth(11.0)]
        {
            wide.target = Some(target);
            for line in head().lines().chain(row(&wide).lines()) {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
        }
    }

    #[test]
    fn a_row_without_a_peer_has_one_side() {
        let mut alone = example();
        alone.what = "promote 1 app to a new request: 7 calls".to_owned();
        alone.peer_name = "real Gitea".to_owned();
        alone.peer = Sample::default();
        alone.target = Some(Target::Calls { made: 7, most: 6 });
        assert_eq!(
            row(&alone),
            "promote 1 app to a new request: 7 calls | real Gitea\n  \
             251 ms (240-262)     -                            -        31  <=6 calls MISSED\n"
        );
    }

    #[test]
    fn a_single_run_has_no_range() {
        assert_eq!(times_of(&sample(&[31_000], 0)), "31.0 s (1 run)");
        assert_eq!(times_of(&sample(&[999, 1001], 0)), "1.00 s (1.00-1.00)");
    }

    #[test]
    fn figures_do_not_gain_a_digit_by_rounding() {
        assert_eq!(figures(9.996), "10.0");
        assert_eq!(figures(99.96), "100");
        assert_eq!(figures(0.004), "0.00");
    }
}
