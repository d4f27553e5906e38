//! Law 5, watched: "By our own calls the number of targets that are both desired and registered never
//! falls". The controllers' calls are held to it too: they are what ours were predicted to bring about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use mctg::sim::LoadBalancers;
use mctg::sim::elbv2::GroupFilter;

use crate::support::elbv2::Elbv2;

/// Looks after every call to ELBv2 that changes something, whoever made it.
pub(crate) struct Law {
    watched: Arc<Mutex<Watched>>,
}

#[derive(Default)]
struct Watched {
    /// What each cluster's binding asks for, by context: the truth, which no program tells.
    wanted: BTreeMap<String, BTreeSet<String>>,
    /// What was both wanted and registered when last looked at.
    both: BTreeSet<String>,
    looks: usize,
    broken: Vec<String>,
}

impl Law {
    pub(crate) fn over(elbv2: &Elbv2) -> Self {
        let watched: Arc<Mutex<Watched>> = Arc::default();
        let (seen, load_balancers) = (Arc::clone(&watched), elbv2.load_balancers());
        elbv2.steps().on_step(move |step| {
            if step.operation.starts_with("Describe") {
                return;
            }
            let registered = registered(&load_balancers);
            let mut watched = seen.lock().expect("nothing panics with it");
            let wanted: BTreeSet<&String> = watched.wanted.values().flatten().collect();
            let both = registered.iter().filter(|it| wanted.contains(it)).cloned().collect();
            let lost: Vec<&String> = watched.both.difference(&both).collect();
            if !lost.is_empty() {
                let told = format!("{:?} {} took out {lost:?}", step.moment, step.operation);
                watched.broken.push(told);
            }
            watched.both = both;
            watched.looks += 1;
        });
        Self { watched }
    }

    /// Says what a cluster's binding asks for from here on.
    pub(crate) fn want(&self, context: &str, targets: BTreeSet<String>) {
        let mut watched = self.watched.lock().expect("nothing panics with it");
        watched.wanted.insert(context.to_owned(), targets);
        let wanted: BTreeSet<String> = watched.wanted.values().flatten().cloned().collect();
        watched.both.retain(|it| wanted.contains(it));
    }

    /// Checks that it has held, and that there was something to look at.
    pub(crate) fn held(&self) {
        let watched = self.watched.lock().expect("nothing panics with it");
        assert!(watched.looks > 0, "nothing was ever registered");
        assert_eq!(watched.broken, [""; 0]);
    }

    /// When it was broken, and how.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.watched.lock().expect("nothing panics with it").broken.clone()
    }
}

/// What is registered in all groups, as `id:port`; what drains is not.
fn registered(load_balancers: &LoadBalancers) -> BTreeSet<String> {
    load_balancers.with(|model| {
        let groups = model.describe_target_groups(&GroupFilter::default(), &Default::default());
        let groups = groups.expect("there is one region").items.into_iter();
        let listed = groups
            .flat_map(|group| model.describe_target_health(group.arn.as_str(), &[]))
            .flatten();
        listed
            .filter(|it| it.description.is_registered())
            .map(|it| it.description.target.to_string())
            .collect()
    })
}
