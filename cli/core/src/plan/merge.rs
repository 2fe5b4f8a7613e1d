//! Three-way: what moves is what changed in the source since its last
//! promotion.
//!
//! [`fate`] is the whole rule, over any value. [`merge`] applies it to what an
//! app shall hold in the target, slot by slot; the fields of one image go
//! together, since a tag of one side and a digest of the other name nothing.

use crate::judge::Moved;
use crate::object::Source;

use super::error::PlanError;
use super::hunk::printable;
use super::rules::key_of;
use super::slot::{App, Held, Slot};
use super::wanted::{Want, Wants};

/// What becomes of a value of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Both hold the same.
    Same,
    /// The source's value goes into the target.
    Moves,
    /// The target keeps its own: the source has not changed it since.
    Stays,
    /// Both changed, to different values.
    Conflict,
}

/// Decides over one value. `past` is what the source held at its last promotion
/// into the target, and what the target held right after; without one
/// everything moves.
pub fn fate<V: PartialEq + ?Sized>(source: &V, target: &V, past: Option<(&V, &V)>) -> Fate {
    match past {
        _ if source == target => Fate::Same,
        None => Fate::Moves,
        Some((source_then, _)) if source == source_then => Fate::Stays,
        Some((source_then, target_then)) if target == target_then || target == source_then => {
            Fate::Moves
        }
        Some(_) => Fate::Conflict,
    }
}

/// The last promotion of an app from the source into the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The commit on the target's branch.
    pub commit: String,
    /// The commit of the source's branch that was promoted.
    pub source_commit: String,
    /// The app as the source held it; `None` where it was not there.
    pub source: Option<App>,
    /// The app as the target held it right after; `None` where it was not there.
    pub target: Option<App>,
    /// What has changed the app in the source since, in words.
    pub changed_in_source: Option<String>,
    /// What has changed the app in the target since, in words.
    pub changed_in_target: Option<String>,
}

/// Who wins where both sides have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// Nobody: the app is not promoted.
    #[default]
    Neither,
    /// The source.
    Source,
    /// The target.
    Target,
}

/// A value that both sides have changed since the last promotion.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// What it is.
    pub what: Moved,
    /// Its name for people.
    pub name: String,
    /// Where it stands in the target.
    pub at: Source,
    /// What the source holds.
    pub source: Option<String>,
    /// What the target holds.
    pub target: Option<String>,
    /// What the source held at the last promotion.
    pub then: Option<String>,
}

/// The outcome for one app.
pub(super) struct Merged {
    pub(super) wants: Wants,
    /// What there is to say about it, a sentence each.
    pub(super) notes: Vec<String>,
    /// Whether it is a version that the source does not run.
    pub(super) alone: bool,
}

/// Keeps of what an app shall hold only what moves.
///
/// # Errors
///
/// [`PlanError::Conflicts`] names every value that both sides have changed,
/// unless `prefer` decides.
pub(super) fn merge(
    app: &str,
    (source, target): (&str, &str),
    wants: Wants,
    past: Option<&Past>,
    prefer: Prefer,
) -> Result<Merged, PlanError> {
    let Some(past) = past else {
        let moves = wants.slots.iter().any(|want| want.slot.value != want.value);
        let first =
            format!("no earlier promotion of {app} from {source}: everything promotable moves");
        return Ok(Merged {
            wants,
            notes: moves.then_some(first).into_iter().collect(),
            alone: false,
        });
    };
    let Wants { version, slots, .. } = wants;
    let (mut kept, mut notes, mut conflicts) = (Vec::new(), Vec::new(), Vec::new());
    for unit in units(slots) {
        let then = |app: &Option<App>| -> Vec<Option<Held>> {
            let of = |want: &Want| app.as_ref()?.slot(&want.slot.id)?.value.clone();
            unit.iter().map(of).collect()
        };
        let now: Vec<Option<Held>> = unit.iter().map(|want| want.value.clone()).collect();
        let here: Vec<Option<Held>> = unit.iter().map(|want| want.slot.value.clone()).collect();
        let (source_then, target_then) = (then(&past.source), then(&past.target));
        match fate(&now, &here, Some((&source_then, &target_then))) {
            Fate::Same | Fate::Moves => kept.extend(unit),
            Fate::Stays => {
                let differ = unit.iter().filter(|want| want.slot.value != want.value);
                notes.extend(differ.map(|want| {
                    format!(
                        "{target} keeps its own {} {} ({}): {source} has not changed it since {}",
                        called(app, &want.slot),
                        shown(want.slot.text(), want.slot.what),
                        want.slot.source,
                        short(&past.source_commit)
                    )
                }));
            }
            Fate::Conflict => {
                let differ = unit.iter().zip(source_then);
                let differ = differ.filter(|(want, _)| want.slot.value != want.value);
                conflicts.extend(differ.map(|(want, then)| Conflict {
                    what: want.slot.what,
                    name: want.slot.name.clone(),
                    at: want.slot.source.clone(),
                    source: want.value.as_ref().map(|held| held.text.clone()),
                    target: want.slot.text().map(str::to_owned),
                    then: then.map(|held| held.text),
                }));
                if prefer == Prefer::Source {
                    kept.extend(unit);
                }
            }
        }
    }
    if !conflicts.is_empty() {
        let winner = match prefer {
            Prefer::Neither => {
                return Err(PlanError::Conflicts {
                    app: app.to_owned(),
                    from: source.to_owned(),
                    to: target.to_owned(),
                    past: Box::new(past.clone()),
                    conflicts,
                });
            }
            Prefer::Source => source,
            Prefer::Target => target,
        };
        notes.extend(conflicts.iter().map(|conflict| {
            format!("{}; `--conflicts` decided for {winner}", conflict.words(source, target, past))
        }));
    }
    Ok(Merged { wants: Wants { version, slots: kept, ..Wants::default() }, notes, alone: false })
}

