//! What every verb and operation is given.

use crate::args::Common;
use crate::output::Terminal;

/// The flags of every verb, and the streams.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) common: Common,
    pub(crate) terminal: Terminal,
}
