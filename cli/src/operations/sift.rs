//! One commit for several apps: which of them may go, when not all may.

use gitops_core::judge::Decision;

use super::promote::{Failed, Judged};
use crate::failure::Failure;

/// The judged plans of some apps, one a commit.
pub(super) type Tried = Vec<Result<Judged, Failed>>;

/// Whether nothing holds the plans back.
pub(super) fn open(tried: &Tried) -> bool {
    tried.iter().all(|tried| match tried {
        Ok(judged) => {
            judged.preview.as_ref().is_none_or(|preview| preview.decision == Decision::Open)
        }
        Err(_) => false,
    })
}

/// Finds the apps that may go, by halves: what is open together stays
/// together. Gives their names, and the plans of those that are held back
/// alone.
pub(super) fn sift(
    apps: &[String],
    attempt: &dyn Fn(&[String]) -> Result<Tried, Failure>,
) -> Result<(Vec<String>, Tried), Failure> {
    let (mut names, mut held) = (Vec::new(), Tried::new());
    // The whole has been tried before.
    let (left, right) = apps.split_at(apps.len() / 2);
    let mut next = vec![right, left];
    while let Some(apps) = next.pop() {
        let tried = attempt(apps)?;
        if open(&tried) {
            names.extend(apps.iter().cloned());
        } else if let [_] = apps {
            held.extend(tried);
        } else {
            let (left, right) = apps.split_at(apps.len() / 2);
            next.extend([right, left]);
        }
    }
    Ok((names, held))
}
