//! 2xx: targets that are not as they should be.

use super::{Repair, Rule, WITHOUT_CONTROLLER};

/// Traffic that should come does not.
pub const MISSING_TARGETS: Rule = Rule {
    code: "MCTG201",
    name: "MissingTargets",
    severity: "critical if none of the binding's targets is registered, else warning",
    gist: "ready endpoints get no traffic",
    when: "Endpoints of the binding are ready and the group can take them, but they are not \
           registered, or are draining.",
    meaning: "These pods or nodes get no traffic from the load balancer; the others carry their \
              part.",
    why: "Somebody deregistered them by hand, another cluster took them out (MCTG101, MCTG103), a \
          registration failed, or no controller runs. What a live controller overlooks for hours is \
          MCTG205.",
    repair: &[
        Repair {
            text: "See what would be done, then do it. Beside a live controller that registers what \
                   is in the ledger already, and makes the controller do the rest.",
            commands: &[
                "kubectl mctg diff --context CONTEXT",
                "kubectl mctg reconcile --context CONTEXT",
            ],
        },
        Repair {
            text: "Where the message names a difference, the controller may be right by its own rules: \
                   upgrade it, or change the flag. At its limit, raise \
                   `--max-targets-per-target-group`.",
            commands: &[],
        },
        Repair {
            text: "Where reconcile defers, its reason says what to do.",
            commands: &["kubectl mctg diff tgb/NAME -n NAMESPACE --context CONTEXT"],
        },
    ],
};

/// Traffic goes to what is no longer an endpoint.
pub const STALE_TARGETS: Rule = Rule {
    code: "MCTG202",
    name: "StaleTargets",
    severity: "warning",
    gist: "traffic goes to what is no longer an endpoint",
    when: "Targets are registered and in the cluster's ledger, and no endpoint desires them any more.",
    meaning: "While they are healthy for AWS, connections go to an address that this cluster no \
              longer serves from; when they are unhealthy, they only take up room.",
    why: "The pod went while no controller ran, or a deregistration failed. What a live controller \
          overlooks for hours is MCTG205.",
    repair: &[
        Repair {
            text: "See what would be done, then do it. Only what the ledger tracks and nobody desires \
                   is deregistered; beside a live controller it is made to do that itself.",
            commands: &[
                "kubectl mctg diff --context CONTEXT",
                "kubectl mctg reconcile --context CONTEXT",
            ],
        },
        Repair {
            text: "Where the message names a difference, the controller may be right by its own rules: \
                   upgrade it, or change the flag.",
            commands: &[],
        },
    ],
};

/// Fine now, leaks when the pod dies.
pub const UNTRACKED_TARGETS: Rule = Rule {
    code: "MCTG203",
    name: "UntrackedTargets",
    severity: "warning",
    gist: "some of its targets are in no ledger",
    when: "Targets are registered and desired by the binding, and its ledger does not track them.",
    meaning: "Traffic is served. When the pod goes, nobody knows that the target was this \
              cluster's, and it stays in the group.",
    why: "They were registered by hand, or the ledger was edited or restored from an old copy.",
    repair: &[
        Repair {
            text: "Where no controller runs, reconcile writes them into the ledger.",
            commands: &["kubectl mctg reconcile --context CONTEXT --via direct"],
        },
        WITHOUT_CONTROLLER,
    ],
};

/// Registered, and claimed by nobody.
pub const UNCLAIMED_TARGETS: Rule = Rule {
    code: "MCTG204",
    name: "UnclaimedTargets",
    severity: "info; warning if one of them is not healthy",
    gist: "no cluster claims some of the targets",
    when: "Every context of the reading set was read, more than one cluster among them, and no \
           cluster desires or tracks these registered targets.",
    meaning: "They get traffic, and no cluster will ever take them out.",
    why: "Something outside Kubernetes registered them, they belong to a cluster that is not in the \
          reading set, or a cluster went without cleaning up.",
    repair: &[
        Repair {
            text: "Make sure that every cluster which uses the group is read.",
            commands: &["kubectl mctg status --all-contexts"],
        },
        Repair {
            text: "If nobody answers for them, take out those that fail their health checks, or whose \
                   instance is gone. Every context of the kubeconfig must be read for that; see the \
                   plan first.",
            commands: &[
                "kubectl mctg diff --prune-unclaimed --context CONTEXT",
                "kubectl mctg reconcile --prune-unclaimed --context CONTEXT",
            ],
        },
        Repair {
            text: "If a cluster is gone for good and its context is still in the kubeconfig, say so: what \
                   only that cluster claimed is then unclaimed. A context that answers is not lost.",
            commands: &[
                "kubectl mctg reconcile --prune-unclaimed --context CONTEXT --lost GONE_CONTEXT",
            ],
        },
        Repair {
            text: "Those that pass their checks stay unless you name them too. Nothing else takes them \
                   out.",
            commands: &[
                "kubectl mctg reconcile --prune-unclaimed --include-healthy --context CONTEXT",
            ],
        },
    ],
};

/// Drift that a live controller does not see.
pub const DRIFT_HIDDEN: Rule = Rule {
    code: "MCTG205",
    name: "DriftHidden",
    severity: "critical",
    gist: "its targets are not right, and its controller does not look",
    when: "Targets of a multi-cluster binding are missing or stale, its controller is alive, and the \
           controller's checkpoint of it is current. It stands for MCTG201 and MCTG202 of that \
           binding.",
    meaning: "The controller will not repair it for hours: it skips the binding without a look at \
              AWS. Pods that are ready get no traffic, or traffic goes to what is gone.",
    why: "The checkpoint is a hash of endpoints and spec. While both stay as they are, the controller \
          takes the binding for done, although somebody deregistered or registered targets behind \
          its back. It looks again about half an hour after its `--sync-period` (10 hours), after a \
          restart, or when a pod changes. That the hash is current also proves that the controller \
          finds the same endpoints as this program, whatever its version and flags.",
    repair: &[
        Repair {
            text: "See what would be done, then do it. What is missing and in the ledger is registered \
                   at once; for the rest the checkpoint is cleared, after the controller's pass was \
                   predicted and found harmless.",
            commands: &[
                "kubectl mctg diff tgb/NAME -n NAMESPACE --context CONTEXT",
                "kubectl mctg reconcile tgb/NAME -n NAMESPACE --context CONTEXT",
            ],
        },
        Repair {
            text: "If it comes back: find out who changes the group. CloudTrail knows who called.",
            commands: &["aws cloudtrail lookup-events --lookup-attributes \
                 AttributeKey=EventName,AttributeValue=DeregisterTargets"],
        },
    ],
};

/// The group does not exist.
pub const TARGET_GROUP_GONE: Rule = Rule {
    code: "MCTG207",
    name: "TargetGroupGone",
    severity: "critical",
    gist: "its target group does not exist",
    when: "AWS does not know the target group that the binding names.",
    meaning: "The cluster serves nothing through this binding.",
    why: "The cluster that owns the load balancer deleted its Service, Ingress or Gateway, and the \
          target group went with it; or the binding names a group that never was, or one of another \
          account.",
    repair: &[
        Repair {
            text: "See what the binding names, and with which account it is looked up.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE get targetgroupbindings.elbv2.k8s.aws NAME -o yaml",
                "aws sts get-caller-identity",
            ],
        },
        Repair {
            text: "If the group was made anew, make the binding anew too: its ARN cannot be changed.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE delete targetgroupbindings.elbv2.k8s.aws NAME",
            ],
        },
    ],
};
