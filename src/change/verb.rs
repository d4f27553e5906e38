//! What a verb that changes objects has to bring: what it looks at, and what it decides.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use super::Item;
use crate::cluster::Cluster;
use crate::elbv2::LoadBalancers;
use crate::facts::Facts;

/// A verb that changes objects.
///
/// [`plan`](Self::plan) is pure and says what is to be done *now*: it is asked again after every wait,
/// and must come to an end (no changes, no open goals) in a world that is as the verb wants it.
pub trait Verb: Send + Sync {
    /// What it reads.
    type World: Send + Sync;

    /// The kind of its document: `Bind`.
    const KIND: &'static str;

    /// Reads what it needs. `again` is true while something is waited for: what cannot have changed
    /// need not be read then.
    fn observe<C: Cluster, L: LoadBalancers>(
        &self,
        clusters: &[C],
        load_balancers: &L,
        clock: &(impl Fn() -> Timestamp + Sync),
        again: bool,
    ) -> impl Future<Output = Self::World> + Send;

    /// The facts among what was read.
    fn facts<'w>(&self, world: &'w Self::World) -> &'w Facts;

    /// Decides. `waited` is the time since the first change.
    ///
    /// # Errors
    ///
    /// What was asked for makes no sense or is not there: nothing is changed. Once something was
    /// changed, that it is not known how things stand.
    fn plan(&self, world: &Self::World, waited: Duration) -> Result<Vec<Item>, Mistake>;

    /// What stands above the plan, a sentence each.
    fn preface(&self, _world: &Self::World) -> Vec<String> {
        Vec::new()
    }
}

/// What was asked for makes no sense or is not there, or nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether it may be right, and something that would tell could not be read.
    pub is_unread: bool,
}

impl Mistake {
    /// Makes a mistake.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, is_unread: false }
    }

    /// Says that what would tell whether it makes sense could not be read.
    pub fn unread(message: impl Into<String>) -> Self {
        Self { is_unread: true, ..Self::new(message) }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
