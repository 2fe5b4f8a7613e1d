//! Which fields a build's transformations touch, as kustomizations add to it.

use std::borrow::Cow;

use crate::defaults::{self, Config, List, NameReference};
use crate::fieldspec::FieldSpec;

/// The configuration that an accumulation has come to. Most never leave the
/// built-in one.
#[derive(Default)]
pub(crate) enum Known {
    #[default]
    Nothing,
    Builtin,
    Custom(Box<Config>),
}

impl Known {
    /// The fields that a transformation touches.
    pub(crate) fn fields(&self, which: List) -> &[FieldSpec] {
        match self {
            Known::Nothing => &[],
            Known::Builtin => defaults::builtin(which),
            Known::Custom(config) => config.list(which),
        }
    }

    /// The fields that hold names.
    pub(crate) fn references(&self) -> &[NameReference] {
        match self {
            Known::Nothing => &[],
            Known::Builtin => defaults::builtin_references(),
            Known::Custom(config) => &config.references,
        }
    }

    fn whole(&self) -> Cow<'_, Config> {
        match self {
            Known::Nothing => Cow::Owned(Config::default()),
            Known::Builtin => Cow::Owned(Config::builtin()),
            Known::Custom(config) => Cow::Borrowed(config),
        }
    }

    /// Adds up once more what a component has left: its accumulation goes into
    /// an empty one, and of two specs that overlap the first by now stays
    /// (`accumulateDirectory`, api/internal/target/kusttarget.go).
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        if let Known::Custom(_) = self {
            let all = std::mem::take(self);
            self.add(&all)?;
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, more: &Known) -> Result<(), String> {
        *self = match (std::mem::take(self), more) {
            (known, Known::Nothing) => known,
            (Known::Nothing | Known::Builtin, Known::Builtin) => Known::Builtin,
            (known, more) => {
                let mut config = match known {
                    Known::Custom(config) => config,
                    known => Box::new(known.whole().into_owned()),
                };
                config.merge(&more.whole())?;
                Known::Custom(config)
            }
        };
        Ok(())
    }
}
