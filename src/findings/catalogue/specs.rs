//! 105, 109 and 408: what a binding says that cannot work.

use super::{Repair, Rule};

/// A copy of a generated binding, labels and all.
pub const STACK_LABELS_ON_BINDING: Rule = Rule {
    code: "MCTG105",
    name: "StackLabelsOnBinding",
    severity: "critical",
    gist: "a controller will delete the binding",
    when: "A binding carries the stack labels of a Service, Ingress or Gateway \
           (`service.k8s.aws/stack-name` and the like), and the tags of its target group name \
           another cluster than its own: its controller did not make it.",
    meaning: "The controller takes bindings with such labels for its own. When it next reconciles \
              the object they name, it deletes those it did not make, and this cluster's targets \
              leave the group.",
    why: "The binding is a copy of the one that the other cluster's controller made: `kubectl get \
          -o yaml`, edited and applied here.",
    repair: &[Repair {
        text: "Take the labels off; the binding stays as it is.",
        commands: &[
            "kubectl --context CONTEXT -n NAMESPACE label targetgroupbindings.elbv2.k8s.aws NAME \
             service.k8s.aws/stack-namespace- service.k8s.aws/stack-name-",
            "kubectl --context CONTEXT -n NAMESPACE label targetgroupbindings.elbv2.k8s.aws NAME \
             ingress.k8s.aws/stack-",
        ],
    }],
};

/// A rule that opens nothing.
pub const EMPTY_PORTS_RULE: Rule = Rule {
    code: "MCTG109",
    name: "EmptyPortsRule",
    severity: "warning",
    gist: "a networking rule opens nothing",
    when: "A rule under `spec.networking.ingress` of a binding has peers, and `ports: []`.",
    meaning: "The controller makes no security-group rule of it. Unless something else lets the load \
              balancer in, this cluster's targets stay unhealthy.",
    why: "The field's documentation says that no ports means all TCP ports; the controller makes \
          one rule for each port that is listed, so none.",
    repair: &[Repair {
        text: "List the ports: those of the targets, and the one of the health check where it is \
               another. An entry with a protocol and no port is all its ports.",
        commands: &[
            "aws elbv2 describe-target-groups --target-group-arns ARN \
             --query 'TargetGroups[].[HealthCheckProtocol,HealthCheckPort]'",
            "kubectl --context CONTEXT -n NAMESPACE patch targetgroupbindings.elbv2.k8s.aws NAME \
             --type=json -p '[{\"op\":\"replace\",\"path\":\"/spec/networking/ingress/0/ports\",\
             \"value\":[{\"protocol\":\"TCP\",\"port\":8080}]}]'",
        ],
    }],
};

/// A binding made for another kind of group.
pub const BINDING_MISMATCH: Rule = Rule {
    code: "MCTG408",
    name: "BindingMismatch",
    severity: "critical",
    gist: "a binding does not fit its target group",
    when: "A binding says another target type, address family (none is IPv4), VPC or protocol than \
           its target group has.",
    meaning: "The controller registers what the binding says: instances in a group of addresses, or \
              addresses of the wrong family, are refused; with another VPC or protocol they are \
              registered in the wrong way.",
    why: "The controller's webhook compares them when a binding is made. It was away, or the binding \
          was changed since: the protocol is not compared again.",
    repair: &[
        Repair {
            text: "The protocol can be changed.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE patch targetgroupbindings.elbv2.k8s.aws NAME \
                 --type=merge -p '{\"spec\":{\"targetGroupProtocol\":\"TCP\"}}'",
            ],
        },
        Repair {
            text: "The others cannot. Keep the binding in a file, correct the file, make sure that \
                   other clusters' targets serve, and make the binding anew: deleting it takes this \
                   cluster's targets out. A generated one is made anew by its controller.",
            commands: &[
                "kubectl --context CONTEXT -n NAMESPACE get targetgroupbindings.elbv2.k8s.aws NAME \
                 -o yaml",
                "kubectl --context CONTEXT -n NAMESPACE delete targetgroupbindings.elbv2.k8s.aws \
                 NAME",
                "kubectl --context CONTEXT -n NAMESPACE apply -f FILE",
            ],
        },
    ],
};
