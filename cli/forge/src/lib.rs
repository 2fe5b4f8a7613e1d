//! The forge behind a remote: who it is, where a person opens a request, and
//! what a promotion asks of its API.
//!
//! The forge is known by its host (`github.com`, `gitlab.com`, `gitea.com`,
//! `codeberg.org`) or by what gitops.yaml says. [`Api`] is one repository on a
//! forge, made by [`connect`]; tokens are found by [`tokens`], each for one server.
//!
//! | room | question |
//! |---|---|
//! | `address`, `request` | who stands behind a remote, where does a person go |
//! | `token` | which token is for which server |
//! | [`Api`], [`ApiError`] | what is asked of a forge, and what can go wrong |
//! | `http` | how it is asked: sent once or again, pages, bounds, what an error means |
//! | `gitea` | [`Api`] for Gitea and Forgejo |
//! | `github`, `app` | [`Api`] for GitHub and its Enterprise servers, with a token or as an App |

mod address;
mod api;
mod api_error;
mod app;
mod connect;
mod gitea;
mod github;
mod http;
mod percent;
mod request;
mod token;

pub use address::{ConfiguredUrl, Forge, Kind, UnknownKind, identify, web_address};
pub use api::{
    Api, Call, Comment, CommitStatus, Edit, Limits, Merge, MergeMethod, Merged, NewRequest, Opened,
    Protection, Request, RequestState,
};
pub use api_error::ApiError;
pub use app::{App, AppError};
pub use connect::{Settings, connect, connect_app};
pub use github::Installation;
pub use http::{Clock, Made, Pace, Patience};
pub use request::{new_request_url, new_request_url_in};
pub use token::{ForgeToken, TokenError, TokenSource, github_api, named_kind, tokens};
