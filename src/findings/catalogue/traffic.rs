//! 4xx and 5xx: whether the load balancer serves, and what one cluster's loss would mean.

use super::{Repair, Rule};

/// No healthy target at all.
pub const FAIL_OPEN: Rule = Rule {
    code: "MCTG412",
    name: "FailOpen",
    severity: "critical",
    gist: "no target is healthy, so traffic goes everywhere",
    when: "A target group has targets, and none of them is healthy.",
    meaning: "The load balancer fails open: it sends traffic to every target, healthy or not. It \
              may look as if it worked.",
    why: "Every cluster is down at once, or the health check cannot pass: wrong port or path, a \
          security group that does not let the load balancer in.",
    repair: &[
        Repair {
            text: "Look at AWS's reason for each target.",
            commands: &["kubectl mctg status NAME -o wide"],
        },
        Repair {
            text: "`Target.Timeout` points at security groups, `Target.FailedHealthChecks` and \
                   `Target.ResponseCodeMismatch` at the pods or the health check's settings.",
            commands: &["aws elbv2 describe-target-groups --target-group-arns ARN"],
        },
    ],
};

/// One cluster serves everything.
pub const SINGLE_CLUSTER: Rule = Rule {
    code: "MCTG501",
    name: "SingleCluster",
    severity: "warning",
    gist: "one cluster serves everything",
    when: "A shared target group is bound by two clusters or more, or meant to be, and all its \
           healthy targets belong to one.",
    meaning: "Losing that cluster loses the service. That is right in the middle of a migration, \
              and not what a shared group is for.",
    why: "The other cluster is not bound yet, has no ready pods, or its targets are not healthy.",
    repair: &[
        Repair {
            text: "See what each cluster wants and what AWS says about it.",
            commands: &["kubectl mctg status NAME -o wide"],
        },
        Repair {
            text: "If the other cluster is not bound yet, bind it: `--from` names the one that is.",
            commands: &["kubectl mctg bind svc/NAME -n NAMESPACE --from CONTEXT --context CONTEXT"],
        },
        Repair {
            text: "If it is meant to be so, leave it out for this binding.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE annotate targetgroupbindings.elbv2.k8s.aws NAME \
                         mctg.dev/ignore=MCTG501",
            ],
        },
    ],
};
