//! What a kustomization settles before it builds: types and fields.

use gitops_tree::TreePath;
use gitops_yaml::Node;

use super::Build;
use crate::decode::Decode;
use crate::defaults::Config;
use crate::error::{BuildError, Place};
use crate::known::Known;
use crate::kustomization::Kustomization;
use crate::schema::Document;
use crate::{configuration, crds};

/// The Kubernetes whose types are built in.
const BUILTIN_VERSION: &str = "v1.21.2";

impl Build<'_> {
    /// Settles which types a build knows, where nothing has yet.
    ///
    /// Rules from kustomize v5.8: api/internal/target/kusttarget.go, and
    /// `SetSchema` of kyaml/openapi.
    pub(super) fn set_schema(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
    ) -> Result<(), BuildError> {
        let field = |name: &str| {
            kustomization.openapi.iter().find(|(own, _)| own == name).map(|(_, node)| node)
        };
        let document = match field("path") {
            Some(node) => {
                let (file, bytes) = self.files.load(root, &self.files.reference(node, path))?;
                let document = self.files.definitions(&file, &bytes)?;
                Some((Place::file(file), document))
            }
            None => None,
        };
        if self.schema.is_set() {
            return Ok(());
        }
        let version = field("version");
        let fail = |node: &Node, message: String| BuildError::Invalid {
            place: self.files.place(node, &Place::file(path.clone())),
            message,
        };
        match (document, version) {
            (Some(_), Some(version)) => {
                let message = "`openapi` has `path` and `version`; delete one of them".to_owned();
                Err(fail(version, message))
            }
            (Some((_, Some(document))), None) if document.is_mapping() => {
                self.schema.set_custom(Document::new(document));
                Ok(())
            }
            (Some((place, _)), None) => Err(BuildError::Invalid {
                place,
                message: "an OpenAPI document must be a mapping".to_owned(),
            }),
            (None, Some(version)) => match version.text() {
                Some(BUILTIN_VERSION) => {
                    self.schema.set_builtin();
                    Ok(())
                }
                None | Some("") => Ok(()),
                Some(other) => Err(fail(
                    version,
                    format!(
                        "`openapi.version` is `{other}`, and only {BUILTIN_VERSION} is built in"
                    ),
                )),
            },
            (None, None) => Ok(()),
        }
    }

    /// The built-in configuration with the kustomization's own.
    pub(super) fn add_configuration(
        &mut self,
        root: &TreePath,
        path: &TreePath,
        kustomization: &Kustomization,
        known: &mut Known,
    ) -> Result<(), BuildError> {
        let fail = |path: &TreePath| {
            let place = Place::file(path.clone());
            |message| BuildError::Invalid { place, message }
        };
        let mut own = Config::default();
        for entry in &kustomization.configurations {
            let (file, bytes) = self.files.load(root, &self.files.reference(entry, path))?;
            if let Some(document) = self.files.configuration(&file, &bytes)? {
                own.merge(&configuration::read(&file, &document)?).map_err(fail(&file))?;
            }
        }
        for entry in &kustomization.crds {
            let (file, bytes) = self.files.load(root, &self.files.reference(entry, path))?;
            if let Some(document) = self.files.definitions(&file, &bytes)? {
                let decode = Decode::lenient(&file);
                own.merge(&crds::read(decode, &document)?).map_err(fail(&file))?;
            }
        }
        let mut more = Known::Builtin;
        if !kustomization.configurations.is_empty() || !kustomization.crds.is_empty() {
            more.add(&Known::Custom(Box::new(own))).map_err(fail(path))?;
        }
        known.add(&more).map_err(fail(path))
    }
}
