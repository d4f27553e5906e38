//! Completion: scripts for shells, and the engine that kubectl asks.
//!
//! kubectl runs `kubectl_complete-mctg` with the words after `mctg`, the last one perhaps empty, and
//! takes a candidate a line and `:` with a directive at the end (`facts/cli-conventions.md` 4d).

use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory};
use clap_complete::{Shell, generate};

use super::args::{Cli, CompletionShell};

/// The file that `completion kubectl` is to be saved as.
const KUBECTL_SCRIPT: &str = "\
#!/bin/sh
# Save as kubectl_complete-mctg on the PATH, and make it executable.
exec kubectl mctg __complete \"$@\"
";

/// Tells kubectl that files are no candidates (cobra's ShellCompDirectiveNoFileComp).
const NO_FILES: &str = ":4";

/// Tells kubectl that the shell may offer files (cobra's ShellCompDirectiveDefault).
const FILES: &str = ":0";

/// Writes a completion script.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn script(shell: CompletionShell, out: &mut dyn Write) -> io::Result<()> {
    let shell = match shell {
        CompletionShell::Kubectl => return out.write_all(KUBECTL_SCRIPT.as_bytes()),
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
        CompletionShell::PowerShell => Shell::PowerShell,
    };
    // The generator cannot report a failed write; into memory there is none.
    let mut text = Vec::new();
    generate(shell, &mut Cli::command(), "kubectl-mctg", &mut text);
    out.write_all(&text)
}

/// Writes the candidates for the last of `words`.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn answer(
    command: &Command,
    words: &[String],
    contexts: &[String],
    codes: &[&str],
    out: &mut dyn Write,
) -> io::Result<()> {
    let (last, before) = words.split_last().map_or(("", &[][..]), |(l, b)| (l.as_str(), b));
    let line = Line::read(command, before);
    let mut files = false;
    let candidates: Vec<(String, String)> = if let Some(arg) = line.awaits {
        let (candidates, asks_for_file) = values(arg, contexts);
        files = asks_for_file;
        candidates
    } else if last.starts_with('-') {
        match last.split_once('=') {
            Some((flag, _)) => match find_flag(line.verb, command, flag) {
                Some(arg) => {
                    let (candidates, asks_for_file) = values(arg, contexts);
                    files = asks_for_file;
                    candidates.into_iter().map(|(v, h)| (format!("{flag}={v}"), h)).collect()
                }
                None => Vec::new(),
            },
            None => flags(line.verb, command),
        }
    } else if line.verb.get_name() == command.get_name() {
        verbs(command)
    } else if line.verb.get_name() == "explain" {
        codes.iter().map(|code| ((*code).to_owned(), String::new())).collect()
    } else {
        line.verb.get_positionals().flat_map(|arg| values(arg, contexts).0).collect()
    };
    for (candidate, help) in candidates {
        if !candidate.starts_with(last) {
            continue;
        }
        if help.is_empty() {
            writeln!(out, "{candidate}")?;
        } else {
            writeln!(out, "{candidate}\t{help}")?;
        }
    }
    writeln!(out, "{}", if files { FILES } else { NO_FILES })
}

/// What the words before the last one say.
struct Line<'a> {
    /// The verb, or the program itself.
    verb: &'a Command,
    /// The flag whose value comes next.
    awaits: Option<&'a Arg>,
}

impl<'a> Line<'a> {
    fn read(command: &'a Command, words: &[String]) -> Self {
        let mut line = Self { verb: command, awaits: None };
        for word in words {
            if line.awaits.take().is_some() {
                continue;
            }
            if word.starts_with('-') {
                let takes_next =
                    |arg: &&Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
                line.awaits = find_flag(line.verb, command, word).filter(takes_next);
            } else if line.verb.get_name() == command.get_name()
                && let Some(verb) = command.find_subcommand(word)
            {
                line.verb = verb;
            }
        }
        line
    }
}

