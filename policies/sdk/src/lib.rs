//! Write a policy of `kubectl gitops` in a few lines.
//!
//! A policy is a WebAssembly component of the world `gate` (it judges a
//! promotion) or `check` (it judges what environments hold). Implement
//! [`Gate`] or [`Check`] and name the type in [`gate!`] or [`check!`]:
//!
//! ```no_run
//! use gitops_policy_sdk::prelude::*;
//!
//! struct NoFriday;
//!
//! #[derive(serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     kinds: Vec<String>,
//! }
//!
//! impl Gate for NoFriday {
//!     type Settings = Settings;
//!
//!     fn evaluate(_: &Context, _: &GateRequest, settings: Settings) -> Result<Outcome, PolicyError> {
//!         let findings = input::changes()
//!             .iter()
//!             .filter(|change| settings.kinds.contains(&change.id.kind))
//!             .map(|change| Finding::deny("frozen-kind", "this kind does not change").on(&change.id))
//!             .collect();
//!         Ok(Outcome::Evaluated(findings))
//!     }
//! }
//!
//! gitops_policy_sdk::gate!(NoFriday);
//! # fn main() {}
//! ```
//!
//! A check is written the same way:
//!
//! ```no_run
//! use gitops_policy_sdk::prelude::*;
//!
//! struct HasOwner;
//!
//! impl Check for HasOwner {
//!     type Settings = std::collections::BTreeMap<String, ()>;
//!
//!     fn evaluate(
//!         _: &Context,
//!         request: &CheckRequest,
//!         _: Self::Settings,
//!     ) -> Result<Outcome, PolicyError> {
//!         let mut findings = Vec::new();
//!         for rendered in &request.environments {
//!             for object in input::desired(&rendered.environment.name) {
//!                 if object.json()?["metadata"]["labels"]["owner"].is_null() {
//!                     findings.push(Finding::warn("no-owner", "nobody owns it").on(&object.id));
//!                 }
//!             }
//!         }
//!         Ok(Outcome::Evaluated(findings))
//!     }
//! }
//!
//! gitops_policy_sdk::check!(HasOwner);
//! # fn main() {}
//! ```
//!
//! Most policies are rules about single objects. A [`Rule`], named in [`rule!`],
//! is both: a gate for the objects that change, and a check of all that stand.
//!
//! The only clock is `context.evaluated_at`. A panic is a fault of the policy,
//! never a verdict; its text is sent to the host's log.

mod finding;
pub mod image;
pub mod pods;
mod rule;
mod settings;

use serde::de::DeserializeOwned;

pub use rule::{Rule, RuleAdapter};
pub use settings::{Problem, parse_settings};

/// Generated bindings, one small world an exported interface: an interface may
/// be generated only once in a crate, and the worlds `gate` and `check` share
/// `settings`. The component's world is the union of those that are exported.
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod settings_world {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package kubectl-gitops:sdk-settings;
            world settings-part {
                import kubectl-gitops:policy/log@0.1.0;
                import kubectl-gitops:policy/input@0.1.0;
                export kubectl-gitops:policy/settings@0.1.0;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_settings",
        default_bindings_module: "gitops_policy_sdk::settings_world",
        additional_derives: [Clone],
        generate_all,
    });
}

/// The part of the world `gate` that judges.
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod gate_world {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package kubectl-gitops:sdk-gate;
            world gate-part { export kubectl-gitops:policy/promotion-gate@0.1.0; }
        ",
        pub_export_macro: true,
        export_macro_name: "export_gate",
        default_bindings_module: "gitops_policy_sdk::gate_world",
        additional_derives: [Clone],
        generate_all,
        with: {
            "kubectl-gitops:policy/types@0.1.0": crate::settings_world::kubectl_gitops::policy::types,
        },
    });
}

/// The part of the world `check` that judges.
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod check_world {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package kubectl-gitops:sdk-check;
            world check-part { export kubectl-gitops:policy/conformance-check@0.1.0; }
        ",
        pub_export_macro: true,
        export_macro_name: "export_check",
        default_bindings_module: "gitops_policy_sdk::check_world",
        additional_derives: [Clone],
        generate_all,
        with: {
            "kubectl-gitops:policy/types@0.1.0": crate::settings_world::kubectl_gitops::policy::types,
        },
    });
}

pub use check_world::exports::kubectl_gitops::policy::conformance_check::Request as CheckRequest;
pub use gate_world::exports::kubectl_gitops::policy::promotion_gate::{
    Operation, Request as GateRequest,
};
pub use settings_world::kubectl_gitops::policy::{input, log, types};

