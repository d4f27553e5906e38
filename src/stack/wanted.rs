//! What is still to be read to judge owners. Pure.

use std::collections::BTreeSet;

use super::configuration_keys;
use crate::binding::{Owner, OwnerKind};
use crate::objects::{Key, Kind, Object, Objects, ROUTES};

/// What has to be read to judge owners: single objects, and lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Single objects.
    pub single: BTreeSet<Key>,
    /// Lists of a kind, over all namespaces or in one.
    pub lists: BTreeSet<(Kind, Option<String>)>,
}

impl Wanted {
    fn one(&mut self, kind: Kind, namespace: &str, name: &str) {
        self.single.insert(Key::new(kind, namespace, name));
    }

    pub(crate) fn all(&mut self, kind: Kind, namespace: Option<&str>) {
        self.lists.insert((kind, namespace.map(str::to_owned)));
    }

    /// Leaves out what was read.
    pub(crate) fn beyond(mut self, objects: &Objects) -> Self {
        self.lists.retain(|it| {
            !objects.lists.contains_key(it) && !objects.lists.contains_key(&(it.0, None))
        });
        self.single.retain(|key| {
            !objects.single.contains_key(key)
                && objects.all(key.kind, Some(&key.namespace)).is_err()
        });
        self
    }

    /// Says whether nothing more is to be read.
    pub fn is_empty(&self) -> bool {
        self.single.is_empty() && self.lists.is_empty()
    }
}

/// Says what is still to be read to judge these owners and the Services behind them; each answer may
/// name more. `routes`: also which routes lead to which Service, which only a switch of the flag
/// always needs.
pub fn wanted<'a>(
    owners: impl IntoIterator<Item = (&'a Owner, Option<Key>)>,
    objects: &Objects,
    routes: bool,
) -> Wanted {
    let mut wanted = Wanted::default();
    for (owner, service) in owners {
        match owner.kind {
            OwnerKind::Service => wanted.single.extend(owner.key()),
            OwnerKind::Ingress | OwnerKind::IngressGroup => {
                wanted.single.extend(owner.key());
                wanted.single.extend(service);
                if owner.kind == OwnerKind::IngressGroup {
                    wanted.all(Kind::Ingress, None);
                }
                // Which class is the default one, and whose parameters set a group or attributes.
                wanted.all(Kind::IngressClass, None);
                wanted.all(Kind::IngressClassParams, None);
            }
            OwnerKind::Gateway => {
                wanted.single.extend(owner.key());
                for_gateway(&mut wanted, owner, objects);
                if let Some(service) = service {
                    wanted.all(Kind::TargetGroupConfiguration, Some(&service.namespace));
                    let is_by_route = objects
                        .all(Kind::TargetGroupConfiguration, Some(&service.namespace))
                        .is_ok_and(|mut all| all.any(says_by_route));
                    if routes || is_by_route {
                        for route in ROUTES {
                            wanted.all(route, None);
                        }
                    }
                }
            }
        }
    }
    wanted.beyond(objects)
}

fn for_gateway(wanted: &mut Wanted, owner: &Owner, objects: &Objects) {
    let Some(Ok(Some(gateway))) = owner.key().map(|key| objects.get(&key)) else { return };
    let configurations = configuration_keys(gateway, objects);
    if let Some(class) = gateway.text(&["gatewayClassName"]) {
        wanted.one(Kind::GatewayClass, "", class);
    }
    for key in configurations.into_iter().flatten() {
        if let Ok(Some(configuration)) = objects.get(&key)
            && let Some(name) = configuration.text(&["defaultTargetGroupConfiguration", "name"])
        {
            wanted.one(Kind::TargetGroupConfiguration, &key.namespace, name);
        }
        wanted.single.insert(key);
    }
}

fn says_by_route(configuration: &Object) -> bool {
    configuration
        .list(&["routeConfigurations"])
        .iter()
        .any(|it| it["targetGroupProps"]["enableMultiCluster"].is_boolean())
}
