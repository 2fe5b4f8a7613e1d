use clap::Args;
use clap_complete::Shell;

use super::Context;
use crate::args;
use crate::failure::{Exit, Failure};

/// Print a completion script for a shell
///
/// Needs no cluster and no repository. kubectl and flux complete plugins by
/// themselves: flux asks this program, and kubectl asks a program named
/// `kubectl_complete-gitops` on PATH, which may be a link to this one.
///
/// Examples:
///   kubectl-gitops completion bash > /etc/bash_completion.d/kubectl-gitops
///   ln -s "$(command -v kubectl-gitops)" ~/.local/bin/kubectl_complete-gitops
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(context: &Context, args: &CompletionArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::named("kubectl-gitops"), "kubectl-gitops", &mut script);
    context.terminal.answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Yes)
}

/// What may stand where the last of `words` is being typed, a line each:
/// the word, a tab, what it is. The form that kubectl and flux expect.
pub(crate) fn candidates(command: &clap::Command, words: &[String]) -> String {
    let Some((typed, before)) = words.split_last() else { return String::new() };
    let mut here = command;
    let mut previous = None;
    for word in before {
        previous = here.get_arguments().find(|arg| is_flag(arg, word) && arg.get_action().takes_values());
        if let Some(sub) = here.find_subcommand(word) {
            here = sub;
        }
    }
    let mut found: Vec<(String, String)> = Vec::new();
    if let Some(flag) = previous {
        for value in flag.get_possible_values() {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            found.push((value.get_name().to_owned(), help));
        }
    } else if typed.starts_with('-') {
        for arg in here.get_arguments().chain(command.get_arguments().filter(|a| a.is_global_set())) {
            if let Some(long) = arg.get_long().filter(|_| !arg.is_hide_set()) {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                found.push((format!("--{long}"), help));
            }
        }
    } else {
        for sub in here.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let help = sub.get_about().map(ToString::to_string).unwrap_or_default();
            found.push((sub.get_name().to_owned(), help));
        }
    }
    found.retain(|(word, _)| word.starts_with(typed.as_str()));
    found.sort();
    found.dedup();
    found.iter().map(|(word, help)| format!("{word}\t{help}\n")).collect()
}

fn is_flag(arg: &clap::Arg, word: &str) -> bool {
    let long = arg.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
    let short = arg.get_short().is_some_and(|short| word == format!("-{short}"));
    long || short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut command = args::named("kubectl gitops");
        command.build();
        let lines = candidates(&command, &words);
        lines.lines().filter_map(|line| Some(line.split_once('\t')?.0.to_owned())).collect()
    }

    #[test]
    fn verbs_flags_and_values() {
        assert_eq!(complete(&["di"]), ["diff"]);
        assert!(complete(&["diff", "--cont"]).contains(&"--context".to_owned()));
        assert_eq!(complete(&["diff", "-o", "j"]), ["json"]);
        assert_eq!(complete(&["diff", "--color", ""]), ["always", "auto", "never"]);
        assert!(complete(&["nothing", "x"]).is_empty());
    }
}
