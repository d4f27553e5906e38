//! `--prune-unclaimed` and `--lost`: what they ask for, and where they are refused.

use std::collections::BTreeSet;

use mctg::cluster::Cluster;
use mctg::error::escape;
use mctg::facts::SilenceReason;
use mctg::findings::quoted;
use mctg::observe::lost::{self, Verdict};
use mctg::plan::Prune;
use mctg::report::ContextReport;

use super::args::PruneArgs;
use super::contexts::Unread;
use super::error::CliError;

/// Says which targets that no cluster claims are to go.
///
/// # Errors
///
/// Not every context is read, so that nobody could tell which those are.
pub(crate) fn choose(args: &PruneArgs, unread: &Unread) -> Result<Option<Prune>, CliError> {
    if !args.prune_unclaimed {
        return Ok(None);
    }
    all_are_read("--prune-unclaimed", unread)?;
    Ok(Some(Prune { include_healthy: args.include_healthy }))
}

/// Sees that every context is read, or declared lost.
///
/// # Errors
///
/// It is not, so that nobody could tell what no cluster claims.
pub(crate) fn all_are_read(flag: &str, unread: &Unread) -> Result<(), CliError> {
    if unread.in_pod {
        return Err(CliError::usage(format!(
            "{flag} is refused in a pod: it sees one cluster, and what that does not claim may be \
             another's"
        ))
        .hint("run it where a kubeconfig has every context"));
    }
    if let Some(first) = unread.left_out.first() {
        let more = match unread.left_out.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Err(CliError::usage(format!(
            "{flag} needs every context of the kubeconfig, and `{first}`{more} would not be read"
        ))
        .hint("read them all with --observe '*', and name each whose cluster is gone for good with --lost"));
    }
    Ok(())
}

/// Sees that contexts which were declared lost are: nothing was changed yet.
///
/// # Errors
///
/// One of them answers, or could not be asked.
pub(crate) async fn check_lost<C: Cluster>(
    clusters: &[C],
    declared: &BTreeSet<String>,
) -> Result<(), CliError> {
    for (context, verdict) in lost::ask(clusters, declared).await {
        let delete = format!(
            "if its cluster is gone for good: kubectl config delete-context {}",
            quoted(&context)
        );
        return Err(match verdict {
            Verdict::Gone(_) => continue,
            Verdict::Answers(None) => {
                CliError::usage(format!("context `{context}` answers: it is not lost"))
                    .hint(format!("leave out --lost {}", quoted(&context)))
            }
            Verdict::Answers(Some(silence)) => CliError::usage(format!(
                "context `{context}` is not lost, for something answers there: {}",
                escape(&silence.message)
            ))
            .hint(delete),
            Verdict::NotAsked(silence) => CliError::failed(format!(
                "context `{context}` could not be asked whether it is lost: {}",
                escape(&silence.message)
            ))
            .hint(delete),
        });
    }
    Ok(())
}

/// Says how to go on without contexts that did not answer.
pub(crate) fn hints(contexts: &[ContextReport]) -> Vec<String> {
    let silent = |context: &&ContextReport| {
        let is_gone =
            matches!(context.reason, Some(SilenceReason::Unreachable | SilenceReason::Timeout));
        !context.reachable && !context.lost && context.same_as.is_none() && is_gone
    };
    let hint = |context: &ContextReport| {
        let (name, word) = (escape(&context.context), escape(&quoted(&context.context)));
        format!("hint: if the cluster of {name} is gone for good: --lost {word}")
    };
    contexts.iter().filter(silent).map(hint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit::Exit;

    fn args(prune_unclaimed: bool) -> PruneArgs {
        PruneArgs { prune_unclaimed, include_healthy: true, lost: Vec::new() }
    }

    fn left_out(contexts: &[&str]) -> Unread {
        let left_out = contexts.iter().map(|context| (*context).to_owned()).collect();
        Unread { left_out, ..Unread::default() }
    }

    /// The error as it is shown.
    fn refused(unread: &Unread) -> String {
        assert_eq!(choose(&args(false), unread).unwrap(), None, "nothing was asked for");
        let error = choose(&args(true), unread).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        let mut out = Vec::new();
        error.write(&mut out, &Default::default()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn with_every_context_read_it_is_as_was_asked() {
        let unread = Unread { lost: BTreeSet::from(["green".to_owned()]), ..Unread::default() };
        let expected = Some(Prune { include_healthy: true });
        assert_eq!(choose(&args(true), &unread).unwrap(), expected);
    }

    #[test]
    fn it_is_refused_in_a_pod() {
        insta::assert_snapshot!(refused(&Unread { in_pod: true, ..Unread::default() }), @r"
        error: --prune-unclaimed is refused in a pod: it sees one cluster, and what that does not claim may be another's
        hint: run it where a kubeconfig has every context
        ");
    }

    #[test]
    fn it_is_refused_where_a_context_is_left_out() {
        insta::assert_snapshot!(refused(&left_out(&["red"])), @r"
        error: --prune-unclaimed needs every context of the kubeconfig, and `red` would not be read
        hint: read them all with --observe '*', and name each whose cluster is gone for good with --lost
        ");
        assert!(refused(&left_out(&["pink", "red"])).contains("`pink` and 1 more would not"));
    }

    #[test]
    fn what_does_not_answer_may_be_lost_and_what_answers_badly_is_not() {
        let context = |name: &str, reason| ContextReport {
            context: name.to_owned(),
            cluster: None,
            reachable: false,
            reason: Some(reason),
            message: None,
            warnings: Vec::new(),
            same_as: None,
            lost: false,
            bindings: None,
            controllers: None,
        };
        let known_lost =
            ContextReport { lost: true, ..context("gone", SilenceReason::Unreachable) };
        let contexts = [
            context("green", SilenceReason::Timeout),
            context("red", SilenceReason::Forbidden),
            known_lost,
        ];
        assert_eq!(
            hints(&contexts),
            ["hint: if the cluster of green is gone for good: --lost green"]
        );
    }
}
