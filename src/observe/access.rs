//! On whose behalf each group is read: the credentials of the contexts that bind it, in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures::StreamExt;

use super::look::Look;
use super::{CONCURRENCY, Named, group_of};
use crate::cluster::Cluster;
use crate::concurrent::boxed;
use crate::elbv2::Access;
use crate::facts::{Reading, Silence, SilenceReason};
use crate::target::TargetGroupArn;

/// For each group the accesses to try, in the order of the contexts.
pub(super) struct Accesses(BTreeMap<TargetGroupArn, Vec<Access>>);

impl Accesses {
    /// The accesses of the groups' bindings, and after them others.
    pub(super) fn of<C: Cluster>(
        looks: &[Look<'_, C>],
        named: &Named,
        chosen: &BTreeSet<TargetGroupArn>,
        also: &BTreeMap<TargetGroupArn, Access>,
    ) -> Self {
        let mut accesses: BTreeMap<TargetGroupArn, Vec<Access>> = BTreeMap::new();
        for look in looks {
            let context = look.cluster.context();
            for binding in look.bindings.iter().flatten() {
                let Ok(arn) = group_of(context, binding, named) else { continue };
                if !chosen.contains(&arn) {
                    continue;
                }
                let access = Access::of(context, &binding.spec, arn.region());
                let known = accesses.entry(arn).or_default();
                if !known.contains(&access) {
                    known.push(access);
                }
            }
        }
        for (arn, access) in also {
            let known = accesses.entry(arn.clone()).or_default();
            if !known.contains(access) {
                known.push(access.clone());
            }
        }
        Self(accesses)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &TargetGroupArn> {
        self.0.keys()
    }

    /// Asks about one group, with one access after the other while credentials are what fails.
    pub(super) async fn ask<T, F>(
        &self,
        arn: &TargetGroupArn,
        call: impl Fn(Access) -> F,
    ) -> Reading<T>
    where
        F: Future<Output = Reading<T>>,
    {
        let mut first_failure = None;
        for access in self.0.get(arn).into_iter().flatten() {
            match call(access.clone()).await {
                Err(silence) if is_about_credentials(&silence) => {
                    first_failure = first_failure.or(Some(silence));
                }
                answer => return answer,
            }
        }
        Err(first_failure.unwrap_or_else(no_access))
    }

    /// Asks about each of some groups, a bounded number at once.
    pub(super) async fn ask_each<'a, T, F>(
        &'a self,
        arns: impl IntoIterator<Item = &'a TargetGroupArn>,
        call: impl Fn(Access, &'a TargetGroupArn) -> F + Sync,
    ) -> BTreeMap<&'a TargetGroupArn, Reading<T>>
    where
        T: Send,
        F: Future<Output = Reading<T>> + Send,
    {
        let call = &call;
        let asking = arns
            .into_iter()
            .map(|arn| async move { (arn, self.ask(arn, |access| call(access, arn)).await) });
        boxed(asking).buffer_unordered(CONCURRENCY).collect().await
    }

    /// Asks about keys in batches, each with the accesses of the group it comes from; keys whose
    /// credentials fail are asked for again with the next access.
    pub(super) async fn ask_in_batches<K, T, F>(
        &self,
        keys: &BTreeMap<K, TargetGroupArn>,
        call: impl Fn(Access, BTreeSet<K>) -> F,
    ) -> BTreeMap<K, Reading<T>>
    where
        K: Ord + Clone,
        F: Future<Output = BTreeMap<K, Reading<T>>> + Send,
    {
        let mut answers: BTreeMap<K, Reading<T>> = BTreeMap::new();
        for turn in 0.. {
            let mut batches: BTreeMap<&Access, BTreeSet<K>> = BTreeMap::new();
            for (key, arn) in keys {
                let settled = answers
                    .get(key)
                    .is_some_and(|answer| !answer.as_ref().is_err_and(is_about_credentials));
                if let Some(access) = self.0.get(arn).and_then(|accesses| accesses.get(turn))
                    && !settled
                {
                    batches.entry(access).or_default().insert(key.clone());
                }
            }
            if batches.is_empty() {
                break;
            }
            let asking = batches.into_iter().map(|(access, keys)| call(access.clone(), keys));
            for (key, answer) in boxed(asking)
                .buffer_unordered(CONCURRENCY)
                .collect::<Vec<_>>()
                .await
                .into_iter()
                .flatten()
            {
                if answer.is_ok() || !answers.contains_key(&key) {
                    answers.insert(key, answer);
                }
            }
        }
        for key in keys.keys() {
            answers.entry(key.clone()).or_insert_with(|| Err(no_access()));
        }
        answers
    }
}

/// Says whether another context's credentials may do better.
fn is_about_credentials(silence: &Silence) -> bool {
    matches!(
        silence.reason,
        SilenceReason::Unauthorized
            | SilenceReason::Forbidden
            | SilenceReason::InvalidConfig
            | SilenceReason::CredentialPlugin
    )
}

fn no_access() -> Silence {
    Silence::new(SilenceReason::NotAsked, "nothing was asked about it")
}
