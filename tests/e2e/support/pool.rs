//! Pairs of clusters that tests use one after the other.
//!
//! A test has its pair for itself while it runs, so it may use any namespace, nodes, leases and the
//! whole of `status`; the next one finds it cleared. Starting a pair costs two seconds and 600 MB.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::cluster::Cluster;
use super::kubeconfig::Kubeconfig;

/// More would only take turns on the processors.
const PAIRS_MAX: usize = 2;

static PLACES: Semaphore = Semaphore::const_new(PAIRS_MAX);
static IDLE: Mutex<Vec<Clusters>> = Mutex::new(Vec::new());

/// Two clusters.
pub(crate) struct Clusters {
    pub(crate) blue: Cluster,
    pub(crate) green: Cluster,
}

impl Clusters {
    /// A kubeconfig with the contexts `blue` (current) and `green`, both of the administrator.
    pub(crate) fn kubeconfig(&self) -> Kubeconfig {
        Kubeconfig::default().with("blue", self.blue.admin()).with("green", self.green.admin())
    }
}

/// A pair on loan: given back when dropped, unless a test stopped one of its servers.
pub(crate) struct Pair {
    clusters: Option<Clusters>,
    _place: SemaphorePermit<'static>,
}

/// Takes a pair of clusters that contain nothing but the CRDs.
pub(crate) async fn pair() -> Pair {
    let place = PLACES.acquire().await.expect("the semaphore is never closed");
    let idle = IDLE.lock().expect("nothing panics while it holds the lock").pop();
    let clusters = match idle {
        Some(mut clusters) => {
            for cluster in [&mut clusters.blue, &mut clusters.green] {
                cluster.connect().await;
                cluster.clear().await;
            }
            clusters
        }
        None => {
            let (blue, green) = tokio::join!(Cluster::start(), Cluster::start());
            Clusters { blue, green }
        }
    };
    Pair { clusters: Some(clusters), _place: place }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if let Some(clusters) = self.clusters.take()
            && !clusters.blue.is_tainted()
            && !clusters.green.is_tainted()
            && let Ok(mut idle) = IDLE.lock()
        {
            idle.push(clusters);
        }
    }
}

impl Deref for Pair {
    type Target = Clusters;

    fn deref(&self) -> &Clusters {
        self.clusters.as_ref().expect("taken only when dropped")
    }
}

impl DerefMut for Pair {
    fn deref_mut(&mut self) -> &mut Clusters {
        self.clusters.as_mut().expect("taken only when dropped")
    }
}
