//! `instance` targets: nodes by instance id and node port (rules N1 to N5).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Endpoint, Endpoints, LeftOut, LeftOutReason, Node, NodeReady, Service, ServicePort,
    ServiceType, Unregistrable, Unresolved,
};
use crate::binding::{BindingSpec, LabelSelector};
use crate::target::Target;

/// Labels whose mere presence excludes a node (N2; LBC 3.5, `endpoint_utils.go`). The
/// control-plane label is not among them.
const EXCLUDING_LABELS: [&str; 3] = [
    "node-role.kubernetes.io/master",
    "node.kubernetes.io/exclude-from-external-load-balancers",
    "alpha.service-controller.kubernetes.io/exclude-balancer",
];

pub(super) fn resolve(
    spec: &BindingSpec,
    service: &Service,
    port: &ServicePort,
    nodes: &BTreeMap<String, Node>,
) -> Result<Endpoints, Unresolved> {
    if !matches!(service.kind, ServiceType::NodePort | ServiceType::LoadBalancer) {
        return Err(Unresolved::NoNodePorts(service.name.clone()));
    }
    if let Some(selector) = &spec.node_selector {
        selector.validate().map_err(Unresolved::InvalidNodeSelector)?;
    }
    let mut left_out = Vec::new();
    let mut ready = Vec::new();
    let mut unknown = Vec::new();
    for node in nodes.values() {
        let mut leave_out =
            |reason| left_out.push(LeftOut { endpoint: node.name.clone(), pod: None, reason });
        match judge(node, spec.node_selector.as_ref()) {
            Some(reason) => leave_out(reason),
            None => match node.ready {
                NodeReady::Ready => ready.push(node),
                NodeReady::Unknown => unknown.push(node),
                NodeReady::NotReady => leave_out(LeftOutReason::InstanceNotReady),
            },
        }
    }
    // Where no node is ready, those whose state is unknown serve (N4).
    let chosen = if ready.is_empty() {
        unknown
    } else {
        left_out.extend(unknown.iter().map(|node| LeftOut {
            endpoint: node.name.clone(),
            pod: None,
            reason: LeftOutReason::InstanceStateUnknown,
        }));
        ready
    };
    let desired: Vec<_> =
        chosen.into_iter().map(|node| desired(node, port.node_port)).collect::<Result<_, _>>()?;
    Ok(Endpoints::new(desired, left_out))
}

fn desired(node: &Node, node_port: u16) -> Result<(Target, Endpoint), Unresolved> {
    let id = instance_id(&node.provider_id).ok_or_else(|| Unresolved::InvalidProviderId {
        node: node.name.clone(),
        provider_id: node.provider_id.clone(),
    })?;
    let endpoint = Endpoint {
        pod: None,
        node: Some(node.name.clone()),
        zone: node.zone().map(str::to_owned),
        created_at: node.created_at,
        ready_since: None,
        unmet_gates: BTreeSet::new(),
        unregistrable: (node_port == 0).then_some(Unregistrable::NoPort),
    };
    Ok((Target::new(id, node_port), endpoint))
}

/// Finds the instance id in a node's provider id (N5; LBC 3.5, `node_utils.go`); none where it names none.
pub fn instance_id(provider_id: &str) -> Option<String> {
    let last = provider_id.rsplit('/').next().unwrap_or_default();
    if provider_id.starts_with("eks-hybrid://") {
        last.starts_with("mi-").then(|| format!("hybrid-{last}"))
    } else {
        last.starts_with("i-").then(|| last.to_owned())
    }
}

/// Says why a node is left out whatever its state is, if it is.
fn judge(node: &Node, selector: Option<&LabelSelector>) -> Option<LeftOutReason> {
    let excluded = EXCLUDING_LABELS.iter().any(|label| node.labels.contains_key(*label))
        || node.labels.get("eks.amazonaws.com/compute-type").is_some_and(|kind| kind == "fargate");
    if excluded {
        return Some(LeftOutReason::NodeExcluded);
    }
    if !selector.is_none_or(|selector| selector.selects(&node.labels)) {
        return Some(LeftOutReason::NodeNotSelected);
    }
    // `karpenter.sh/disrupted` counts with this effect only, the autoscaler's taint with any (N3).
    let tainted = node.taints.iter().any(|taint| {
        taint.key == "ToBeDeletedByClusterAutoscaler"
            || (taint.key == "karpenter.sh/disrupted" && taint.effect == "NoSchedule")
    });
    tainted.then_some(LeftOutReason::NodeTainted)
}
