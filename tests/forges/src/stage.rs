//! What a forge must let the tests do that the program under test never does: be
//! several people, make repositories, set rules.

use gitops_core::gate::Verdict;
use gitops_forge::{Api, ApiError, Forge, ForgeToken, Kind, Settings, connect};

/// Who acts. The login is the name in small letters, the mail address
/// `login@example.test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The program's own user; may write.
    Bot,
    /// May write.
    Alice,
    /// May write.
    Bob,
    /// May read only.
    Carol,
}

impl Who {
    /// All of them.
    pub const ALL: [Who; 4] = [Who::Bot, Who::Alice, Who::Bob, Who::Carol];

    /// The name that the forge knows.
    pub fn login(self) -> &'static str {
        match self {
            Who::Bot => "bot",
            Who::Alice => "alice",
            Who::Bob => "bob",
            Who::Carol => "carol",
        }
    }

    /// The mail address of commits.
    pub fn mail(self) -> String {
        format!("{}@example.test", self.login())
    }
}

/// What a token of the bot may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// All that the bot may.
    All,
    /// Read repositories.
    Read,
    /// The forge does not know it.
    Nothing,
}

/// What guards a branch.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Contexts that must have succeeded.
    pub contexts: Vec<String>,
    /// How many approvals are asked for.
    pub approvals: u32,
    /// Whether nobody may push.
    pub no_push: bool,
}

/// A forge with an organisation whose repositories are the tests' own. Each step
/// panics where the forge does not do it.
pub trait Stage: Sync {
    /// Which forge it is.
    fn kind(&self) -> Kind;

    /// Where its web pages start: `http://127.0.0.1:3000`.
    fn web(&self) -> String;

    /// The organisation.
    fn owner(&self) -> &str;

    /// A token of the bot, for this web origin (that of a proxy in between, too).
    fn token(&self, may: May, origin: &str) -> ForgeToken;

    /// The API of a repository with that token; a stage may have another way in.
    fn connect(
        &self,
        forge: &Forge,
        token: &ForgeToken,
        settings: &Settings,
    ) -> Result<Box<dyn Api>, ApiError> {
        connect(forge, token, settings)
    }

    /// The call by which requests are found: its method, and what its path holds.
    fn finding(&self) -> (&'static str, &'static str) {
        ("GET", "/pulls")
    }

    /// Makes an empty repository of the organisation, whose default branch will be `main`.
    fn make(&self, repository: &str);

    /// Where that user pushes to, credential included.
    fn remote(&self, repository: &str, who: Who) -> String;

    /// Makes a label.
    fn label(&self, repository: &str, name: &str);

    /// Makes a team of the organisation.
    fn team(&self, name: &str, members: &[Who]);

    /// Writes a review; the forge's words where it refuses.
    fn review(
        &self,
        repository: &str,
        number: u64,
        who: Who,
        verdict: Verdict,
    ) -> Result<(), String>;

    /// Takes the last review of a user away, as an administrator does.
    fn dismiss(&self, repository: &str, number: u64, who: Who);

    /// Guards a branch, or the branches of a pattern.
    fn guard(&self, repository: &str, branch: &str, guard: &Guard);

    /// Archives a repository.
    fn archive(&self, repository: &str);

    /// Gives a repository another name.
    fn rename(&self, repository: &str, to: &str);

    /// Copies a repository to a user, who pushes a branch there with one more
    /// file, and opens a request from it into `main`; its number.
    fn fork(&self, repository: &str, who: Who, branch: &str) -> u64;

    /// One of its repositories.
    fn forge(&self, repository: &str) -> Forge {
        Forge {
            kind: self.kind(),
            web: self.web(),
            owner: self.owner().to_owned(),
            repository: repository.to_owned(),
        }
    }
}