/// The slots that go together.
fn units(slots: Vec<Want>) -> Vec<Vec<Want>> {
    let mut units: Vec<Vec<Want>> = Vec::new();
    for want in slots {
        let of_image = |slot: &Slot| {
            matches!(slot.what, Moved::ImageName | Moved::ImageTag | Moved::ImageDigest)
        };
        let same = |other: &Want| {
            of_image(&want.slot)
                && of_image(&other.slot)
                && other.slot.id.mover == want.slot.id.mover
                && other.slot.name == want.slot.name
        };
        match units.iter_mut().find(|unit| unit.iter().any(same)) {
            Some(unit) => unit.push(want),
            None => units.push(vec![want]),
        }
    }
    units
}

impl Conflict {
    /// The conflict in one line.
    pub fn words(&self, source: &str, target: &str, past: &Past) -> String {
        let since = |changed: &Option<String>| match changed {
            Some(changed) => format!(" since {}", printable(changed)),
            None => String::new(),
        };
        format!(
            "{} {}: {target} holds {}{}, {source} holds {}{}; {} at the last promotion ({})",
            self.at,
            match self.what {
                Moved::Folder => "the file".to_owned(),
                what => format!("{} {}", printable(&self.name), key_of(what)),
            },
            shown(self.target.as_deref(), self.what),
            since(&past.changed_in_target),
            shown(self.source.as_deref(), self.what),
            since(&past.changed_in_source),
            shown(self.then.as_deref(), self.what),
            short(&past.commit),
        )
    }
}

/// How a slot is called where its app is known.
fn called(app: &str, slot: &Slot) -> String {
    let key = key_of(slot.what);
    if slot.what == Moved::Folder {
        return format!("file {},", printable(&slot.name));
    }
    if slot.name == app {
        format!("{key} of {app},")
    } else {
        format!("{} {key},", printable(&slot.name))
    }
}

/// A value on a terminal; that of a file is the name of its bytes, and how it is
/// held.
pub(super) fn shown(value: Option<&str>, what: Moved) -> String {
    match (value, what) {
        (None, _) => "nothing".to_owned(),
        (Some(text), Moved::Folder) => match text.split_at_checked(40) {
            Some((name, held)) => printable(&format!("{}{held}", short(name))),
            None => printable(text),
        },
        (Some(text), _) => printable(text),
    }
}

pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::slot::SlotId;
    use super::*;

    /// Source now, target now, source then, target then: every way in which
    /// four values can be equal or not.
    #[test]
    fn every_case_has_its_fate() {
        use Fate::{Conflict, Moves, Same, Stays};
        for (values, expected) in [
            ("aaaa", Same),
            ("aaab", Same),
            ("aaba", Same),
            ("aabb", Same),
            ("aabc", Same),
            // Unchanged in the source: the target keeps what it made of it.
            ("abaa", Stays),
            ("abab", Stays),
            ("abac", Stays),
            // Changed in the source, and the target is where it was left.
            ("abbb", Moves),
            ("abcb", Moves),
            // The target was set to what the source held.
            ("abbc", Moves),
            ("abba", Moves),
            // Changed in both.
            ("abca", Conflict),
            ("abcc", Conflict),
            ("abcd", Conflict),
        ] {
            let v: Vec<char> = values.chars().collect();
            assert_eq!(fate(&v[0], &v[1], Some((&v[2], &v[3]))), expected, "{values}");
        }
        assert_eq!(fate(&1, &2, None), Moves);
        assert_eq!(fate(&1, &1, None), Same);
    }

    proptest! {
        /// A change that only the target has seen survives.
        #[test]
        fn a_change_of_the_target_alone_is_never_lost(now in 0..4, target in 0..4, then in 0..4, after in 0..4) {
            let fate = fate(&now, &target, Some((&then, &after)));
            if target != after && target != then {
                prop_assert_ne!(fate, Fate::Moves);
            }
            if now == then && target != now {
                prop_assert_eq!(fate, Fate::Stays);
            }
        }

        /// After a promotion the same one has nothing to do.
        #[test]
        fn promoting_twice_is_nothing_the_second_time(
            now in 0..4, target in 0..4, past in proptest::option::of((0..4, 0..4)), source_wins: bool
        ) {
            let past = past.as_ref().map(|(then, after)| (then, after));
            let after = match fate(&now, &target, past) {
                Fate::Moves => now,
                Fate::Conflict if source_wins => now,
                _ => target,
            };
            let again = fate(&now, &after, Some((&now, &after)));
            prop_assert!(matches!(again, Fate::Same | Fate::Stays), "{:?}", again);
        }
    }

    fn want(name: &str, what: Moved, here: Option<&str>, there: Option<&str>) -> Want {
        let slot = Slot {
            id: SlotId { mover: 0, place: format!("{name} {}", key_of(what)) },
            what,
            name: name.to_owned(),
            file: path("k/kustomization.yaml"),
            path: Vec::new(),
            value: here.map(Held::text),
            source: Source { path: "k/kustomization.yaml".to_owned(), document: 1, line: Some(3) },
            spot: super::super::slot::Spot::Image,
            owned_by: None,
        };
        Want { slot, value: there.map(Held::text) }
    }

    fn path(text: &str) -> gitops_tree::TreePath {
        gitops_tree::TreePath::new(text).unwrap()
    }

    fn app(values: &[(&str, Moved, &str)]) -> Option<App> {
        let slots =
            values.iter().map(|(name, what, value)| want(name, *what, Some(value), None).slot);
        Some(App { name: "web".to_owned(), folder: path("k"), slots: slots.collect() })
    }

    fn past(source: Option<App>, target: Option<App>) -> Past {
        Past {
            commit: "c".repeat(40),
            source_commit: "d".repeat(40),
            source,
            target,
            changed_in_source: Some("1111111111 (Release)".to_owned()),
            changed_in_target: None,
        }
    }

    fn wants(slots: Vec<Want>) -> Wants {
        Wants { version: "v2".to_owned(), slots, ..Wants::default() }
    }

    #[test]
    fn the_fields_of_an_image_go_together() {
        use Moved::{ImageDigest, ImageTag};
        // The target pins a hotfix of its own, the source has a new tag.
        let slots = || {
            vec![
                want("web", ImageTag, Some("v1"), Some("v2")),
                want("web", ImageDigest, Some("sha256:fix"), Some("sha256:one")),
            ]
        };
        let then = || app(&[("web", ImageTag, "v1"), ("web", ImageDigest, "sha256:one")]);
        let past = past(then(), then());
        let merged = |prefer| merge("web", ("dev", "prod"), wants(slots()), Some(&past), prefer);
        let Err(PlanError::Conflicts { conflicts, .. }) = merged(Prefer::Neither) else {
            panic!("no conflict");
        };
        assert_eq!(conflicts.len(), 2);
        assert_eq!(
            conflicts[0].words("dev", "prod", &past),
            "k/kustomization.yaml:3 web newTag: prod holds v1, dev holds v2 since 1111111111 (Release); v1 at the last promotion (cccccccccc)"
        );
        assert_eq!(merged(Prefer::Source).ok().unwrap().wants.slots.len(), 2);
        assert_eq!(merged(Prefer::Target).ok().unwrap().wants.slots.len(), 0);
    }

    #[test]
    fn what_the_source_left_alone_stays_and_is_told() {
        use Moved::ImageTag;
        let slots = vec![
            want("web", ImageTag, Some("fix"), Some("v1")),
            want("api", ImageTag, Some("v1"), Some("v2")),
        ];
        let then = app(&[("web", ImageTag, "v1"), ("api", ImageTag, "v1")]);
        let past = past(then.clone(), then);
        let merged =
            merge("web", ("dev", "prod"), wants(slots), Some(&past), Prefer::Neither).ok().unwrap();
        assert_eq!(merged.wants.slots.len(), 1);
        assert_eq!(merged.wants.slots[0].slot.name, "api");
        assert_eq!(
            merged.notes,
            [
                "prod keeps its own newTag of web, fix (k/kustomization.yaml:3): dev has not changed it since dddddddddd"
            ]
        );
    }

    #[test]
    fn without_a_record_everything_moves_and_it_is_told() {
        let slots = || vec![want("web", Moved::ImageTag, Some("v1"), Some("v2"))];
        let merged = merge("web", ("dev", "prod"), wants(slots()), None, Prefer::Neither);
        assert_eq!(
            merged.ok().unwrap().notes,
            ["no earlier promotion of web from dev: everything promotable moves"]
        );
        let same = vec![want("web", Moved::ImageTag, Some("v2"), Some("v2"))];
        let merged = merge("web", ("dev", "prod"), wants(same), None, Prefer::Neither);
        assert!(merged.ok().unwrap().notes.is_empty());
    }

    #[test]
    fn a_slot_that_is_new_since_then_moves() {
        let slots = vec![want("new", Moved::ImageTag, None, Some("v1"))];
        let past = past(app(&[]), app(&[]));
        let merged = merge("web", ("dev", "prod"), wants(slots), Some(&past), Prefer::Neither);
        assert_eq!(merged.ok().unwrap().wants.slots.len(), 1);
    }
}
