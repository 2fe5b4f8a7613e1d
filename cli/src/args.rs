//! What was typed. Flags that several verbs share stand here; each verb's own
//! arguments stand beside its run function in [`crate::commands`].

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Args, CommandFactory as _, Parser};

use crate::commands::Command;
use crate::output::Color;

/// Diff clusters against Git, and promote changes through it
///
/// How does my cluster differ from Git, what would this promotion change,
/// and may it happen? Reads clusters, never writes to one. Moves changes
/// between environments through Git, and lets the repository's policies decide.
#[derive(Parser, Debug)]
#[command(
    version,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = EXIT_STATUS, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One table for every verb.
const EXIT_STATUS: &str = "\
Exit status:
  0  yes, done, no difference
  1  the answer is no: differences, or a closed gate
  2  usage or configuration
  3  cluster, Git or forge
  4  a policy did not answer
  5  pending, ask again later";

/// One page, whether asked for by `-h`, `--help` or `help`: an option a line.
const PAGE: &str = "\
{about}

{before-help}{usage-heading} {usage}

{all-args}{after-help}";

/// Flags of every verb.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Work in the repository that holds DIR
    #[arg(short = 'C', value_name = "DIR", global = true, help_heading = "Common options")]
    pub(crate) directory: Option<PathBuf>,
    /// Take this checkout as the repository NAME of gitops.yaml; may be repeated
    #[arg(long, value_name = "NAME=DIR", global = true, help_heading = "Common options")]
    #[arg(value_parser = checkout)]
    pub(crate) repo: Vec<Checkout>,
    /// When to use colour; `auto` heeds `NO_COLOR`
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    #[arg(help_heading = "Common options")]
    pub(crate) color: Color,
    /// Say nothing but the answer, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    #[arg(help_heading = "Common options")]
    pub(crate) quiet: bool,
    /// Say more about what is done
    #[arg(short, long, global = true, help_heading = "Common options")]
    pub(crate) verbose: bool,
}

/// A checkout of another repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// Its key in `repositories` of gitops.yaml.
    pub(crate) name: String,
    /// A folder in it.
    pub(crate) dir: PathBuf,
}

fn checkout(text: &str) -> Result<Checkout, String> {
    match text.split_once('=') {
        Some((name, dir)) if !name.is_empty() && !dir.is_empty() => {
            Ok(Checkout { name: name.to_owned(), dir: PathBuf::from(dir) })
        }
        _ => Err(format!("`{text}` is not of the form `NAME=DIR`")),
    }
}

impl Common {
    /// The checkout of the repository `name`; the last one that was given.
    pub(crate) fn checkout(&self, name: &str) -> Option<&Path> {
        let mut given = self.repo.iter().rev();
        given.find(|checkout| checkout.name == name).map(|checkout| checkout.dir.as_path())
    }
}

/// kubectl's flags for reaching a cluster, with kubectl's meaning.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Cluster options")]
pub(crate) struct ClusterArgs {
    /// Path to the kubeconfig file
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Name of the kubeconfig context
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Name of the kubeconfig cluster
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Name of the kubeconfig user
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Address of the API server
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Bearer token for the API server
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// User to impersonate
    #[arg(long = "as", value_name = "USER")]
    pub(crate) impersonate: Option<String>,
    /// Group to impersonate; may be repeated
    #[arg(long = "as-group", value_name = "GROUP")]
    pub(crate) impersonate_groups: Vec<String>,
    /// How long one request may take: `30s`, `2m`; 0 for no limit
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) request_timeout: std::time::Duration,
    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
}

impl ClusterArgs {
    /// A flag that was given, apart from the timeout, which has a default.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        let flags = [
            (self.kubeconfig.is_some(), "--kubeconfig"),
            (self.context.is_some(), "--context"),
            (self.cluster.is_some(), "--cluster"),
            (self.user.is_some(), "--user"),
            (self.server.is_some(), "--server"),
            (self.token.is_some(), "--token"),
            (self.impersonate.is_some(), "--as"),
            (!self.impersonate_groups.is_empty(), "--as-group"),
            (self.namespace.is_some(), "--namespace"),
        ];
        flags.into_iter().find(|(given, _)| *given).map(|(_, flag)| flag)
    }
}

pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(std::time::Duration::from_secs(seconds));
    }
    let duration: jiff::SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is not a time such as `30s` or `2m`"))?;
    duration.try_into().map_err(|_| format!("`{text}` is negative"))
}

/// The command line with the verb `word` alone: what it takes means the same
/// among all of them. `None` where the word is no such verb.
pub(crate) fn one_verb(word: Option<&std::ffi::OsString>) -> Option<clap::Command> {
    let verb = Command::alone(word?.to_str()?)?;
    let command = clap::Command::new(env!("CARGO_PKG_NAME")).subcommand_required(true);
    Some(Common::augment_args(command).subcommand(verb))
}

/// The command line, named as it was called: `kubectl gitops` or `flux gitops`.
pub(crate) fn command() -> clap::Command {
    let called = std::env::args_os().next().unwrap_or_default();
    named(&called_as(Path::new(&called)))
}

/// The command line under the name `name`.
pub(crate) fn named(name: &str) -> clap::Command {
    page(Cli::command(), name).bin_name(name.to_owned()).display_name(name.to_owned())
}

/// Lays out the help of a command and of those below it. What the doc comment
/// says after its first line stands before the usage.
fn page(command: clap::Command, name: &str) -> clap::Command {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let more = long.strip_prefix(&about).unwrap_or(&long).trim();
    let more = more.replace("kubectl gitops", name);
    let help = Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::HelpShort)
        .help("Print this page")
        .help_heading("Common options")
        .display_order(1000);
    let command = command
        .long_about(None)
        .help_template(PAGE)
        .disable_help_flag(true)
        .arg(help)
        .after_help(EXIT_STATUS)
        .mut_subcommands(|command| page(command, name));
    if more.is_empty() { command } else { command.before_help(more) }
}

/// What to call ourselves: a plugin of the program whose prefix we have.
pub(crate) fn called_as(program: &Path) -> String {
    let stem = program.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    match stem.split_once('-') {
        Some((host @ ("kubectl" | "flux"), plugin)) => {
            format!("{host} {}", plugin.replace('_', "-"))
        }
        _ => "kubectl gitops".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_alone_is_read_as_among_all() {
        use clap::FromArgMatches as _;
        let lines: &[&[&str]] = &[
            &["diff", "prod", "--context", "a", "-q"],
            &["render", "-k", "overlays/dev", "-C", "elsewhere"],
            &["render", "--all", "--color", "never", "-v"],
            &["list"],
            &["promote", "prod", "--dry-run"],
            &["gate", "--base", "main", "-o", "json"],
        ];
        for line in lines {
            let words: Vec<&str> =
                std::iter::once("kubectl-gitops").chain(line.iter().copied()).collect();
            let verb = std::ffi::OsString::from(line[0]);
            let read = |command: clap::Command| {
                let matches = command.try_get_matches_from(&words).ok();
                matches.map(|matches| format!("{:?}", Cli::from_arg_matches(&matches)))
            };
            let alone = one_verb(Some(&verb)).map(read);
            assert_eq!(alone, Some(read(command())), "{line:?}");
        }
    }

    #[test]
    fn called_by_kubectl_or_flux() {
        assert_eq!(called_as(Path::new("/x/kubectl-gitops")), "kubectl gitops");
        assert_eq!(called_as(Path::new("flux-gitops")), "flux gitops");
        assert_eq!(called_as(Path::new("kubectl-gitops.exe")), "kubectl gitops");
        assert_eq!(called_as(Path::new("renamed")), "kubectl gitops");
    }

    #[test]
    fn the_command_line_is_sound() {
        named("kubectl gitops").debug_assert();
    }
}