/// All flags of a verb, the program's own included.
fn arguments<'a>(verb: &'a Command, command: &'a Command) -> impl Iterator<Item = &'a Arg> {
    let own = verb.get_arguments();
    let global = command.get_arguments().filter(|arg| arg.is_global_set());
    own.chain(global)
}

fn find_flag<'a>(verb: &'a Command, command: &'a Command, word: &str) -> Option<&'a Arg> {
    arguments(verb, command).find(|arg| {
        let long = word.strip_prefix("--").is_some_and(|name| arg.get_long() == Some(name));
        let short = word
            .strip_prefix('-')
            .is_some_and(|name| arg.get_short().is_some_and(|s| name == s.to_string()));
        long || short
    })
}

fn flags(verb: &Command, command: &Command) -> Vec<(String, String)> {
    let mut flags: Vec<(String, String)> = arguments(verb, command)
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            Some((format!("--{}", arg.get_long()?), first_line(&help)))
        })
        .collect();
    flags.sort();
    flags.dedup_by(|a, b| a.0 == b.0);
    flags
}

fn verbs(command: &Command) -> Vec<(String, String)> {
    command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .map(|verb| {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            (verb.get_name().to_owned(), first_line(&about))
        })
        .collect()
}

/// The values of an argument, and whether it takes a file.
fn values(arg: &Arg, contexts: &[String]) -> (Vec<(String, String)>, bool) {
    match arg.get_id().as_str() {
        "context" | "observe" | "from" => {
            (contexts.iter().map(|context| (context.clone(), String::new())).collect(), false)
        }
        "kubeconfig" => (Vec::new(), true),
        _ => {
            let values = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set());
            let described = values.map(|value| {
                let help = value.get_help().map(ToString::to_string).unwrap_or_default();
                (value.get_name().to_owned(), first_line(&help))
            });
            (described.collect(), false)
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::cli::args;

    fn complete(words: &[&str]) -> String {
        let command = args::command(OsStr::new("kubectl-mctg"));
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let contexts = ["blue".to_owned(), "green".to_owned()];
        let mut out = Vec::new();
        answer(&command, &words, &contexts, &["MCTG101", "MCTG201"], &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn verbs_are_offered_first_and_hidden_ones_are_not() {
        let text = complete(&[""]);
        assert!(text.starts_with("status\t"), "{text}");
        assert!(!text.contains("__complete"), "{text}");
        assert!(text.ends_with("\n:4\n"), "{text}");
        assert_eq!(complete(&["rec"]).lines().count(), 2);
    }

    #[test]
    fn context_names_follow_the_flag() {
        assert_eq!(complete(&["status", "--context", ""]), "blue\ngreen\n:4\n");
        assert_eq!(complete(&["status", "--context", "g"]), "green\n:4\n");
        assert_eq!(complete(&["status", "--context=g"]), "--context=green\n:4\n");
        assert_eq!(complete(&["--context", "blue", "dif"]).lines().count(), 2);
    }

    #[test]
    fn values_of_a_flag_are_offered() {
        assert!(complete(&["status", "-o", "js"]).starts_with("json\t"));
        assert_eq!(complete(&["completion", "k"]), "kubectl\n:4\n");
        assert_eq!(complete(&["explain", "MCTG2"]), "MCTG201\n:4\n");
        assert_eq!(complete(&["status", "--kubeconfig", ""]), ":0\n");
    }

    #[test]
    fn refused_flags_are_not_offered() {
        let text = complete(&["status", "--"]);
        assert!(text.contains("--context\t"), "{text}");
        assert!(!text.contains("--token"), "{text}");
    }

    #[test]
    fn every_shell_gets_a_script() {
        for shell in [
            CompletionShell::Bash,
            CompletionShell::Zsh,
            CompletionShell::Fish,
            CompletionShell::PowerShell,
        ] {
            let mut out = Vec::new();
            script(shell, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("reconcile"), "{shell:?}: {text}");
        }
    }
}
