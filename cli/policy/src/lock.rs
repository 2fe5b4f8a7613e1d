//! Writes `policies.lock`.

use gitops_tree::{EntryKind, Tree, TreePath};

use crate::files::{self, LockEntry, LockFile};
use crate::host::Host;
use crate::load::{PolicyError, folder, read_policy};

/// What opens the file.
const HEAD: &str = "# Written by `kubectl gitops policy lock`; review it, do not edit it.\n";

/// The text of `policies.lock` for every policy in the folders beside
/// `bindings`. Each is loaded as for judgement, so that what is locked can be
/// run. The serial is one more than the lock in `tree`, or the same where
/// nothing else differs; then so is the text.
pub fn write_lock(
    host: &Host,
    tree: &dyn Tree,
    bindings: &TreePath,
) -> Result<String, PolicyError> {
    let before = files::lock(tree)?.unwrap_or_default();
    let mut policies = Vec::new();
    let folder = folder(bindings);
    let entries = tree.list(&folder).map_err(|source| PolicyError::Tree { source })?;
    for entry in entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory) {
        let Ok(manifest) = folder.join(&format!("{}/policy.yaml", entry.name)) else { continue };
        let there = tree.kind(&manifest).map_err(|source| PolicyError::Tree { source })?;
        if there.is_some() {
            policies.push(locked(host, tree, &folder, &entry.name)?);
        }
    }
    let serial = if policies == before.policies { before.serial } else { before.serial + 1 };
    let text = toml::to_string(&LockFile { serial: serial.max(1), policies }).map_err(|error| {
        PolicyError::Lock { path: files::lock_path(), reason: error.to_string() }
    })?;
    Ok(format!("{HEAD}{text}"))
}

fn locked(
    host: &Host,
    tree: &dyn Tree,
    folder: &TreePath,
    name: &str,
) -> Result<LockEntry, PolicyError> {
    let policy = read_policy(tree, folder, name)?;
    let unfit = |reason: String| PolicyError::Unfit { policy: name.to_owned(), reason };
    let module = policy.module.as_ref().map_err(|fault| unfit(fault.message.clone()))?;
    let mut world = None;
    for role in policy.roles {
        let ready = host.prepare(module, role).map_err(|fault| unfit(fault.message))?;
        world = Some(ready.world.clone());
    }
    let world = world.ok_or_else(|| unfit("it judges nothing".to_owned()))?;
    Ok(LockEntry {
        name: policy.name,
        version: policy.version,
        sha256: module.digest.trim_start_matches("sha256:").to_owned(),
        size: module.bytes.len() as u64,
        abi: "component".to_owned(),
        wit: world.wit,
        imports: world.imports,
    })
}
