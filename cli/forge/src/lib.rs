//! The forge behind a remote: who it is, and where a person opens a request.
//!
//! Everything here is text: an address goes in, an address comes out, and
//! nothing is asked over the network. The forge is known by its host
//! (`github.com`, `gitlab.com`, `gitea.com`, `codeberg.org`) or by what
//! gitops.yaml says; the calls to its API are not here yet. Tokens are found by
//! [`tokens`], each for one server.

mod address;
mod percent;
mod request;
mod token;

pub use address::{ConfiguredUrl, Forge, Kind, UnknownKind, identify};
pub use request::{new_request_url, new_request_url_in};
pub use token::{ForgeToken, TokenError, tokens};
