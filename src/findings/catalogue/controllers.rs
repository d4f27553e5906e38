//! 3xx: who serves the bindings, and whether it can.

use super::{Repair, Rule};

/// Bindings, and nobody to serve them.
pub const CONTROLLER_ABSENT: Rule = Rule {
    code: "MCTG301",
    name: "ControllerAbsent",
    severity: "warning; info where this program's CronJob is there",
    gist: "no controller serves its bindings",
    when: "A cluster has bindings, and no AWS Load Balancer Controller is installed or wants \
           replicas.",
    meaning: "Nothing follows the pods of this cluster: what dies stays registered, what starts \
              gets no traffic.",
    why: "The controller was removed or scaled to 0, or this program is meant to stand in for it.",
    repair: &[
        Repair {
            text: "Install the controller, or scale it up.",
            commands: &["kubectl --context CONTEXT -n kube-system scale deployment \
                         aws-load-balancer-controller --replicas=2"],
        },
        Repair {
            text: "Until then, reconcile does its work once.",
            commands: &["kubectl mctg reconcile --context CONTEXT --via direct"],
        },
    ],
};

/// A Service or port that a binding names and the cluster does not have.
pub const BACKEND_NOT_FOUND: Rule = Rule {
    code: "MCTG305",
    name: "BackendNotFound",
    severity: "critical",
    gist: "its Service or port does not exist",
    when: "The Service that a binding names does not exist in its namespace, or has no port of \
           that name or number.",
    meaning: "The binding desires nothing: whoever reconciles it takes its targets out.",
    why: "The Service was deleted or renamed, or its port was, and the binding stayed. A port in \
          quotes is a name: `\"80\"` is not port 80.",
    repair: &[
        Repair {
            text: "See what the Service offers, and bring back the port or name the right one.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE get service",
                "kubectl --context CONTEXT -n NAMESPACE edit targetgroupbindings.elbv2.k8s.aws NAME",
            ],
        },
        Repair {
            text: "If this cluster is to leave the group: see what would be taken out.",
            commands: &["kubectl mctg diff tgb/NAME -n NAMESPACE --context CONTEXT"],
        },
    ],
};
