//! How fast one server is asked: so many calls at a time, and none while it asks
//! to wait, whoever it told.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How many calls are in flight at most.
const AT_ONCE: usize = 8;

/// The pace at which one server is asked, shared by all who ask it.
#[derive(Clone)]
pub struct Pace {
    turns: Arc<Semaphore>,
    rest: Arc<Mutex<Option<Rest>>>,
}

/// Until when a server asked to be left alone.
#[derive(Clone, Copy, Debug)]
struct Rest {
    end: Instant,
    /// The same moment, as the server said it.
    until: Option<Timestamp>,
}

/// The server is not to be asked for longer than one waits; until then, where that
/// is known.
#[derive(Debug)]
pub(crate) struct Resting {
    pub(crate) until: Option<Timestamp>,
}

impl Default for Pace {
    /// Eight calls at a time.
    fn default() -> Pace {
        Pace { turns: Arc::new(Semaphore::new(AT_ONCE)), rest: Arc::default() }
    }
}

/// How many may ask now.
impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("free", &self.turns.available_permits()).finish()
    }
}

impl Pace {
    /// Waits for the turn to make one call, which ends with what is answered here.
    pub(crate) async fn turn(&self, longest: Duration) -> Result<OwnedSemaphorePermit, Resting> {
        let turn = self.turns.clone().acquire_owned().await;
        let turn = turn.expect("nobody closes the turns");
        loop {
            let rest = *self.rest();
            let Some(Rest { end, until }) = rest else { return Ok(turn) };
            let now = Instant::now();
            if end <= now {
                return Ok(turn);
            }
            if end - now > longest {
                return Err(Resting { until });
            }
            tokio::time::sleep_until(end).await;
        }
    }

    /// The server asked to wait: nobody asks it before that is over.
    pub(crate) fn rest_for(&self, wait: Duration, until: Option<Timestamp>) {
        let Some(end) = Instant::now().checked_add(wait) else { return };
        let mut rest = self.rest();
        if rest.is_none_or(|rest| rest.end < end) {
            *rest = Some(Rest { end, until });
        }
    }

    /// A moment is whole whatever happened to who wrote it.
    fn rest(&self) -> MutexGuard<'_, Option<Rest>> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn so_many_at_a_time_and_no_more() {
        let pace = Pace::default();
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let call = || async {
            let _turn = pace.turn(LONG).await.unwrap();
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
            now.fetch_sub(1, Ordering::SeqCst);
        };
        futures::future::join_all((0..40).map(|_| call())).await;
        assert_eq!(most.into_inner(), AT_ONCE);
    }

    #[tokio::test]
    async fn what_one_is_told_all_heed() {
        let pace = Pace::default();
        pace.rest_for(Duration::from_millis(80), None);
        // A shorter wait does not end a longer one.
        pace.rest_for(Duration::from_millis(1), None);
        let begun = Instant::now();
        let others = (0..3).map(|_| async { pace.clone().turn(LONG).await.map(drop) });
        for other in futures::future::join_all(others).await {
            other.unwrap();
        }
        assert!(begun.elapsed() >= Duration::from_millis(80));
        let until = Timestamp::from_second(1_767_225_660).ok();
        pace.rest_for(Duration::from_secs(600), until);
        assert_eq!(pace.turn(LONG).await.unwrap_err().until, until);
    }
}
