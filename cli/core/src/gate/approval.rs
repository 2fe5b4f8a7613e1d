//! Who approved a request, and whose approval counts.

use std::collections::{BTreeMap, BTreeSet};

/// Whose approvals are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewers {
    /// Anybody that the forge lets review.
    Anybody,
    /// Members of a team.
    Team(String),
    /// Those that CODEOWNERS names: every file that has owners needs one of them.
    Owners,
}

/// The gate `approvals`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvals {
    /// How many.
    pub min: u32,
    /// By whom.
    pub by: Reviewers,
}

/// What a review says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Approved,
    /// Not so.
    ChangesRequested,
    /// Nothing that decides.
    Commented,
    /// It was taken back.
    Dismissed,
}

/// One review of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Who, by the forge's name.
    pub user: String,
    /// What it says.
    pub verdict: Verdict,
    /// The commit that was looked at.
    pub head: String,
    /// Whether the forge counts it: on a public repository anybody may review.
    pub counts: bool,
}

/// The reviews of a request, and who may not approve it. Names are the forge's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviews {
    /// The request's newest commit.
    pub head: String,
    /// Who opened the request.
    pub author: String,
    /// Who ran the promotion, as the forge knows them.
    pub requested_by: Option<String>,
    /// Who made the promoted commits, as far as the forge knows them.
    pub commit_authors: BTreeSet<String>,
    /// All reviews, oldest first.
    pub reviews: Vec<Review>,
}

impl Reviews {
    /// Whether a review may count: it decides something about the newest commit.
    pub fn is_word(&self, review: &Review) -> bool {
        matches!(review.verdict, Verdict::Approved | Verdict::ChangesRequested)
            && review.head == self.head
    }
}

/// What the reviews come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// Enough.
    Enough(Vec<String>),
    /// Not yet.
    Missing {
        /// Whose approval counts so far.
        approved: Vec<String>,
        /// Files whose owners have not approved.
        files: Vec<String>,
        /// Approvals that do not count, and why.
        left_out: Vec<(String, &'static str)>,
    },
    /// Somebody wants changes.
    Refused(Vec<String>),
}

