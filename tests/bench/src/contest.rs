//! Two programs, measured in turn.

use crate::measure::{Invocation, MeasureError, Room, Run};
use crate::stats::Sample;

/// Says what is wrong with an answer.
type Check<'a> = Box<dyn Fn(&Run) -> Result<(), String> + 'a>;

/// A program in a contest, and what it must answer.
pub(crate) struct Contestant<'a> {
    /// What it is called in a failure.
    pub(crate) name: &'a str,
    /// The command line to measure.
    pub(crate) invocation: Invocation,
    /// Run once before, not measured.
    pub(crate) warm_up: Invocation,
    /// The exit status of a right answer.
    pub(crate) status: i32,
    /// Not asked about the warm-up.
    pub(crate) check: Check<'a>,
}

impl<'a> Contestant<'a> {
    /// One whose warm-up is the command line itself.
    pub(crate) fn new(
        name: &'a str,
        invocation: Invocation,
        status: i32,
        check: impl Fn(&Run) -> Result<(), String> + 'a,
    ) -> Self {
        let warm_up = invocation.clone();
        Self { name, invocation, warm_up, status, check: Box::new(check) }
    }

    /// Another warm-up, for one that takes too long.
    pub(crate) fn warmed_up_by(mut self, warm_up: Invocation) -> Self {
        self.warm_up = warm_up;
        self
    }

    fn measure(&self, room: &Room, sample: &mut Sample) -> Result<(), ContestError> {
        let run = room.run(&self.invocation)?;
        let wrong = if run.status == self.status {
            (self.check)(&run).err()
        } else {
            Some(format!("exit status {}, not {}", run.status, self.status))
        };
        if let Some(reason) = wrong {
            let mut reason = reason;
            if !run.complaint().is_empty() {
                reason.push_str(&format!("\n{}", run.complaint()));
            }
            return Err(ContestError::Wrong { name: self.name.to_owned(), reason });
        }
        sample.add(run.time, run.peak);
        Ok(())
    }
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContestError {
    /// A program cannot be measured.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// A program gave another answer than the right one.
    #[error("{name} is wrong: {reason}")]
    Wrong {
        /// The program.
        name: String,
        /// What is wrong, and the end of what it said.
        reason: String,
    },
}

/// Runs both once to warm up, then each `runs` times, in turn, and checks
/// every answer. Ours goes first.
pub(crate) fn hold(
    room: &Room,
    runs: usize,
    ours: &Contestant<'_>,
    peer: &Contestant<'_>,
) -> Result<(Sample, Sample), ContestError> {
    for contestant in [ours, peer] {
        // A wrong answer shows in the measured runs.
        room.run(&contestant.warm_up)?;
    }
    let (mut our_sample, mut peer_sample) = (Sample::default(), Sample::default());
    for _ in 0..runs {
        ours.measure(room, &mut our_sample)?;
        peer.measure(room, &mut peer_sample)?;
    }
    Ok((our_sample, peer_sample))
}
