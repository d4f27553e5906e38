//! The operations of ELBv2 that the model knows (`facts/elbv2.md` 1.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operation, spelled as its `Action` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are AWS's")]
pub enum Operation {
    RegisterTargets,
    DeregisterTargets,
    DescribeTargetHealth,
    DescribeTargetGroups,
    DescribeTargetGroupAttributes,
    DescribeLoadBalancers,
    DescribeLoadBalancerAttributes,
    ModifyLoadBalancerAttributes,
    DescribeTags,
    DescribeListeners,
    DescribeRules,
    DescribeAccountLimits,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::RegisterTargets,
        Self::DeregisterTargets,
        Self::DescribeTargetHealth,
        Self::DescribeTargetGroups,
        Self::DescribeTargetGroupAttributes,
        Self::DescribeLoadBalancers,
        Self::DescribeLoadBalancerAttributes,
        Self::ModifyLoadBalancerAttributes,
        Self::DescribeTags,
        Self::DescribeListeners,
        Self::DescribeRules,
        Self::DescribeAccountLimits,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RegisterTargets => "RegisterTargets",
            Self::DeregisterTargets => "DeregisterTargets",
            Self::DescribeTargetHealth => "DescribeTargetHealth",
            Self::DescribeTargetGroups => "DescribeTargetGroups",
            Self::DescribeTargetGroupAttributes => "DescribeTargetGroupAttributes",
            Self::DescribeLoadBalancers => "DescribeLoadBalancers",
            Self::DescribeLoadBalancerAttributes => "DescribeLoadBalancerAttributes",
            Self::ModifyLoadBalancerAttributes => "ModifyLoadBalancerAttributes",
            Self::DescribeTags => "DescribeTags",
            Self::DescribeListeners => "DescribeListeners",
            Self::DescribeRules => "DescribeRules",
            Self::DescribeAccountLimits => "DescribeAccountLimits",
        }
    }

    /// Says whether it changes nothing.
    pub fn is_read(self) -> bool {
        self.as_str().starts_with("Describe")
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No such operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no operation of the model")]
pub struct UnknownOperation(pub String);

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(name: &str) -> Result<Self, UnknownOperation> {
        let found = Self::ALL.into_iter().find(|operation| operation.as_str() == name);
        found.ok_or_else(|| UnknownOperation(name.to_owned()))
    }
}
