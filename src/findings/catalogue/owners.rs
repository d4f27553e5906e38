//! What bindings were made for: owners, who else manages groups, and ledgers that were left behind.

use super::{Repair, Rule};

/// Another controller manages the same group.
pub const FOREIGN_CONTROLLER: Rule = Rule {
    code: "MCTG102",
    name: "ForeignController",
    severity: "critical",
    gist: "another controller manages its target group",
    when: "A `TargetGroup` resource of AWS Controllers for Kubernetes (ACK) in an observed cluster \
           stands for the target group.",
    meaning: "The ACK controller takes out whatever its resource does not list, the targets of all \
              clusters included, and deletes the group when its resource is deleted.",
    why: "Two tools were pointed at one target group: ACK made or adopted it, and bindings share it.",
    repair: &[
        Repair {
            text: "Let ACK forget the group without deleting it. Without the annotation, deleting \
                   the resource deletes the target group.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE annotate \
                 targetgroups.elbv2.services.k8s.aws NAME services.k8s.aws/deletion-policy=retain \
                 --overwrite",
                "kubectl --context CONTEXT -n NAMESPACE delete \
                 targetgroups.elbv2.services.k8s.aws NAME",
            ],
        },
        Repair {
            text: "Then look again: what it took out is MCTG201.",
            commands: &["kubectl mctg status"],
        },
    ],
};

/// The owner can be deleted with everything.
pub const OWNER_UNPROTECTED: Rule = Rule {
    code: "MCTG104",
    name: "OwnerUnprotected",
    severity: "warning",
    gist: "deleting its owner takes the load balancer from every cluster",
    when: "The Service, Ingress or Gateway that a shared target group was made for does not say \
           `deletion_protection.enabled=true` where the controller heeds it.",
    meaning: "Whoever deletes that object deletes the load balancer and the target group with it, \
              although other clusters still serve through them.",
    why: "The controller heeds its own annotation (of a Gateway: the LoadBalancerConfiguration). \
          Protection that was switched on in AWS alone it switches off itself before it deletes.",
    repair: &[
        Repair {
            text: "`enable` sets it where the controller heeds it, beside what is set there, on bindings \
                   that are multi-cluster already too.",
            commands: &["kubectl mctg enable TYPE/NAME -n NAMESPACE --context CONTEXT"],
        },
        Repair {
            text: "By hand, a Service: keep what else the annotation says.",
            commands: &["kubectl --context CONTEXT -n NAMESPACE annotate service NAME \
                 service.beta.kubernetes.io/aws-load-balancer-attributes=\
                 deletion_protection.enabled=true,OTHERS --overwrite"],
        },
        Repair {
            text: "An Ingress, one of its group: keep what else the annotation says. IngressClassParams \
                   that set the attribute win in AWS, and are not heeded when the Ingress is deleted.",
            commands: &["kubectl --context CONTEXT -n NAMESPACE annotate ingress NAME \
                 alb.ingress.kubernetes.io/load-balancer-attributes=\
                 deletion_protection.enabled=true,OTHERS --overwrite"],
        },
        Repair {
            text: "A Gateway: add the attribute to the list of its LoadBalancerConfiguration.",
            commands: &["kubectl --context CONTEXT -n NAMESPACE edit \
                         loadbalancerconfigurations.gateway.k8s.aws NAME"],
        },
    ],
};

/// Git does not know of the flag.
pub const FLAG_NOT_IN_SOURCE: Rule = Rule {
    code: "MCTG110",
    name: "FlagNotInSource",
    severity: "warning",
    gist: "the flag is not in what deploys its owner",
    when: "Argo CD, Flux, Helm or Terraform deploys the object that carries the multi-cluster flag, \
           and by its managed fields somebody else set the flag.",
    meaning: "The next apply of that program may drop the flag. The controller then makes the \
              binding exclusive, and takes the other clusters' targets out in its next pass.",
    why: "The flag was set by hand, and not in the repository or chart that the object comes from.",
    repair: &[
        Repair {
            text: "Put the flag where the object comes from, and let that program apply it. With `--local` \
                   `enable` sets it in a manifest instead of a cluster.",
            commands: &["kubectl mctg enable TYPE/NAME --local -f FILE -o yaml"],
        },
        Repair {
            text: "Who set what is in the managed fields.",
            commands: &["kubectl --context CONTEXT -n NAMESPACE get KIND NAME -o yaml \
                         --show-managed-fields"],
        },
    ],
};

/// A ledger that waits for a binding.
pub const ORPHAN_LEDGER: Rule = Rule {
    code: "MCTG111",
    name: "OrphanLedger",
    severity: "warning",
    gist: "a ledger was left behind",
    when: "A ConfigMap `aws-lbc-targets-NAME` is in a namespace with bindings, and no binding NAME is \
           there, or one that is exclusive.",
    meaning: "Nothing yet. The next multi-cluster binding of that name takes the old ledger for its \
              own, and its controller deregisters what is in it and is no endpoint: by then perhaps \
              another cluster's pods.",
    why: "The controller deletes a ledger with its binding only if the flag is on at that moment, \
          and never when the flag is turned off.",
    repair: &[Repair {
        text: "Delete it, once nothing of what it lists is this cluster's any more.",
        commands: &[
            "kubectl --context CONTEXT -n NAMESPACE get configmap aws-lbc-targets-NAME -o yaml",
            "kubectl --context CONTEXT -n NAMESPACE delete configmap aws-lbc-targets-NAME",
        ],
    }],
};

/// The owner is there, its binding is not.
pub const BINDING_LOST: Rule = Rule {
    code: "MCTG206",
    name: "BindingLost",
    severity: "critical",
    gist: "nobody follows the pods of the cluster that made it",
    when: "The target group's tags name a Service, Ingress or Gateway that is there and asks for a \
           load balancer, and its cluster has no generated binding of the group.",
    meaning: "The cluster's pods are registered no more when they come, and stay when they go. What \
              its ledger tracked is nobody's.",
    why: "Somebody deleted the generated binding. The controller does not watch the bindings it made: \
          it makes it again only when the owner next changes.",
    repair: &[
        Repair {
            text: "Change the owner in any way: the controller then makes the binding again.",
            commands: &["kubectl --context CONTEXT -n NAMESPACE annotate KIND NAME \
                         mctg.dev/rebuild=1 --overwrite"],
        },
        Repair { text: "Then look again.", commands: &["kubectl mctg status"] },
    ],
};
