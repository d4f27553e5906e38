//! 401, 402, 405, 409 and 413: whether the load balancer reaches the group, and how much fits.

use super::{Repair, Rule};

/// No load balancer.
pub const NOT_ATTACHED: Rule = Rule {
    code: "MCTG401",
    name: "NotAttached",
    severity: "critical",
    gist: "the target group is behind no load balancer",
    when: "No listener and no rule of any load balancer forwards to the target group.",
    meaning: "Targets are registered, and get no traffic; AWS does not even check them \
              (`unused`, `Target.NotInUse`). What else is wrong with the group's traffic follows \
              from this, and is not told beside it.",
    why: "The load balancer or its listener was deleted, or leads to another group: a target group \
          and its targets outlive both. A group of one's own that Terraform or a console made was \
          perhaps never attached.",
    repair: &[
        Repair {
            text: "Made by a controller: see why it makes no load balancer.",
            commands: &["kubectl --context CONTEXT -n NAMESPACE describe service NAME"],
        },
        Repair {
            text: "Otherwise let a listener forward to it.",
            commands: &[
                "aws elbv2 create-listener --load-balancer-arn LOAD_BALANCER_ARN --protocol TCP \
                 --port 80 --default-actions Type=forward,TargetGroupArn=ARN",
            ],
        },
    ],
};

/// Attached, and nothing leads there.
pub const NOT_FORWARDED: Rule = Rule {
    code: "MCTG402",
    name: "NotForwarded",
    severity: "critical",
    gist: "no listener forwards to the target group",
    when: "AWS names a load balancer of the target group, and none of the load balancer's listeners \
           and rules forwards to the group. All of them were read.",
    meaning: "The group gets no traffic.",
    why: "A listener's default action or a rule was changed, a moment ago: then look again. Or what \
          leads to the group is nothing that forwards.",
    repair: &[
        Repair {
            text: "See where the listeners lead.",
            commands: &[
                "kubectl mctg status NAME",
                "aws elbv2 describe-listeners --load-balancer-arn LOAD_BALANCER_ARN",
                "aws elbv2 describe-rules --listener-arn LISTENER_ARN",
            ],
        },
        Repair {
            text: "Let one of them forward to the group; where a controller made it, by its Service, \
                   Ingress or Gateway.",
            commands: &["aws elbv2 modify-listener --listener-arn LISTENER_ARN \
                         --default-actions Type=forward,TargetGroupArn=ARN"],
        },
    ],
};

/// Targets where the load balancer is not.
pub const ZONE_NOT_ENABLED: Rule = Rule {
    code: "MCTG405",
    name: "ZoneNotEnabled",
    severity: "critical",
    gist: "targets are in zones that the load balancer does not serve",
    when: "Targets are `unused` (`Target.NotInUse`), and the load balancer has no subnet in their \
           zone.",
    meaning: "They are registered, and get no traffic, cross-zone or not. Often it is all of one \
              cluster: its nodes are in zones that the load balancer's cluster does not use.",
    why: "The load balancer was made for the subnets of one cluster, and another one's pods run \
          elsewhere; or a zone was taken off it.",
    repair: &[
        Repair {
            text: "Made by a controller: give its Service, Ingress or Gateway a subnet in that zone \
                   too. For a Service: name all subnets.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE annotate --overwrite service NAME \
                 service.beta.kubernetes.io/aws-load-balancer-subnets=SUBNET,SUBNET",
            ],
        },
        Repair {
            text: "Otherwise find the subnets of the VPC, and set all that it is to have.",
            commands: &[
                "aws ec2 describe-subnets --filters Name=vpc-id,Values=VPC \
                 --query 'Subnets[].[AvailabilityZone,SubnetId]' --output text",
                "aws elbv2 set-subnets --load-balancer-arn LOAD_BALANCER_ARN --subnets SUBNET SUBNET",
            ],
        },
        Repair {
            text: "Or let the pods run in the zones that are served: a node selector or affinity on \
                   `topology.kubernetes.io/zone`.",
            commands: &[],
        },
    ],
};

/// UDP over the border of a VPC.
pub const OUTSIDE_VPC: Rule = Rule {
    code: "MCTG409",
    name: "OutsideVpc",
    severity: "critical",
    gist: "targets outside the load balancer's VPC cannot answer",
    when: "A target group for UDP, TCP_UDP, QUIC or TCP_QUIC has targets outside its VPC: they are \
           registered with the zone `all`.",
    meaning: "Such groups keep the client's address, and that cannot be turned off. Those targets may \
              get requests, and their answers do not find the way back through the load balancer.",
    why: "A cluster in another VPC, peered or not, shares the group. That works for TCP and TLS only \
          (NLB guide, Register targets).",
    repair: &[
        Repair {
            text: "Give each VPC a load balancer of its own, and divide the traffic by DNS; or run \
                   the cluster in the load balancer's VPC.",
            commands: &[],
        },
        Repair {
            text: "If it must stop now: let the Service have no endpoints there. The cluster's \
                   targets leave the group with the next pass.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE scale deployment NAME --replicas=0",
                "kubectl mctg reconcile tgb/NAME -n NAMESPACE --context CONTEXT",
            ],
        },
    ],
};

/// Nearly full.
pub const QUOTA_NEAR: Rule = Rule {
    code: "MCTG413",
    name: "QuotaNear",
    severity: "warning",
    gist: "it can hold few targets more",
    when: "A target group, a load balancer, or one zone of a Network Load Balancer has more than 80 % \
           of the targets that the account's limits allow (DescribeAccountLimits). Where these \
           cannot be read, AWS's defaults count: 1,000 for each group and each Application Load \
           Balancer; 3,000 for each Network Load Balancer and 500 for each of its zones, or 500 for \
           all of it with cross-zone on.",
    meaning: "What does not fit is refused (`TooManyTargets`), and then a controller's whole pass \
              fails: endpoints that come and go stay as they were, in every cluster that shares the \
              group.",
    why: "Each cluster brings its own targets into one limit, and a target in several groups of one \
          load balancer counts in each. Only the groups that were read are counted, so there may be \
          more.",
    repair: &[
        Repair {
            text: "See the limits, and ask for more where they can be raised.",
            commands: &[
                "aws elbv2 describe-account-limits --region REGION",
                "aws service-quotas list-service-quotas --service-code elasticloadbalancing \
                 --region REGION",
                "aws service-quotas request-service-quota-increase \
                 --service-code elasticloadbalancing --quota-code CODE --desired-value N \
                 --region REGION",
            ],
        },
        Repair {
            text: "Register fewer: addresses (`ip`) instead of every node of a cluster, or nodes by \
                   a node selector.",
            commands: &[],
        },
    ],
};
