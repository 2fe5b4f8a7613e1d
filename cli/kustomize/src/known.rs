//! Which fields a build's transformations touch, as kustomizations add to it.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::defaults::Config;

/// The configuration that an accumulation has come to. Most never leave the
/// built-in one.
#[derive(Default)]
pub(crate) enum Known {
    #[default]
    Nothing,
    Builtin,
    Custom(Box<Config>),
}

/// kustomize's own configuration.
fn builtin() -> &'static Config {
    static BUILTIN: OnceLock<Config> = OnceLock::new();
    BUILTIN.get_or_init(Config::builtin)
}

impl Known {
    pub(crate) fn get(&self) -> Cow<'_, Config> {
        match self {
            Known::Nothing => Cow::Owned(Config::default()),
            Known::Builtin => Cow::Borrowed(builtin()),
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
                    known => Box::new(known.get().into_owned()),
                };
                config.merge(&more.get())?;
                Known::Custom(config)
            }
        };
        Ok(())
    }
}
