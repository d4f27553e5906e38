//! The ledger of a binding: what is read, what is deregistered by it, when it is written
//! (`facts/lbc.md` 2.1).

use std::collections::BTreeSet;

use super::api::{Api, Failure};
use super::memory::Listed;
use super::pass::Pass;
use crate::endpoints::Endpoints;
use crate::facts;
use crate::ledger;

impl<A: Api> Pass<'_, A> {
    /// Deregisters those of the given targets that are this binding's, and says whether the ledger
    /// has to be written: something went, or there was no ledger to go by.
    pub(super) async fn deregister_tracked(&self, given: Vec<Listed>) -> Result<bool, Failure> {
        let (mine, write) = self.mine(given).await?;
        if mine.is_empty() {
            return Ok(write);
        }
        self.deregister(&mine).await?;
        Ok(true)
    }

    /// The deregistration filter. Without the flag all targets are this binding's; with it those that
    /// the ledger tracks; without a ledger none, and one is asked for.
    async fn mine(&self, given: Vec<Listed>) -> Result<(Vec<Listed>, bool), Failure> {
        if !self.is_shared() {
            return Ok((given, false));
        }
        let Some(tracked) = self.ledger().await? else { return Ok((Vec::new(), true)) };
        let is_tracked = |listed: &Listed| tracked.contains(&listed.target.to_string());
        Ok((given.into_iter().filter(is_tracked).collect(), false))
    }

    /// The ledger: as remembered, else as stored, and remembered from then on.
    async fn ledger(&self) -> Result<Option<BTreeSet<String>>, Failure> {
        if let Some(known) = self.remember(|memory| memory.ledgers.get(&self.memory_key()).cloned())
        {
            return Ok(Some(known));
        }
        let (namespace, name) = (&self.key.0, self.ledger_name());
        let Some(text) = self.api().read_ledger(namespace, &name).await? else { return Ok(None) };
        let entries = text.split(',').filter(|_| !text.is_empty());
        let tracked: BTreeSet<String> = entries.map(str::to_owned).collect();
        self.remember(|memory| memory.ledgers.insert(self.memory_key(), tracked.clone()));
        Ok(Some(tracked))
    }

    /// Writes all endpoints as the ledger, where that was asked for, or where the memory knows none:
    /// then without a look at what is stored (rule 3).
    pub(super) async fn write_ledger(
        &self,
        asked: bool,
        endpoints: &Endpoints,
    ) -> Result<(), Failure> {
        let is_known = self.remember(|memory| memory.ledgers.contains_key(&self.memory_key()));
        if !self.is_shared() || (!asked && is_known) {
            return Ok(());
        }
        let tracked: BTreeSet<String> = endpoints.desired.keys().map(ToString::to_string).collect();
        // The real one writes in random order: a reader that needs the sorted one is found out.
        let entries: Vec<&str> = tracked.iter().rev().map(String::as_str).collect();
        let (namespace, name, text) = (&self.key.0, self.ledger_name(), entries.join(","));
        match self.api().update_ledger(namespace, &name, &text).await {
            Err(failure) if failure.is_not_found() => {
                self.api().create_ledger(namespace, &name, &text).await?;
            }
            updated => updated?,
        }
        self.remember(|memory| memory.ledgers.insert(self.memory_key(), tracked));
        Ok(())
    }

    /// Forgets the ledger, whatever the flag says; deletes it only with the flag, so that turning it
    /// off leaves an orphan.
    pub(super) async fn drop_ledger(&self) -> Result<(), Failure> {
        self.remember(|memory| memory.ledgers.remove(&self.memory_key()));
        if !self.is_shared() {
            return Ok(());
        }
        match self.api().delete_ledger(&self.key.0, &self.ledger_name()).await {
            Err(failure) if failure.is_not_found() => Ok(()),
            deleted => deleted,
        }
    }

    /// Where the ledger is in memory: before v3.5.0 some bindings share a place.
    fn memory_key(&self) -> String {
        let (namespace, name) = self.key;
        let version = facts::release(self.controller.flags.version);
        match version.is_some_and(|version| version < ledger::TOLD_APART_SINCE) {
            true => ledger::memory_key(namespace, name),
            false => format!("{namespace}/{name}"),
        }
    }

    fn is_shared(&self) -> bool {
        self.binding.spec.multi_cluster_target_group
    }

    fn ledger_name(&self) -> String {
        ledger::name(self.binding.flavour, &self.binding.name)
    }
}
