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
    if unread.in_pod {
        return Err(CliError::usage(
            "--prune-unclaimed is refused in a pod: it sees one cluster, and what that does not claim may be \
             another's",
        )
        .hint("run it where a kubeconfig has every context"));
    }
    if let Some(first) = unread.left_out.first() {
        let more = match unread.left_out.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Err(CliError::usage(format!(
            "--prune-unclaimed needs every context of the kubeconfig, and `{first}`{more} would not be read"
        ))
        .hint("read them all with --observe '*', and name each whose cluster is gone for good with --lost"));
    }
    Ok(Some(Prune { include_healthy: args.include_healthy }))
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
