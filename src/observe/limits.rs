//! How much the accounts of the groups may have.

use std::collections::BTreeMap;

use super::Detail;
use super::access::Accesses;
use crate::elbv2::LoadBalancers;
use crate::facts::{AccountRegion, Reading};
use crate::target::TargetGroupArn;

/// Reads the limits of each account and region once, however many groups are in it; nothing where
/// targets are enough.
pub(super) async fn read<L: LoadBalancers>(
    load_balancers: &L,
    accesses: &Accesses,
    detail: Detail,
) -> BTreeMap<AccountRegion, Reading<BTreeMap<String, u64>>> {
    if detail == Detail::TargetsOnly {
        return BTreeMap::new();
    }
    let mut one_of_each: BTreeMap<AccountRegion, &TargetGroupArn> = BTreeMap::new();
    for arn in accesses.groups() {
        one_of_each.entry(AccountRegion::of(arn)).or_insert(arn);
    }
    let answers = accesses
        .ask_each(one_of_each.into_values(), |access, arn| async move {
            load_balancers.account_limits(&access, arn.account()).await
        })
        .await;
    answers.into_iter().map(|(arn, limits)| (AccountRegion::of(arn), limits)).collect()
}
