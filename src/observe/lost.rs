//! Contexts that somebody declared gone for good.
//!
//! The word alone is not enough: a context that answers is not lost. Each is asked once in every
//! reading, so that one that comes back while a run goes on protects its targets again.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, join_all};

use super::look::Look;
use crate::binding::Flavour;
use crate::cluster::Cluster;
use crate::facts::{LostContext, Reading, Silence, SilenceReason};

/// What came of asking a context that somebody declared lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing answers at its address.
    Gone(Silence),
    /// Something answers there: the cluster itself, or somebody who would have to know it. `None`
    /// where it answered what was asked.
    Answers(Option<Silence>),
    /// It could not be asked: its entry is broken, or its credential plugin failed.
    NotAsked(Silence),
}

/// Judges one answer of a context that somebody declared lost. Pure.
///
/// Only silence speaks for a loss: a refusal, a failure of the server's own and a certificate of
/// another authority come from somebody who is there.
pub fn judge<T>(answer: &Reading<T>) -> Verdict {
    use SilenceReason as R;
    match answer {
        Ok(_) => Verdict::Answers(None),
        Err(silence) => match silence.reason {
            R::Unreachable | R::Timeout => Verdict::Gone(silence.clone()),
            R::InvalidConfig | R::CredentialPlugin | R::NotAsked | R::Stopped => {
                Verdict::NotAsked(silence.clone())
            }
            R::CertificateInvalid
            | R::Unauthorized
            | R::Forbidden
            | R::NotFound
            | R::Throttled
            | R::Garbled
            | R::ServerError
            | R::Invalid => Verdict::Answers(Some(silence.clone())),
        },
    }
}

/// Asks the contexts that somebody declared lost, all at once, and judges each; those that are no
/// cluster here are left out.
pub async fn ask<C: Cluster>(
    clusters: &[C],
    declared: &BTreeSet<String>,
) -> BTreeMap<String, Verdict> {
    let asking = clusters.iter().filter(|cluster| declared.contains(cluster.context()));
    let asking = asking.map(async |cluster| {
        let bindings = cluster.bindings(Flavour::LoadBalancerController, None);
        let (identity, bindings) = join(cluster.identity(), bindings).await;
        let verdict = of_both(judge(&identity), judge(&bindings));
        (cluster.context().to_owned(), verdict)
    });
    join_all(asking).await.into_iter().collect()
}

/// Takes those out of the looks that were declared lost and are.
pub(super) fn leave_out<'a, C: Cluster>(
    looks: Vec<Look<'a, C>>,
    declared: &BTreeSet<String>,
) -> (Vec<Look<'a, C>>, Vec<LostContext>) {
    let mut lost = Vec::new();
    let mut kept = Vec::new();
    for look in looks {
        let context = look.cluster.context();
        let verdict = || of_both(judge(&look.identity), judge(&look.bindings));
        match declared.contains(context).then(verdict) {
            Some(Verdict::Gone(silence)) => lost.push(LostContext {
                context: context.to_owned(),
                cluster: look.cluster.cluster().map(str::to_owned),
                eks_name: look.cluster.eks_name().map(str::to_owned),
                silence,
            }),
            _ => kept.push(look),
        }
    }
    (kept, lost)
}

/// Two answers of one context: it is gone only if both say so.
fn of_both(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::Answers(what), _) | (Verdict::Gone(_), Verdict::Answers(what)) => {
            Verdict::Answers(what)
        }
        (Verdict::NotAsked(_), Verdict::Answers(what)) => Verdict::Answers(what),
        (Verdict::NotAsked(why), _) | (_, Verdict::NotAsked(why)) => Verdict::NotAsked(why),
        (Verdict::Gone(why), Verdict::Gone(_)) => Verdict::Gone(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent(reason: SilenceReason) -> Reading<()> {
        Err(Silence::new(reason, "why"))
    }

    #[test]
    fn only_silence_speaks_for_a_loss() {
        use SilenceReason as R;
        for reason in [R::Unreachable, R::Timeout] {
            assert!(matches!(judge(&silent(reason)), Verdict::Gone(_)), "{reason:?}");
        }
        for reason in [R::InvalidConfig, R::CredentialPlugin] {
            assert!(matches!(judge(&silent(reason)), Verdict::NotAsked(_)), "{reason:?}");
        }
        for reason in [
            R::CertificateInvalid,
            R::Unauthorized,
            R::Forbidden,
            R::NotFound,
            R::Throttled,
            R::Garbled,
            R::ServerError,
            R::Invalid,
        ] {
            assert!(matches!(judge(&silent(reason)), Verdict::Answers(Some(_))), "{reason:?}");
        }
        assert_eq!(judge(&Ok(())), Verdict::Answers(None));
    }

    #[test]
    fn one_answer_is_enough_to_be_there() {
        let gone = || judge(&silent(SilenceReason::Timeout));
        let answers = || judge(&Ok(()));
        let not_asked = || judge(&silent(SilenceReason::CredentialPlugin));
        for (one, other) in [(gone(), answers()), (answers(), gone()), (not_asked(), answers())] {
            assert_eq!(of_both(one, other), Verdict::Answers(None));
        }
        assert!(matches!(of_both(gone(), not_asked()), Verdict::NotAsked(_)));
        assert!(matches!(of_both(gone(), gone()), Verdict::Gone(_)));
    }
}
