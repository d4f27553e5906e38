//! Futures that run at the same time, in a shape that embedders can spawn.

use std::future::Future;
use std::vec;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, Iter};

/// Streams futures to be buffered, boxed.
///
/// As they are, their types hold closures that borrow, and of a future that keeps one of those
/// across an `await` the compiler cannot see that it is `Send` whatever it borrows
/// (rust-lang/rust#102211): `tokio::spawn` would refuse a whole run. `tests/suite/embedding.rs`
/// does not compile then.
pub(crate) fn boxed<'a, F>(
    futures: impl IntoIterator<Item = F>,
) -> Iter<vec::IntoIter<BoxFuture<'a, F::Output>>>
where
    F: Future + Send + 'a,
{
    let futures: Vec<BoxFuture<'a, F::Output>> =
        futures.into_iter().map(FutureExt::boxed).collect();
    stream::iter(futures)
}
