//! Forges for tests.
//!
//! - [`Stage`]: what a forge must let the tests do: be several people, make
//!   repositories, set rules
//! - [`gitea()`]: a real Gitea on loopback, one a test program, that ends with it
//! - [`github`]: a GitHub of our own in front of real repositories, held to GitHub's
//!   description of its APIs
//! - [`Faults`]: a proxy in front of any of them that fails as told
//! - [`suite`]: what every forge must do, over `&dyn Api`; [`scenarios!`] makes
//!   tests of it for one stage
//!
//! Gitea is built by `make test-peers` from `gitea/`, and named by `GITOPS_GITEA`.

mod faults;
mod gitea;
pub mod github;
mod stage;
pub mod suite;
pub mod wire;

pub use faults::{Fault, Faults, Moment};
pub use gitea::{Gitea, gitea};
pub use stage::{Guard, May, Stage, Who};
