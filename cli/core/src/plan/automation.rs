//! Values that an automation writes as well: what a person promotes there, it
//! may overwrite.

use gitops_tree::{Tree, TreeError, TreePath};
use gitops_yaml::Mark;

use crate::judge::Moved;

use super::error::PlanError;
use super::hunk::printable;
use super::slot::Slot;

/// The marker of Flux's image automation, in a comment behind the value
/// (fluxcd/image-automation-controller, `pkg/update`).
const SETTER: &str = "$imagepolicy";

/// The automation that a comment behind the value at `mark` names.
pub(super) fn setter(bytes: &[u8], mark: &Mark) -> Option<String> {
    let rest = bytes.get(mark.end as usize..)?;
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let (_, comment) = std::str::from_utf8(line).ok()?.split_once('#')?;
    let setter: serde_json::Value = serde_json::from_str(comment.trim()).ok()?;
    let policy = setter.get(SETTER)?.as_str()?;
    Some(format!("Flux image automation ({})", printable(policy)))
}

/// Marks the images and values that the file of Argo CD Image Updater decides,
/// which lies beside them: `.argocd-source.yaml` or `.argocd-source-APP.yaml`.
///
/// # Errors
///
/// When the folder cannot be read.
pub(super) fn mark_overridden(
    tree: &dyn Tree,
    folder: &TreePath,
    slots: &mut [Slot],
) -> Result<(), PlanError> {
    let names = match tree.list(folder) {
        Ok(entries) => entries.into_iter().map(|entry| entry.name),
        Err(TreeError::Absent { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let is_source = |name: &String| name.starts_with(".argocd-source") && name.ends_with(".yaml");
    let Some(name) = names.into_iter().find(is_source) else { return Ok(()) };
    for slot in slots {
        let decided = matches!(
            slot.what,
            Moved::ImageName | Moved::ImageTag | Moved::ImageDigest | Moved::Value
        );
        if decided && slot.owned_by.is_none() && slot.file.parent().as_ref() == Some(folder) {
            slot.owned_by = Some(format!("Argo CD Image Updater ({})", printable(&name)));
        }
    }
    Ok(())
}
