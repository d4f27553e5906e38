//! 1xx: how the group is shared, and what the ledgers say.

use super::{Repair, Rule, WITHOUT_CONTROLLER};

/// The flag is off on a group that others use too.
pub const EXCLUSIVE_BINDING: Rule = Rule {
    code: "MCTG101",
    name: "ExclusiveBinding",
    severity: "critical",
    gist: "its controller takes the other clusters' targets out",
    when: "A binding has `multiClusterTargetGroup` off, and its target group is bound by another \
           observed binding too, or holds targets that other clusters claim.",
    meaning: "The controller behind this binding takes every target that is not its own out of the \
              group: in each of its passes the other clusters lose their traffic.",
    why: "The flag is off unless somebody turns it on, and it must be on in every cluster. A \
          generated binding takes it from its owner, so editing the binding itself does not last: \
          the controller writes the owner's value back.",
    repair: &[
        Repair {
            text: "Generated: `enable` sets the flag on what it was generated for, a Service, Ingress or \
                   Gateway (`svc/NAME`, `ing/NAME`, `gateway/NAME`), and waits for the controller.",
            commands: &["kubectl mctg enable TYPE/NAME -n NAMESPACE --context CONTEXT"],
        },
        Repair {
            text: "Made by hand: it sets the flag on the binding.",
            commands: &["kubectl mctg enable tgb/NAME -n NAMESPACE --context CONTEXT"],
        },
        Repair {
            text: "In a manifest, where Git deploys it.",
            commands: &["kubectl mctg enable TYPE/NAME --local -f FILE -o yaml"],
        },
        Repair {
            text: "Then look again: targets that the other clusters lost are MCTG201 there.",
            commands: &["kubectl mctg status"],
        },
    ],
};

/// One address, two owners.
pub const CONTESTED_TARGET: Rule = Rule {
    code: "MCTG103",
    name: "ContestedTarget",
    severity: "critical",
    gist: "one target has two owners",
    when: "Two clusters claim one target: both desire it, or one desires it and the other's ledger \
           still tracks it.",
    meaning: "The cluster whose ledger holds the stale entry deregisters the target in its next \
              pass, although it is a live pod of the other cluster.",
    why: "Clusters with overlapping or shared pod ranges reuse addresses: a pod of one cluster gets \
          the address that a pod of the other had before. With instance targets: one node counted \
          by two clusters.",
    repair: &[
        Repair {
            text: "If one cluster only tracks it and no controller runs there: see what would \
                   happen, then let the ledger be written anew. The target stays registered where \
                   the other cluster tracks it too.",
            commands: &[
                "kubectl mctg diff --context CONTEXT",
                "kubectl mctg reconcile --context CONTEXT --via direct",
            ],
        },
        Repair {
            text: "If a controller runs there, its memory is not the ConfigMap: scale it to 0, \
                   reconcile, and scale it up again.",
            commands: &[
                "kubectl --context CONTEXT -n kube-system scale deployment \
                 aws-load-balancer-controller --replicas=0",
                "kubectl mctg reconcile --context CONTEXT --via direct",
                "kubectl --context CONTEXT -n kube-system scale deployment \
                 aws-load-balancer-controller --replicas=2",
            ],
        },
        Repair {
            text: "If both desire it, the clusters share addresses for good: give them pod ranges \
                   that do not overlap.",
            commands: &[],
        },
    ],
};

/// Ledger entries with no target.
pub const PHANTOM_TARGETS: Rule = Rule {
    code: "MCTG106",
    name: "PhantomTargets",
    severity: "warning",
    gist: "its ledger names targets that do not exist",
    when: "A ledger tracks targets that are neither desired nor registered.",
    meaning: "No traffic is lost now. Once another cluster gets one of these addresses, this one \
              takes it for its own and deregisters it (MCTG103).",
    why: "Somebody else deregistered the target, or the controller left its ledger as it was: it \
          writes it only when it registers or deregisters something.",
    repair: &[
        Repair {
            text: "Where no controller runs, the ledger is written anew.",
            commands: &["kubectl mctg reconcile --context CONTEXT --via direct"],
        },
        WITHOUT_CONTROLLER,
    ],
};

/// No ledger where one should be.
pub const LEDGER_MISSING: Rule = Rule {
    code: "MCTG107",
    name: "LedgerMissing",
    severity: "warning",
    gist: "nothing records which targets are its own",
    when: "A multi-cluster binding has endpoints, and its ledger (the ConfigMap \
           `aws-lbc-targets-NAME`) does not exist.",
    meaning: "Traffic is served, and nobody knows which targets are this cluster's: none of them is \
              ever taken out when its pod goes.",
    why: "The binding is new and no controller made a pass yet, or somebody deleted the ConfigMap. \
          A controller that runs does not notice that: it read the ConfigMap once, when it started.",
    repair: &[
        Repair {
            text: "Where no controller runs, reconcile writes it. Nothing is deregistered in that \
                   run, since nothing is known to be this cluster's.",
            commands: &["kubectl mctg reconcile --context CONTEXT --via direct"],
        },
        Repair {
            text: "Beside a controller: restart it, and then clear the checkpoint, by which it would \
                   pass the binding over for a while. It writes the ledger in the pass that follows.",
            commands: &[
                "kubectl --context CONTEXT -n kube-system rollout restart deployment \
                 aws-load-balancer-controller",
                "kubectl --context CONTEXT -n NAMESPACE annotate targetgroupbindings.elbv2.k8s.aws \
                 NAME elbv2.k8s.aws/checkpoint-",
            ],
        },
    ],
};

/// A ledger that cannot be read as one, or cannot be written.
pub const LEDGER_UNUSABLE: Rule = Rule {
    code: "MCTG112",
    name: "LedgerUnusable",
    severity: "critical",
    gist: "its ledger is no ledger",
    when: "The text of a binding's ledger holds an entry that is no `id:port`, or its ConfigMap is \
           immutable.",
    meaning: "Which targets are this cluster's own is not known: nothing of this binding is \
              registered or deregistered by this program, and an immutable ConfigMap stops the \
              controller too.",
    why: "Somebody or something other than the controller wrote the ConfigMap.",
    repair: &[
        Repair {
            text: "Look at it, and take out what is no `id:port`.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE edit configmap aws-lbc-targets-NAME",
            ],
        },
        Repair {
            text: "If it cannot be mended, delete it. Without a ledger nothing is deregistered: \
                   the next pass or reconcile writes down what the endpoints ask for.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE delete configmap aws-lbc-targets-NAME",
                "kubectl mctg reconcile tgb/NAME -n NAMESPACE --context CONTEXT --via direct",
            ],
        },
    ],
};
