use std::ffi::OsString;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Args, ValueHint};
use clap_complete::Shell;

use crate::args;
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Print a completion script for a shell
///
/// For `kubectl gitops`, kubectl's own completion asks a program named
/// `kubectl_complete-gitops` on PATH: link it to this one, as below. For
/// `flux gitops` nothing is to be done. The script here completes
/// `kubectl-gitops` as a program of its own. Needs no cluster and no repository.
///
/// Examples:
///   ln -s "$(command -v kubectl-gitops)" ~/.local/bin/kubectl_complete-gitops
///   kubectl gitops completion bash > /etc/bash_completion.d/kubectl-gitops
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(context: &Context, args: &CompletionArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut args::named("kubectl-gitops"),
        "kubectl-gitops",
        &mut script,
    );
    context.terminal.answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Yes)
}

/// The word by which flux asks what may stand next.
const FLUX_WORD: &str = "__complete";

/// What may stand next, where kubectl or flux asks for it: kubectl by calling
/// this program as `kubectl_complete-gitops`, flux by a first word. Both pass
/// the words so far, the last of them unfinished.
pub(crate) fn asked(called: &Path, words: &[OsString]) -> Option<String> {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let by_kubectl = called.file_stem().is_some_and(|stem| stem == "kubectl_complete-gitops");
    let (host, words) = match words.as_slice() {
        words if by_kubectl => ("kubectl", words),
        [first, rest @ ..] if first == FLUX_WORD => ("flux", rest),
        _ => return None,
    };
    let mut command = args::named(&format!("{host} gitops"));
    command.build();
    let Candidates { lines, files } = candidates(&command, words);
    // Cobra's directives: 0 lets the shell offer files where nothing is
    // offered here, 4 forbids it. flux takes the last line for it in any case.
    let directive = if files { 0 } else { 4 };
    Some(format!("{lines}:{directive}\n"))
}

/// What may be typed.
struct Candidates {
    /// A line each: the word, a tab, what it is.
    lines: String,
    /// Whether a file may stand here.
    files: bool,
}

/// What may stand where the last of `words` is being typed.
fn candidates(command: &clap::Command, words: &[String]) -> Candidates {
    let none = Candidates { lines: String::new(), files: false };
    let Some((typed, before)) = words.split_last() else { return none };
    let mut here = command;
    let mut flag: Option<&Arg> = None;
    for word in before {
        if word == "--" {
            return none;
        }
        if flag.take().is_some() {
            continue;
        }
        if word.starts_with('-') {
            flag = here
                .get_arguments()
                .find(|arg| is_flag(arg, word) && arg.get_action().takes_values());
        } else if let Some(sub) = here.find_subcommand(word) {
            here = sub;
        }
    }
    let mut found: Vec<(String, String)> = Vec::new();
    let mut files = false;
    if let Some(flag) = flag {
        found.extend(values(flag));
        files = is_path(flag);
    } else if let Some((name, _)) = typed.split_once('=').filter(|_| typed.starts_with("--")) {
        if let Some(flag) = here.get_arguments().find(|arg| is_flag(arg, name)) {
            found.extend(values(flag).map(|(value, help)| (format!("{name}={value}"), help)));
            files = is_path(flag);
        }
    } else if typed.starts_with('-') {
        for arg in here.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(long) = arg.get_long() {
                found.push((format!("--{long}"), words_of(arg.get_help())));
            }
        }
    } else {
        for sub in here.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            found.push((sub.get_name().to_owned(), words_of(sub.get_about())));
        }
        found.extend(here.get_positionals().flat_map(values));
    }
    found.retain(|(word, _)| word.starts_with(typed.as_str()));
    found.sort();
    found.dedup();
    let lines = found.iter().map(|(word, help)| match help.as_str() {
        "" => format!("{word}\n"),
        help => format!("{word}\t{help}\n"),
    });
    Candidates { lines: lines.collect(), files }
}

/// The values of an argument that has just these.
fn values(arg: &Arg) -> impl Iterator<Item = (String, String)> {
    let values = arg.get_possible_values().into_iter().filter(|_| arg.get_action().takes_values());
    values.map(|value| (value.get_name().to_owned(), words_of(value.get_help())))
}

fn words_of(help: Option<&StyledStr>) -> String {
    help.map(ToString::to_string).unwrap_or_default()
}

fn is_path(arg: &Arg) -> bool {
    matches!(arg.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath)
}

fn is_flag(arg: &Arg, word: &str) -> bool {
    let long = arg.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
    let short = arg.get_short().is_some_and(|short| word == format!("-{short}"));
    long || short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(words: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let answer = asked(Path::new("/x/kubectl_complete-gitops"), &words).unwrap_or_default();
        let word = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
        answer.lines().map(word).collect()
    }

    #[test]
    fn verbs_flags_and_values() {
        assert_eq!(complete(&["di"]), ["diff", ":4"]);
        assert!(complete(&["diff", "--cont"]).contains(&"--context".to_owned()));
        assert_eq!(complete(&["diff", "-o", "j"]), ["json", ":4"]);
        assert_eq!(complete(&["diff", "--output=j"]), ["--output=json", ":4"]);
        assert_eq!(complete(&["diff", "--color", ""]), ["always", "auto", "never", ":4"]);
        assert_eq!(complete(&["completion", "f"]), ["fish", ":4"]);
        assert_eq!(complete(&["policy", "l"]), ["lock", ":4"]);
        assert_eq!(complete(&["nothing", "x"]), [":4"]);
        assert_eq!(complete(&[]), [":4"]);
    }

    #[test]
    fn the_value_of_a_flag_is_no_verb() {
        assert_eq!(complete(&["-C", "policy", "l"]), ["list", ":4"]);
        assert_eq!(complete(&["diff", "-f", ""]), [":0"]);
        assert_eq!(complete(&["diff", "--", "--al"]), [":4"]);
    }

    #[test]
    fn flux_asks_by_a_word() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let flux = Path::new("/x/flux-gitops");
        assert_eq!(asked(flux, &words(&["diff", "uat"])), None);
        let answer = asked(flux, &words(&["__complete", "vers"]));
        assert_eq!(answer.as_deref(), Some("version\tPrint the version of this program\n:4\n"));
    }
}
