//! Measured times, and what they come to.

use std::time::Duration;

/// The runs of one program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    times: Vec<Duration>,
    peak: u64,
}

impl Sample {
    /// Adds a run: how long it took, and its peak memory in KiB.
    pub(crate) fn add(&mut self, time: Duration, peak: u64) {
        let place = self.times.partition_point(|earlier| *earlier <= time);
        self.times.insert(place, time);
        self.peak = self.peak.max(peak);
    }

    /// The middle time; of an even number of runs, the mean of the middle two.
    pub(crate) fn median(&self) -> Duration {
        let middle = self.times.len() / 2;
        match (self.times.len() % 2, self.times.get(middle)) {
            (_, None) => Duration::ZERO,
            (1, Some(time)) => *time,
            (_, Some(time)) => (self.times[middle - 1] + *time) / 2,
        }
    }

    /// The shortest time.
    pub(crate) fn min(&self) -> Duration {
        self.times.first().copied().unwrap_or_default()
    }

    /// The longest time.
    pub(crate) fn max(&self) -> Duration {
        self.times.last().copied().unwrap_or_default()
    }

    /// How many runs there were.
    pub(crate) fn runs(&self) -> usize {
        self.times.len()
    }

    /// The highest peak memory of all runs, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }
}

/// What the project promises of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// At least so many times faster than the peer, by the medians.
    Faster(f64),
    /// A median of at most so long, whatever the peer takes.
    AtMost(Duration),
    /// Peak memory below half of the peer's.
    HalfMemory,
    /// Peak memory of at most so many MiB, whatever the peer takes.
    MemoryAtMost(u64),
    /// The peer's column is ours, too, with a larger input: at most so many
    /// times longer.
    Growth(f64),
    /// So many calls of a forge, of which there may be at most so many.
    Calls {
        /// The most that a run made.
        made: usize,
        /// How many there may be.
        most: usize,
    },
}

impl Target {
    /// Whether the medians keep it.
    pub(crate) fn is_met(self, ours: &Sample, peer: &Sample) -> bool {
        match self {
            Self::Faster(times) => ratio(ours, peer).is_some_and(|ratio| ratio >= times),
            Self::AtMost(limit) => ours.runs() > 0 && ours.median() <= limit,
            Self::MemoryAtMost(limit) => ours.peak() > 0 && ours.peak() <= limit * 1024,
            Self::HalfMemory => ours.peak() > 0 && ours.peak() * 2 < peer.peak(),
            Self::Growth(times) => ratio(ours, peer).is_some_and(|ratio| ratio <= times),
            Self::Calls { made, most } => ours.runs() > 0 && made <= most,
        }
    }
}

/// How many times longer the peer takes, by the medians; none where a side was
/// not measured.
pub(crate) fn ratio(ours: &Sample, peer: &Sample) -> Option<f64> {
    let (ours, peer) = (ours.median().as_secs_f64(), peer.median().as_secs_f64());
    (ours > 0.0 && peer > 0.0).then(|| peer / ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(milliseconds: &[u64]) -> Sample {
        let mut sample = Sample::default();
        for time in milliseconds {
            sample.add(Duration::from_millis(*time), *time);
        }
        sample
    }

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        let odd = sample(&[50, 10, 30]);
        assert_eq!(odd.median(), Duration::from_millis(30));
        assert_eq!((odd.min(), odd.max()), (Duration::from_millis(10), Duration::from_millis(50)));
        assert_eq!(sample(&[40, 10, 20, 1000]).median(), Duration::from_millis(30));
        assert_eq!(sample(&[7]).median(), Duration::from_millis(7));
        assert_eq!(sample(&[]).median(), Duration::ZERO);
        assert_eq!(odd.peak(), 50);
    }

    #[test]
    fn a_ratio_is_of_the_medians() {
        assert_eq!(ratio(&sample(&[10, 20, 900]), &sample(&[400])), Some(20.0));
        assert_eq!(ratio(&sample(&[]), &sample(&[400])), None);
    }

    #[test]
    fn targets_are_kept_at_the_limit_and_missed_beyond_it() {
        let (ours, peer) = (sample(&[10]), sample(&[200]));
        assert!(Target::Faster(20.0).is_met(&ours, &peer));
        assert!(!Target::Faster(20.1).is_met(&ours, &peer));
        assert!(Target::AtMost(Duration::from_millis(10)).is_met(&ours, &peer));
        assert!(!Target::AtMost(Duration::from_millis(9)).is_met(&ours, &peer));
        assert!(!Target::Faster(1.0).is_met(&sample(&[]), &peer));
        assert!(Target::Growth(20.0).is_met(&ours, &peer));
        assert!(!Target::Growth(19.9).is_met(&ours, &peer));
        assert!(!Target::Growth(19.9).is_met(&sample(&[]), &peer));
        assert!(Target::HalfMemory.is_met(&ours, &sample(&[21])));
        assert!(!Target::HalfMemory.is_met(&ours, &sample(&[20])));
        assert!(!Target::HalfMemory.is_met(&sample(&[]), &peer));
        assert!(!Target::AtMost(Duration::from_millis(9)).is_met(&sample(&[]), &peer));
        assert!(Target::Calls { made: 6, most: 6 }.is_met(&ours, &sample(&[])));
        assert!(!Target::Calls { made: 7, most: 6 }.is_met(&ours, &sample(&[])));
        assert!(!Target::Calls { made: 0, most: 6 }.is_met(&sample(&[]), &peer));
    }
}
