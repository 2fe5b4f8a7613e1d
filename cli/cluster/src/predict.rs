//! What the server would make of many writes.

use crate::connect::Cluster;
use crate::discovery::Target;
use crate::dry_run::{ApplyOptions, Predicted, Write};
use crate::error::ApplyError;
use crate::read::Live;

/// How often an object that changes meanwhile is asked about; kubectl diff
/// gives up after four, too.
const ATTEMPTS: u32 = 4;

/// A question: what would this write leave?
#[derive(Clone)]
pub struct Ask<'a> {
    /// The object.
    pub target: &'a Target,
    /// The write. A `Replace` or a `Patch` was computed from the live object,
    /// so it is not asked again when that moves: see [`Outcome::live`].
    pub write: Write<'a>,
    /// How it is made.
    pub options: ApplyOptions<'a>,
    /// The state of the live object that was observed; empty where it was
    /// absent.
    pub observed: &'a str,
}

/// An answer.
pub struct Outcome {
    /// The object after the write.
    pub predicted: Result<Predicted, ApplyError>,
    /// The live object that the prediction starts from, when it is no longer
    /// the one that was observed; the inner `None` says it is now absent.
    pub live: Option<Option<Live>>,
}

impl Cluster {
    /// Asks all questions at once, as far as the server keeps up, and returns
    /// the answers in their order. No error of one stops the others.
    ///
    /// A dry run names the state it was computed on. Where that is not the
    /// observed one, the live object is read again, so that both sides of a
    /// comparison belong together.
    pub async fn predict(&self, asks: &[Ask<'_>]) -> Vec<Outcome> {
        futures::future::join_all(asks.iter().map(|ask| self.predict_one(ask))).await
    }

    async fn predict_one(&self, ask: &Ask<'_>) -> Outcome {
        let mut observed = ask.observed.to_owned();
        let mut live = None;
        for _ in 0..ATTEMPTS {
            let predicted = match self.dry_run(ask.target, ask.write, ask.options).await {
                Ok(predicted) => predicted,
                Err(error) => return Outcome { predicted: Err(error), live },
            };
            if predicted.resource_version == observed {
                return Outcome { predicted: Ok(predicted), live };
            }
            // Read first, compare with the prediction at hand: most often the
            // object changed once, before the dry run.
            match self.get(ask.target).await {
                Ok(found) => {
                    observed = found.as_ref().map_or("", |live| live.resource_version()).to_owned();
                    live = Some(found);
                }
                Err(error) => return Outcome { predicted: Err(error.into()), live },
            }
            if predicted.resource_version == observed {
                return Outcome { predicted: Ok(predicted), live };
            }
        }
        Outcome { predicted: Err(ApplyError::Moving { attempts: ATTEMPTS }), live }
    }
}