/// Forges compare names of users without regard to case.
fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Counts the newest review of each user that stands at the request's head.
/// `team` holds the members for [`Reviewers::Team`]; `owners` the owners of
/// each changed file that has any, for [`Reviewers::Owners`].
pub fn count(
    gate: &Approvals,
    reviews: &Reviews,
    team: &BTreeSet<String>,
    owners: &BTreeMap<String, BTreeSet<String>>,
) -> Count {
    let folded = |names: &BTreeSet<String>| -> BTreeSet<String> {
        names.iter().map(|name| fold(name)).collect()
    };
    let team = folded(team);
    let owners: BTreeMap<&String, BTreeSet<String>> =
        owners.iter().map(|(file, names)| (file, folded(names))).collect();
    let authors = folded(&reviews.commit_authors);
    let ineligible = |user: &str| -> Option<&'static str> {
        if user == fold(&reviews.author) {
            return Some("opened the request");
        }
        if reviews.requested_by.as_deref().map(fold).as_deref() == Some(user) {
            return Some("ran the promotion");
        }
        if authors.contains(user) {
            return Some("made a promoted commit");
        }
        match &gate.by {
            Reviewers::Team(_) if !team.contains(user) => Some("is not in the team"),
            Reviewers::Owners if !owners.values().any(|names| names.contains(user)) => {
                Some("owns none of the files")
            }
            _ => None,
        }
    };
    // Comments leave the earlier word of their author standing.
    let mut newest: BTreeMap<String, &Review> = BTreeMap::new();
    for review in &reviews.reviews {
        if review.verdict != Verdict::Commented {
            newest.insert(fold(&review.user), review);
        }
    }
    let (mut approved, mut refused, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    let mut by = BTreeSet::new();
    for (user, review) in newest {
        let stale = (review.head != reviews.head).then_some("looked at an older commit");
        // A team or the owners of files are named, whatever else they may.
        let nobody = (!review.counts && gate.by == Reviewers::Anybody)
            .then_some("may not write to the repository");
        match (review.verdict, stale.or_else(|| ineligible(&user)).or(nobody)) {
            (Verdict::Approved, None) => {
                approved.push(review.user.clone());
                by.insert(user);
            }
            (Verdict::Approved, Some(reason)) => left_out.push((review.user.clone(), reason)),
            (Verdict::ChangesRequested, None) => refused.push(review.user.clone()),
            _ => {}
        }
    }
    if !refused.is_empty() {
        return Count::Refused(refused);
    }
    let files: Vec<String> = match gate.by {
        Reviewers::Owners => owners
            .iter()
            .filter(|(_, names)| names.is_disjoint(&by))
            .map(|(file, _)| (*file).clone())
            .collect(),
        _ => Vec::new(),
    };
    let enough = u32::try_from(approved.len()).is_ok_and(|count| count >= gate.min);
    if enough && files.is_empty() {
        Count::Enough(approved)
    } else {
        Count::Missing { approved, files, left_out }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use Verdict::{Approved, ChangesRequested, Commented, Dismissed};

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn of(reviews: &[(&str, Verdict, &str)]) -> Reviews {
        Reviews {
            head: "new".to_owned(),
            author: "opener".to_owned(),
            requested_by: Some("runner".to_owned()),
            commit_authors: names(&["writer"]),
            reviews: reviews
                .iter()
                .map(|(user, verdict, head)| Review {
                    user: (*user).to_owned(),
                    verdict: *verdict,
                    head: (*head).to_owned(),
                    counts: !user.starts_with("guest"),
                })
                .collect(),
        }
    }

    fn counted(min: u32, reviews: &[(&str, Verdict, &str)]) -> Count {
        let gate = Approvals { min, by: Reviewers::Anybody };
        count(&gate, &of(reviews), &BTreeSet::new(), &BTreeMap::new())
    }

    fn missing(count: Count) -> (Vec<String>, Vec<(String, &'static str)>) {
        match count {
            Count::Missing { approved, left_out, .. } => (approved, left_out),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_user_counts_once_by_the_newest_word() {
        assert_eq!(
            counted(2, &[("a", Approved, "new"), ("b", Approved, "new")]),
            Count::Enough(vec!["a".to_owned(), "b".to_owned()])
        );
        let twice = counted(2, &[("a", Approved, "new"), ("A", Approved, "new")]);
        assert_eq!(missing(twice).0, ["A"]);
        let taken_back = counted(1, &[("a", Approved, "new"), ("a", Dismissed, "new")]);
        assert!(missing(taken_back).0.is_empty());
        let commented = counted(1, &[("a", Approved, "new"), ("a", Commented, "new")]);
        assert_eq!(commented, Count::Enough(vec!["a".to_owned()]));
    }

    #[test]
    fn who_takes_part_does_not_approve() {
        let (approved, left_out) = missing(counted(
            1,
            &[
                ("Opener", Approved, "new"),
                ("RUNNER", Approved, "new"),
                ("writer", Approved, "new"),
                ("late", Approved, "old"),
            ],
        ));
        assert!(approved.is_empty());
        assert_eq!(
            left_out,
            [
                ("late".to_owned(), "looked at an older commit"),
                ("Opener".to_owned(), "opened the request"),
                ("RUNNER".to_owned(), "ran the promotion"),
                ("writer".to_owned(), "made a promoted commit"),
            ]
        );
    }

    #[test]
    fn guests_do_not_count_where_anybody_does() {
        let (approved, left_out) = missing(counted(1, &[("guest", Approved, "new")]));
        assert!(approved.is_empty());
        assert_eq!(left_out, [("guest".to_owned(), "may not write to the repository")]);
        let guest = [("a", Approved, "new"), ("guest", ChangesRequested, "new")];
        assert_eq!(counted(1, &guest), Count::Enough(vec!["a".to_owned()]));
        let gate = Approvals { min: 1, by: Reviewers::Team("platform".to_owned()) };
        let reviews = of(&[("guest", Approved, "new")]);
        let counted = count(&gate, &reviews, &names(&["guest"]), &BTreeMap::new());
        assert_eq!(counted, Count::Enough(vec!["guest".to_owned()]));
    }

    #[test]
    fn changes_requested_by_an_eligible_reviewer_closes() {
        let both = [("a", Approved, "new"), ("b", ChangesRequested, "new")];
        assert_eq!(counted(1, &both), Count::Refused(vec!["b".to_owned()]));
        let own = [("a", Approved, "new"), ("opener", ChangesRequested, "new")];
        assert_eq!(counted(1, &own), Count::Enough(vec!["a".to_owned()]));
        let stale = [("a", Approved, "new"), ("b", ChangesRequested, "old")];
        assert_eq!(counted(1, &stale), Count::Enough(vec!["a".to_owned()]));
        let changed = [("b", ChangesRequested, "new"), ("b", Approved, "new")];
        assert_eq!(counted(1, &changed), Count::Enough(vec!["b".to_owned()]));
    }

    #[test]
    fn a_team_counts_its_members() {
        let gate = Approvals { min: 1, by: Reviewers::Team("platform".to_owned()) };
        let reviews = of(&[("out", Approved, "new"), ("Kim", Approved, "new")]);
        let none = BTreeMap::new();
        assert_eq!(
            count(&gate, &reviews, &names(&["kim"]), &none),
            Count::Enough(vec!["Kim".to_owned()])
        );
        let (_, left_out) = missing(count(&gate, &reviews, &names(&["other"]), &none));
        assert!(left_out.contains(&("out".to_owned(), "is not in the team")));
    }

    #[test]
    fn each_owned_file_needs_one_of_its_owners() {
        let gate = Approvals { min: 1, by: Reviewers::Owners };
        let owners = BTreeMap::from([
            ("a.yaml".to_owned(), names(&["ann", "opener"])),
            ("b.yaml".to_owned(), names(&["bob"])),
        ]);
        let counted = |reviews: &[(&str, Verdict, &str)]| {
            count(&gate, &of(reviews), &BTreeSet::new(), &owners)
        };
        match counted(&[("ann", Approved, "new"), ("opener", Approved, "new")]) {
            Count::Missing { files, .. } => assert_eq!(files, ["b.yaml"]),
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            counted(&[("ann", Approved, "new"), ("Bob", Approved, "new")]),
            Count::Enough(_)
        ));
        match counted(&[("eve", Approved, "new")]) {
            Count::Missing { left_out, .. } => {
                assert_eq!(left_out, [("eve".to_owned(), "owns none of the files")]);
            }
            other => panic!("{other:?}"),
        }
    }
}
