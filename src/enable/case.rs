//! One thing that was named, with all that decides about it. Pure.

use super::find::Subject;
use super::{Request, World};
use crate::binding::{Binding, BindingRef, Flavour, Owner};
use crate::facts::{Aliveness, BindingFacts, ClusterFacts, Silence};
use crate::flag::{self, Source};
use crate::objects::{Key, Kind};
use crate::owner::{self, Origin};
use crate::stack;
use crate::view::GroupView;

/// One thing that was named, with all that decides about it.
pub(super) struct Case<'a> {
    pub(super) request: &'a Request,
    pub(super) world: &'a World,
    pub(super) subject: &'a Subject,
    pub(super) concerned: Vec<Concerned<'a>>,
}

/// A binding that a switch decides.
pub(super) struct Concerned<'a> {
    pub(super) binding: &'a Binding,
    pub(super) facts: Option<&'a BindingFacts>,
    pub(super) view: Option<(&'a GroupView<'a>, usize)>,
    /// What holds its flag.
    pub(super) sources: Result<Vec<Source<'a>>, Silence>,
}

impl Concerned<'_> {
    pub(super) fn key(&self) -> (String, String) {
        (self.binding.namespace.clone(), self.binding.name.clone())
    }

    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.binding.namespace, self.binding.name)
    }

    /// Says whether it was copied with its labels, so that no owner here decides it.
    pub(super) fn has_copied_labels(&self) -> bool {
        self.binding.owner().is_some()
            && self.view.is_some_and(|(group, index)| {
                owner::origin(&group.bindings[index], Some(group.facts)) == Origin::Standalone
            })
    }

    pub(super) fn is_on(&self) -> bool {
        self.binding.spec.multi_cluster_target_group
    }
}

impl<'a> Case<'a> {
    /// Gathers what decides about one thing that was named.
    pub(super) fn new(
        request: &'a Request,
        world: &'a World,
        subject: &'a Subject,
        bindings: &'a [Binding],
        views: &'a [GroupView<'a>],
    ) -> Self {
        let cluster = world.facts.clusters.iter().find(|it| it.context == request.context);
        let concerned = bindings
            .iter()
            .filter(|it| subject.concerned.contains(&(it.namespace.clone(), it.name.clone())))
            .map(|listed| {
                let is_it = |it: &&BindingFacts| {
                    let found = &it.binding;
                    (&found.namespace, &found.name, found.flavour)
                        == (&listed.namespace, &listed.name, listed.flavour)
                };
                let facts = cluster.and_then(|cluster| cluster.bindings().find(is_it));
                let view = facts.and_then(|facts| {
                    let arn = facts.group.as_ref().ok()?;
                    let group = views.iter().find(|view| view.arn == arn)?;
                    let index =
                        group.bindings.iter().position(|it| std::ptr::eq(it.facts, facts))?;
                    Some((group, index))
                });
                let binding = facts.map_or(listed, |facts| &facts.binding);
                let sources = flag::sources(binding, &world.objects);
                Concerned { binding, facts, view, sources }
            })
            .collect();
        Self { request, world, subject, concerned }
    }
}

impl Case<'_> {
    /// Says whether it is known that what a binding was made for is not there.
    pub(super) fn has_no_owner(&self, it: &Concerned<'_>) -> bool {
        let Some(owner) = it.binding.owner() else { return false };
        match owner.key() {
            Some(key) => self.world.objects.get(&key) == Ok(None),
            None => {
                let members = stack::ingresses(&owner, it.binding, &self.world.objects);
                members.is_ok_and(|members| members.is_empty())
            }
        }
    }

    /// The words by which `status` and `reconcile` find what was switched.
    pub(super) fn words(&self) -> String {
        let Key { kind, namespace, name } = &self.subject.key;
        if matches!(kind, Kind::Service | Kind::TargetGroupBinding) {
            return format!("{}/{name} -n {namespace}", kind.short());
        }
        let mut namespaces: Vec<&str> =
            self.concerned.iter().map(|it| it.binding.namespace.as_str()).collect();
        namespaces.dedup();
        let all = self.concerned.iter().map(|it| format!("tgb/{}", it.binding.name));
        match namespaces.as_slice() {
            [only] => format!("{} -n {only}", all.collect::<Vec<_>>().join(" ")),
            _ => all.collect::<Vec<_>>().join(" "),
        }
    }

    pub(super) fn is_concerned(&self, reference: &BindingRef) -> bool {
        reference.context == self.request.context
            && self
                .subject
                .concerned
                .contains(&(reference.namespace.clone(), reference.name.clone()))
    }

    pub(super) fn cluster(&self) -> Option<&ClusterFacts> {
        self.world.facts.clusters.iter().find(|it| it.context == self.request.context)
    }

    pub(super) fn has_controller(&self) -> bool {
        let flavour = Flavour::LoadBalancerController;
        self.cluster().is_some_and(|it| it.controller(flavour) != Aliveness::Absent)
    }

    /// The owners of what is generated, each once.
    pub(super) fn owners(&self) -> Vec<Owner> {
        let mut owners: Vec<Owner> = Vec::new();
        for owner in self.concerned.iter().filter_map(|it| it.binding.owner()) {
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
        owners
    }
}