/// What most policies need.
pub mod prelude {
    pub use crate::types::{
        Change, ChangeKind, Context, Effect, Environment, Finding, Move, Moved, Object, ObjectRef,
        Outcome, PendingInfo, PolicyError, Severity,
    };
    pub use crate::{Check, CheckRequest, Gate, GateRequest, Operation, Problem, Rule, input, log};
}

/// A policy that judges a promotion.
pub trait Gate {
    /// What its binding may set. Refuse unknown keys
    /// (`#[serde(deny_unknown_fields)]`); absent settings are read as `{}`.
    type Settings: DeserializeOwned;

    /// Problems of the settings. Unless overridden: what reading them as
    /// [`Gate::Settings`] says, which is one problem at most.
    fn validate(settings: &serde_json::Value) -> Vec<Problem> {
        settings::validate_as::<Self::Settings>(settings)
    }

    /// Judges. What changes is asked from [`input`].
    fn evaluate(
        context: &types::Context,
        request: &GateRequest,
        settings: Self::Settings,
    ) -> Result<types::Outcome, types::PolicyError>;
}

/// A policy that judges what environments hold.
pub trait Check {
    /// What its binding may set, as in [`Gate::Settings`].
    type Settings: DeserializeOwned;

    /// Problems of the settings, as in [`Gate::validate`].
    fn validate(settings: &serde_json::Value) -> Vec<Problem> {
        settings::validate_as::<Self::Settings>(settings)
    }

    /// Judges. Desired objects are asked from [`input::desired`].
    fn evaluate(
        context: &types::Context,
        request: &CheckRequest,
        settings: Self::Settings,
    ) -> Result<types::Outcome, types::PolicyError>;
}

/// Carries a [`Gate`] to the exports of its world; named by the macro only.
#[doc(hidden)]
pub struct GateAdapter<T>(std::marker::PhantomData<T>);

impl<T: Gate> settings_world::exports::kubectl_gitops::policy::settings::Guest for GateAdapter<T> {
    fn validate(settings: String) -> Vec<types::SettingsProblem> {
        settings::validate_text(&settings, T::validate)
    }
}

impl<T: Gate> gate_world::exports::kubectl_gitops::policy::promotion_gate::Guest
    for GateAdapter<T>
{
    fn evaluate(
        context: types::Context,
        request: GateRequest,
    ) -> Result<types::Outcome, types::PolicyError> {
        report_panics();
        let settings = parse_settings(&context.settings)?;
        T::evaluate(&context, &request, settings)
    }
}

/// Carries a [`Check`] to the exports of its world; named by the macro only.
#[doc(hidden)]
pub struct CheckAdapter<T>(std::marker::PhantomData<T>);

impl<T: Check> settings_world::exports::kubectl_gitops::policy::settings::Guest
    for CheckAdapter<T>
{
    fn validate(settings: String) -> Vec<types::SettingsProblem> {
        settings::validate_text(&settings, T::validate)
    }
}

impl<T: Check> check_world::exports::kubectl_gitops::policy::conformance_check::Guest
    for CheckAdapter<T>
{
    fn evaluate(
        context: types::Context,
        request: CheckRequest,
    ) -> Result<types::Outcome, types::PolicyError> {
        report_panics();
        let settings = parse_settings(&context.settings)?;
        T::evaluate(&context, &request, settings)
    }
}

/// A trap carries no text, so the text of a panic goes to the log first.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
}

/// Exports a type that implements [`Gate`] as the component's policy.
#[macro_export]
macro_rules! gate {
    ($policy:ty) => {
        #[doc(hidden)]
        type __GitopsPolicy = $crate::GateAdapter<$policy>;
        $crate::settings_world::export_settings!(
            __GitopsPolicy with_types_in $crate::settings_world
        );
        $crate::gate_world::export_gate!(__GitopsPolicy with_types_in $crate::gate_world);
    };
}

/// Exports a type that implements [`Check`] as the component's policy.
#[macro_export]
macro_rules! check {
    ($policy:ty) => {
        #[doc(hidden)]
        type __GitopsPolicy = $crate::CheckAdapter<$policy>;
        $crate::settings_world::export_settings!(
            __GitopsPolicy with_types_in $crate::settings_world
        );
        $crate::check_world::export_check!(__GitopsPolicy with_types_in $crate::check_world);
    };
}

/// Exports a type that implements [`Rule`] as the component's policy, for
/// promotions and for checks.
#[macro_export]
macro_rules! rule {
    ($policy:ty) => {
        #[doc(hidden)]
        type __GitopsPolicy = $crate::RuleAdapter<$policy>;
        $crate::settings_world::export_settings!(
            __GitopsPolicy with_types_in $crate::settings_world
        );
        $crate::gate_world::export_gate!(__GitopsPolicy with_types_in $crate::gate_world);
        $crate::check_world::export_check!(__GitopsPolicy with_types_in $crate::check_world);
    };
}
