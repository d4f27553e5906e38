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

/// A controller or a type from before groups could be shared.
pub const CONTROLLER_TOO_OLD: Rule = Rule {
    code: "MCTG302",
    name: "ControllerTooOld",
    severity: "critical",
    gist: "its controller or CRD is too old to share a target group",
    when: "A cluster has a binding of a group that is shared, and its controller is older than 2.10, \
           or its type TargetGroupBinding has no `multiClusterTargetGroup`.",
    meaning: "A controller that does not know the flag takes every target that is not its own out of \
              the group. Where the type does not have it, the API server drops it from whatever is \
              written, and the binding stays exclusive.",
    why: "Sharing came with 2.10. Helm never upgrades CRDs, so the type can be older than the \
          controller.",
    repair: &[
        Repair {
            text: "Upgrade the CRDs first, then the controller.",
            commands: &[
                "helm repo update eks",
                "helm show crds eks/aws-load-balancer-controller | kubectl --context CONTEXT apply \
                 --server-side --force-conflicts -f -",
                "helm --kube-context CONTEXT upgrade aws-load-balancer-controller \
                 eks/aws-load-balancer-controller -n kube-system --reuse-values",
            ],
        },
        Repair {
            text: "Then see that sharing can work there.",
            commands: &["kubectl mctg check --context CONTEXT --pre"],
        },
    ],
};

/// Installed, and not at work.
pub const CONTROLLER_NOT_ALIVE: Rule = Rule {
    code: "MCTG303",
    name: "ControllerNotAlive",
    severity: "critical",
    gist: "its controller is installed and not at work",
    when: "A cluster has bindings, its controller's Deployment wants replicas and none is ready, and \
           no Lease of it was renewed within a minute. Both could be read.",
    meaning: "Nothing follows the pods of this cluster. Its webhook has nobody behind it either, so \
              bindings can be neither made nor changed.",
    why: "Its pods crash, cannot be scheduled or pulled, or cannot reach AWS. During a roll-out it \
          lasts a moment.",
    repair: &[
        Repair {
            text: "Look at its pods and at why they do not start.",
            commands: &[
                "kubectl --context CONTEXT get pods -A -l app.kubernetes.io/name=aws-load-balancer-controller",
                "kubectl --context CONTEXT -n kube-system describe deployment aws-load-balancer-controller",
                "kubectl --context CONTEXT -n kube-system logs deployment/aws-load-balancer-controller \
                 --previous",
            ],
        },
        Repair {
            text: "Until then reconcile registers what its ledger tracks already. To have all of its \
                   work done, scale it to 0 first.",
            commands: &[
                "kubectl mctg reconcile --context CONTEXT",
                "kubectl --context CONTEXT -n kube-system scale deployment \
                 aws-load-balancer-controller --replicas=0",
                "kubectl mctg reconcile --context CONTEXT --via direct",
            ],
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

/// Reconcile in the cluster, and it does not succeed.
pub const RECONCILE_STALE: Rule = Rule {
    code: "MCTG306",
    name: "ReconcileStale",
    severity: "warning",
    gist: "reconcile has not succeeded there for a while",
    when: "A cluster has bindings and a CronJob of this program (label `app.kubernetes.io/name: \
           kubectl-mctg`), whose last success is older than three of its periods; or that never \
           succeeded and is older than that.",
    meaning: "Drift of this cluster is repaired by nobody, or only by its controller.",
    why: "The CronJob is suspended, its runs fail or end with a code other than 0, its pods do not \
          start, or it is not due because its schedule was changed.",
    repair: &[
        Repair {
            text: "See how its last runs ended, and what they said.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE describe cronjob NAME",
                "kubectl --context CONTEXT -n NAMESPACE get jobs --sort-by=.status.startTime",
                "kubectl --context CONTEXT -n NAMESPACE logs job/JOB",
            ],
        },
        Repair {
            text: "If it is suspended, resume it.",
            commands: &["kubectl --context CONTEXT -n NAMESPACE patch cronjob NAME --type merge \
                 -p '{\"spec\":{\"suspend\":false}}'"],
        },
        Repair {
            text: "Do its work once from here.",
            commands: &["kubectl mctg reconcile --context CONTEXT"],
        },
    ],
};

/// Pods wait for what nobody does.
pub const GATE_UNSERVED: Rule = Rule {
    code: "MCTG307",
    name: "GateUnserved",
    severity: "warning",
    gist: "pods wait for a readiness gate that nobody sets",
    when: "Pods behind the binding declare the readiness gate \
           `target-health.elbv2.k8s.aws/BINDING`, it is not true, and no controller is at work.",
    meaning: "The pods get traffic through the load balancer once they are registered, and stay not \
              ready all the same: roll-outs wait for them, and Services inside the cluster leave \
              them out. This program sets no readiness gates.",
    why: "A namespace with the label `elbv2.k8s.aws/pod-readiness-gate-inject` gives each new pod the \
          gate, and only the controller makes it true.",
    repair: &[
        Repair {
            text: "Bring the controller back.",
            commands: &["kubectl --context CONTEXT -n kube-system scale deployment \
                         aws-load-balancer-controller --replicas=2"],
        },
        Repair {
            text: "To do without it: have no gate put on new pods, and make the pods anew.",
            commands: &[
                "kubectl --context CONTEXT label namespace NAMESPACE \
                 elbv2.k8s.aws/pod-readiness-gate-inject-",
                "kubectl --context CONTEXT -n NAMESPACE rollout restart deployment NAME",
            ],
        },
    ],
};

/// Rules that nobody makes.
pub const RULES_UNSERVED: Rule = Rule {
    code: "MCTG308",
    name: "RulesUnserved",
    severity: "warning",
    gist: "its security-group rules are made by nobody",
    when: "A binding asks for security-group rules (`spec.networking`), and no controller is at work \
           in its cluster.",
    meaning: "Rules that the controller made before stay. New ones do not come: where the load \
              balancer is not let in, targets are registered and never healthy. This program makes \
              no security-group rules.",
    why: "The controller is not there, and its stand-in does not do this part.",
    repair: &[
        Repair {
            text: "Bring the controller back.",
            commands: &["kubectl --context CONTEXT -n kube-system scale deployment \
                         aws-load-balancer-controller --replicas=2"],
        },
        Repair {
            text: "To do without it: see what is asked for, and make the rules by hand or in your \
                   infrastructure code.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE get targetgroupbindings.elbv2.k8s.aws NAME \
                 -o jsonpath='{.spec.networking}'",
            ],
        },
        Repair {
            text: "Where the rules are there already, leave it out.",
            commands: &["kubectl mctg status --ignore MCTG308"],
        },
    ],
};
