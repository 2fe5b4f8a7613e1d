//! What the server would make of many writes.

use serde_json::Value;

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
    /// The write. What was computed from the live object (a `Replace`, a
    /// `Patch`) belongs to that state: where [`Outcome::live`] says it moved,
    /// it must be computed again.
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
        self.predict_then(asks, |_, _, _| None).await
    }

    /// As [`Cluster::predict`], for owners that do more than their write: of
    /// each prediction, `rest` makes the object that the owner would leave,
    /// which replaces the prediction in a second dry run, so that the server
    /// fills in its defaults again. `None` leaves the prediction as it is.
    ///
    /// `rest` is given the index of the question, the live object where it was
    /// read again (else the observed one holds), and the prediction. The
    /// object it makes must keep the prediction's `resourceVersion`; when the
    /// live object moves in between, both dry runs are made again.
    pub async fn predict_then<F>(&self, asks: &[Ask<'_>], rest: F) -> Vec<Outcome>
    where
        F: Fn(usize, Option<&Option<Live>>, &Predicted) -> Option<Value>,
    {
        let rest = &rest;
        let all = asks.iter().enumerate().map(|(index, ask)| {
            self.predict_one(ask, move |live, predicted| rest(index, live, predicted))
        });
        futures::future::join_all(all).await
    }

    async fn predict_one(
        &self,
        ask: &Ask<'_>,
        rest: impl Fn(Option<&Option<Live>>, &Predicted) -> Option<Value>,
    ) -> Outcome {
        let mut observed = ask.observed.to_owned();
        let mut live = None;
        for _ in 0..ATTEMPTS {
            let predicted = match self.dry_run(ask.target, ask.write, ask.options).await {
                Ok(predicted) => predicted,
                Err(error) => return Outcome { predicted: Err(error), live },
            };
            if predicted.resource_version != observed {
                // Read, then compare with the prediction at hand: most often
                // the object changed once, before the dry run.
                match self.get(ask.target).await {
                    Ok(found) => {
                        observed = version(&found);
                        live = Some(found);
                    }
                    Err(error) => return Outcome { predicted: Err(error.into()), live },
                }
                if predicted.resource_version != observed {
                    continue;
                }
            }
            let Some(rest) = rest(live.as_ref(), &predicted) else {
                return Outcome { predicted: Ok(predicted), live };
            };
            match self.dry_run(ask.target, Write::Replace(&rest), ask.options).await {
                Ok(mut replaced) => {
                    replaced.warnings.splice(0..0, predicted.warnings);
                    return Outcome { predicted: Ok(replaced), live };
                }
                Err(ApplyError::Outdated { .. }) => match self.get(ask.target).await {
                    Ok(found) => {
                        observed = version(&found);
                        live = Some(found);
                    }
                    Err(error) => return Outcome { predicted: Err(error.into()), live },
                },
                Err(error) => return Outcome { predicted: Err(error), live },
            }
        }
        Outcome { predicted: Err(ApplyError::Moving { attempts: ATTEMPTS }), live }
    }
}

fn version(live: &Option<Live>) -> String {
    live.as_ref().map_or("", Live::resource_version).to_owned()
}
