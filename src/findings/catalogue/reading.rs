//! 90x: what could not be read, and what that hides.

use super::{Repair, Rule};

/// A context does not answer.
pub const CONTEXT_UNREACHABLE: Rule = Rule {
    code: "MCTG901",
    name: "ContextUnreachable",
    severity: "critical",
    gist: "it did not answer",
    when: "The API server of a context could not be reached, did not know the user, or did not \
           answer in time.",
    meaning: "Traffic is not touched by this. What that cluster wants and tracks is not known, so \
              targets that may be its own are `unknown`, and nothing that it may still serve from \
              is deregistered.",
    why: "A VPN that is down, an endpoint that admits other addresses only, credentials that \
          expired, a cluster that is gone.",
    repair: &[
        Repair {
            text: "Try the API server alone.",
            commands: &["kubectl --context CONTEXT get --raw /readyz"],
        },
        Repair {
            text: "If the cluster is gone for good, see what only it claimed: a plan, no change. An earlier \
                   `status -o json` tells what that was, else name the targets.",
            commands: &[
                "kubectl mctg unbind --lost CONTEXT --dry-run",
                "kubectl mctg unbind --lost CONTEXT --known-from STATUS.json --dry-run",
            ],
        },
        Repair {
            text: "If the cluster is of no interest here, leave it out.",
            commands: &["export MCTG_CONTEXTS=CONTEXT,CONTEXT"],
        },
    ],
};

/// A permission is missing.
pub const FORBIDDEN: Rule = Rule {
    code: "MCTG902",
    name: "Forbidden",
    severity: "critical",
    gist: "parts of it may not be read",
    when: "A cluster answers, and refuses to show something that is needed.",
    meaning: "What was refused is not known, and whatever depends on it is `unknown`; nothing is \
              deregistered because of it.",
    why: "The user or ServiceAccount lacks a permission.",
    repair: &[
        Repair {
            text: "See what is allowed.",
            commands: &["kubectl --context CONTEXT auth can-i --list"],
        },
        Repair {
            text: "Needed to read: get and list on targetgroupbindings.elbv2.k8s.aws, services, \
                   endpointslices, pods, nodes, deployments and leases, and get on configmaps.",
            commands: &[],
        },
    ],
};

/// AWS could not be read.
pub const AWS_UNREADABLE: Rule = Rule {
    code: "MCTG903",
    name: "AwsUnreadable",
    severity: "critical",
    gist: "AWS did not tell",
    when: "A call to Elastic Load Balancing failed: no or expired credentials, a missing \
           permission, a role that is refused, throttling, an answer that makes no sense.",
    meaning: "What is registered in the group, or how healthy it is, is not known. Nothing is \
              changed there.",
    why: "The message has AWS's own reason.",
    repair: &[
        Repair {
            text: "See who you are for AWS, then sign in or choose another profile.",
            commands: &[
                "aws sts get-caller-identity",
                "kubectl mctg status --profile PROFILE",
                "kubectl mctg status --profile CONTEXT=PROFILE",
            ],
        },
        Repair {
            text: "Needed to read: elasticloadbalancing:Describe* on all resources.",
            commands: &[],
        },
    ],
};

/// The group's owner is not among the contexts read.
pub const OWNER_NOT_READ: Rule = Rule {
    code: "MCTG904",
    name: "OwnerNotRead",
    severity: "critical",
    gist: "the cluster that owns the group was not read",
    when: "The group's tag `elbv2.k8s.aws/cluster` names a cluster that is none of those read.",
    meaning: "That cluster may want and track targets of the group. Those that nobody else claims \
              are `unknown`, and what may be its own is not deregistered.",
    why: "The owner's context is missing in the kubeconfig.",
    repair: &[Repair {
        text: "Add it to the kubeconfig, and look again.",
        commands: &[
            "aws eks update-kubeconfig --name CLUSTER --region REGION",
            "kubectl mctg status --all-contexts",
        ],
    }],
};
