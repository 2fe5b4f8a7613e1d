//! Moments as GitHub writes them: RFC 3339.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};

/// A moment in an answer.
#[derive(Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Moment, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Moment).map_err(de::Error::custom)
    }
}
