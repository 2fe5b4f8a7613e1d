//! Gates: what must hold, besides the policies, before a change may enter an
//! environment.
//!
//! [`needs`] says what must be known to answer, the caller finds it out, and
//! [`evaluate`] answers. A [`Fact`] is known, absent or unreadable; what is
//! unreadable never opens a gate.
//!
//! | gate | open when |
//! |---|---|
//! | `merged` | an environment before holds what moves, now |
//! | `soak` | it has done so for long enough, without a break |
//! | `window` | the clock of a zone shows a time that is allowed and not excluded |
//! | `hold` | nobody holds the environment |
//! | `status` | the request's head has these contexts, and they succeeded |
//! | `approvals` | enough others approved the request's head |

mod answer;
mod approval;
mod hold;
mod length;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

pub use answer::{evaluate, ready_at};
pub use approval::{Approvals, Count, Review, Reviewers, Reviews, Verdict, count};
pub use hold::{FOLDER, Hold, HoldError, moment};
pub use length::{LengthError, length, words};
pub use window::{CronError, Moment, Opening, UnknownZone, Window, Zone};

/// Something that must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// One of the environments holds what moves of each app, now.
    Merged {
        /// The environments.
        of: Vec<String>,
        /// The apps.
        apps: Vec<String>,
    },
    /// One of the environments has held it for so long, without a break.
    Soak {
        /// The environments.
        of: Vec<String>,
        /// The apps.
        apps: Vec<String>,
        /// For how long at least.
        least: SignedDuration,
    },
    /// It is time.
    Window(Window),
    /// Nobody holds the environment.
    Hold {
        /// The environment.
        environment: String,
        /// The apps that would move.
        apps: Vec<String>,
    },
    /// The request's head has these commit statuses, and they succeeded.
    Status {
        /// Their contexts.
        contexts: Vec<String>,
    },
    /// Others approved.
    Approvals(Approvals),
}

impl Gate {
    /// Its word in gitops.yaml, in answers and in `--override`.
    pub fn word(&self) -> &'static str {
        match self {
            Gate::Merged { .. } => "merged",
            Gate::Soak { .. } => "soak",
            Gate::Window(_) => "window",
            Gate::Hold { .. } => "hold",
            Gate::Status { .. } => "status",
            Gate::Approvals(_) => "approvals",
        }
    }
}

/// The gates of one change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gates {
    /// All of them must be open.
    pub gates: Vec<Gate>,
    /// For how long they may be pending.
    pub timeout: Option<SignedDuration>,
}

/// Something that must be known to answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Whether an environment holds what moves of an app, now.
    Held {
        /// The environment.
        environment: String,
        /// The app.
        app: String,
    },
    /// Since when it has.
    Since {
        /// The environment.
        environment: String,
        /// The app.
        app: String,
        /// No need to look back further than this.
        enough: SignedDuration,
    },
    /// Who holds an environment.
    Holds {
        /// The environment.
        environment: String,
    },
    /// A commit status of the request's head.
    Status {
        /// Its context.
        context: String,
    },
    /// The reviews of the request.
    Reviews,
    /// The members of a team.
    Team {
        /// The team.
        name: String,
    },
    /// The owners of the files that change.
    Owners,
    /// Since when the change has been waiting.
    Waiting,
}

/// What is known of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// This.
    Known(T),
    /// It is not there.
    Absent,
    /// It may be there; this is why nobody knows.
    Unreadable(String),
}

/// What an environment holds of what moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Just that, in words such as `web v2`.
    Same(String),
    /// Something else: what it holds, and what moves.
    Other {
        /// What it holds.
        found: String,
        /// What moves.
        wanted: String,
    },
}

/// Since when an environment has held what moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// The moment, or one after it.
    pub time: Timestamp,
    /// The commit that says so.
    pub commit: String,
}

/// What a commit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It succeeded.
    Success,
    /// It did not.
    Failure,
    /// It goes on.
    Pending,
}

/// What was found out. What was not is unreadable.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// [`Key::Held`], by environment and app.
    pub held: BTreeMap<(String, String), Fact<Held>>,
    /// [`Key::Since`], by environment and app; absent where it does not.
    pub since: BTreeMap<(String, String), Fact<Since>>,
    /// [`Key::Holds`], by environment.
    pub holds: BTreeMap<String, Fact<Vec<Hold>>>,
    /// [`Key::Status`], by context.
    pub statuses: BTreeMap<String, Fact<Status>>,
    /// [`Key::Reviews`].
    pub reviews: Option<Fact<Reviews>>,
    /// [`Key::Team`], by name.
    pub teams: BTreeMap<String, Fact<BTreeSet<String>>>,
    /// [`Key::Owners`], by file.
    pub owners: Option<Fact<BTreeMap<String, BTreeSet<String>>>>,
    /// [`Key::Waiting`]; `None` where it has not begun.
    pub waiting: Option<Timestamp>,
}

/// A gate's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// Yes.
    Open,
    /// Not yet.
    Pending,
    /// No.
    Closed,
}

impl Answer {
    /// The word in text and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Answer::Open => "open",
            Answer::Pending => "pending",
            Answer::Closed => "closed",
        }
    }
}

/// What one gate says.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The gate's word.
    pub gate: &'static str,
    /// Its answer.
    pub answer: Answer,
    /// Why.
    pub reason: String,
    /// When it may open, as far as that is known.
    pub earliest: Option<Timestamp>,
    /// The zone that a person reads `earliest` in.
    pub zone: Option<Zone>,
    /// Who goes past it, and why: `NAME <MAIL>: REASON`.
    pub overridden: Option<String>,
}

impl State {
    /// The answer that counts.
    pub fn counts(&self) -> Answer {
        if self.overridden.is_some() { Answer::Open } else { self.answer }
    }
}

/// What must be known to answer `gates`.
pub fn needs(gates: &Gates) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    let held = |keys: &mut BTreeSet<Key>, of: &[String], apps: &[String]| {
        for (environment, app) in pairs(of, apps) {
            keys.insert(Key::Held { environment, app });
        }
    };
    for gate in &gates.gates {
        match gate {
            Gate::Merged { of, apps } => held(&mut keys, of, apps),
            Gate::Soak { of, apps, least } => {
                held(&mut keys, of, apps);
                for (environment, app) in pairs(of, apps) {
                    keys.insert(Key::Since { environment, app, enough: *least });
                }
            }
            Gate::Window(_) => {}
            Gate::Hold { environment, .. } => {
                keys.insert(Key::Holds { environment: environment.clone() });
            }
            Gate::Status { contexts } => {
                keys.extend(contexts.iter().map(|c| Key::Status { context: c.clone() }));
            }
            Gate::Approvals(approvals) => {
                keys.insert(Key::Reviews);
                match &approvals.by {
                    Reviewers::Anybody => {}
                    Reviewers::Team(name) => {
                        keys.insert(Key::Team { name: name.clone() });
                    }
                    Reviewers::Owners => {
                        keys.insert(Key::Owners);
                    }
                }
            }
        }
    }
    if gates.timeout.is_some() {
        keys.insert(Key::Waiting);
    }
    keys
}

fn pairs(of: &[String], apps: &[String]) -> impl Iterator<Item = (String, String)> {
    of.iter().flat_map(|e| apps.iter().map(|app| (e.clone(), app.clone())))
}
