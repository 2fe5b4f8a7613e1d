//! The forge behind a remote: who it is, where a person opens a request, and
//! what a promotion asks of its API.
//!
//! The forge is known by its host (`github.com`, `gitlab.com`, `gitea.com`,
//! `codeberg.org`) or by what gitops.yaml says. [`Api`] is one repository on a
//! forge; tokens are found by [`tokens`], each for one server.

mod address;
mod api;
mod api_error;
mod percent;
mod request;
mod token;

pub use address::{ConfiguredUrl, Forge, Kind, UnknownKind, identify};
pub use api::{
    Api, Call, Comment, CommitStatus, Edit, Limits, Merge, MergeMethod, Merged, NewRequest, Opened,
    Protection, Request, RequestState, Review,
};
pub use api_error::ApiError;
pub use request::{new_request_url, new_request_url_in};
pub use token::{ForgeToken, TokenError, tokens};
