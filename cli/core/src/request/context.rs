//! Names of commit statuses.

use sha2::{Digest, Sha256};

/// The longest name, in letters: GitHub's own limit.
const LONGEST: usize = 255;

/// The context of a gate's status: `gitops/gate/ENVIRONMENT/APP/GATE`. Several
/// apps are joined by `+`; where that gets too long, by how many they are and a
/// sum over them.
pub fn context(environment: &str, apps: &[String], gate: &str) -> String {
    let joined = apps.join("+");
    let whole = |apps: &str| format!("gitops/gate/{environment}/{apps}/{gate}");
    let name = whole(&joined);
    if name.chars().count() <= LONGEST {
        return name;
    }
    let sum = Sha256::digest(joined.as_bytes());
    let sum: String = sum.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    whole(&format!("{}-apps-{sum}", apps.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_below_the_limit_and_its_own() {
        let apps = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(context("prod", &apps(&["web"]), "soak"), "gitops/gate/prod/web/soak");
        assert_eq!(
            context("prod", &apps(&["api", "web"]), "soak"),
            "gitops/gate/prod/api+web/soak"
        );
        let many: Vec<String> = (0..99).map(|number| format!("app-{number}")).collect();
        let long = context("prod", &many, "soak");
        assert!(long.chars().count() <= LONGEST && long.starts_with("gitops/gate/prod/99-apps-"));
        assert_ne!(long, context("prod", &many[1..], "soak"));
        assert!(long.ends_with("/soak"));
    }
}
