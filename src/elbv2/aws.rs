//! The AWS adapter: [`LoadBalancers`] over the ELBv2 API.

mod listeners;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use aws_sdk_elasticloadbalancingv2::config::http::HttpResponse;
use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_elasticloadbalancingv2::types;
use futures::future::FutureExt;

pub use self::settings::{SdkConfigs, Settings};
use super::acknowledged::Acknowledged;
use super::clients::Clients;
pub use super::clients::{http_client, http_client_through};
pub use super::limiter::{Limits, Rate};
use super::line::{Line, NO_LIST, in_batches};
use super::translate::Missing;
use super::{Access, CallError, LoadBalancers, Registration, TARGETS_PER_CALL_MAX, translate};
use crate::facts::{Listener, LoadBalancer, Reading, Silence, SilenceReason, TargetGroup};
use crate::stop::Unheard;
use crate::target::{TargetDescription, TargetGroupArn};

/// The load balancers that AWS has.
///
/// Clients are made when first needed, one for each (credentials, region, role), and kept. Cheap to
/// clone; clones share clients and limits.
///
/// Its futures are small: the SDK's own, tens of kilobytes each, are boxed.
#[derive(Clone)]
pub struct AwsLoadBalancers {
    clients: Arc<Clients>,
}

impl AwsLoadBalancers {
    /// Makes the adapter with the default [`Settings`]. Nothing is called or loaded yet.
    pub fn new(configs: impl SdkConfigs + 'static) -> Self {
        Self::with_settings(configs, Settings::default())
    }

    /// Makes the adapter.
    pub fn with_settings(configs: impl SdkConfigs + 'static, settings: Settings) -> Self {
        Self { clients: Arc::new(Clients::new(Box::new(configs), settings)) }
    }

    async fn line(&self, access: &Access, account: Option<&str>) -> Reading<Line> {
        let stop = self.clients.stop();
        // Whoever finds credentials meanwhile has changed nothing: there is no answer to wait for.
        let Some(client) = stop.before(self.clients.client(access)).await else {
            return Err(Unheard::NotMade.silence(false));
        };
        let client = client?;
        let region = client.config().region().map_or("", |region| region.as_ref()).to_owned();
        let pace = self.clients.pace(access, account);
        Ok(Line { client, region, pace, stop: stop.clone() })
    }

    /// The same, or the silence for each key.
    async fn line_for<K: Ord + Clone, V>(
        &self,
        access: &Access,
        keys: &BTreeSet<K>,
        account: Option<&str>,
    ) -> Result<Line, BTreeMap<K, Reading<V>>> {
        self.line(access, account)
            .await
            .map_err(|silence| keys.iter().map(|key| (key.clone(), Err(silence.clone()))).collect())
    }
}

/// The account id of any ARN.
fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

/// What to call a resource: the name in its ARN, else all of it.
fn named(arn: &str) -> String {
    let (_, resource) = arn.split_once('/').unwrap_or_default();
    let name = match resource.split('/').collect::<Vec<_>>()[..] {
        [_, name, _] => name,                  // loadbalancer/net/NAME/ID
        [name, _] if !name.is_empty() => name, // targetgroup/NAME/ID
        _ => arn,
    };
    format!("`{name}`")
}

fn these<K: AsRef<str>>(arns: &[K], many: &str) -> String {
    match arns {
        [arn] => named(arn.as_ref()),
        _ => format!("{} {many}", arns.len()),
    }
}

impl LoadBalancers for AwsLoadBalancers {
    async fn target_groups(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> BTreeMap<TargetGroupArn, Reading<TargetGroup>> {
        let account = arns.first().map(TargetGroupArn::account);
        let line = match self.line_for(access, arns, account).await {
            Ok(line) => line,
            Err(silences) => return silences,
        };
        let page = |arns, marker| {
            let call = line.client.describe_target_groups();
            let call = call.set_target_group_arns(Some(arns)).set_marker(marker).send().boxed();
            async move { call.await.map(|page| (page.target_groups, page.next_marker)) }
        };
        let translate = |group: &types::TargetGroup| {
            translate::target_group(group).map(|group| (group.arn.clone(), group))
        };
        describe(&line, arns, "target groups", page, translate).await
    }

    async fn target_group_by_name(&self, access: &Access, name: &str) -> Reading<TargetGroup> {
        let line = self.line(access, None).await?;
        let doing = format!("describe the target group `{name}`");
        let call = line.client.describe_target_groups().names(name).send().boxed();
        let answer = line.read(&doing, call).await?;
        match answer.target_groups() {
            [group] => translate::target_group(group)
                .map_err(|missing| line.garbled(&doing, &missing).into()),
            [] => Err(Silence::new(
                SilenceReason::NotFound,
                format!("failed to {doing} in {}: there is none of that name", line.region),
            )),
            _ => Err(line.garbled(&doing, "several target groups of that name").into()),
        }
    }

    async fn targets(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> Reading<Vec<TargetDescription>> {
        let line = self.line(access, Some(arn.account())).await?;
        let doing = format!("list the targets of `{}`", arn.name());
        let call =
            line.client.describe_target_health().target_group_arn(arn.as_str()).send().boxed();
        let answer = line.read(&doing, call).await?;
        answer
            .target_health_descriptions
            .ok_or_else(|| line.garbled(&doing, NO_LIST))?
            .iter()
            .map(|description| {
                translate::described(description)
                    .map_err(|missing| line.garbled(&doing, &missing).into())
            })
            .collect()
    }

    async fn target_group_attributes(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> Reading<BTreeMap<String, String>> {
        let line = self.line(access, Some(arn.account())).await?;
        let doing = format!("read the attributes of `{}`", arn.name());
        let call = line
            .client
            .describe_target_group_attributes()
            .target_group_arn(arn.as_str())
            .send()
            .boxed();
        let answer = line.read(&doing, call).await?;
        Ok(answer
            .attributes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|attribute| Some((attribute.key?, attribute.value.unwrap_or_default())))
            .collect())
    }

    async fn tags(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> BTreeMap<TargetGroupArn, Reading<BTreeMap<String, String>>> {
        let account = arns.first().map(TargetGroupArn::account);
        let line = match self.line_for(access, arns, account).await {
            Ok(line) => line,
            Err(silences) => return silences,
        };
        in_batches(arns, |batch: Vec<TargetGroupArn>| {
            let line = &line;
            async move {
                let doing = format!("read the tags of {}", these(&batch, "target groups"));
                let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
                let call =
                    line.client.describe_tags().set_resource_arns(Some(names)).send().boxed();
                let answer = line.read(&doing, call).await?;
                Ok(answer
                    .tag_descriptions()
                    .iter()
                    .filter_map(|tagged| {
                        let arn = tagged.resource_arn()?.parse().ok()?;
                        Some((arn, Ok(translate::tags(tagged.tags()))))
                    })
                    .collect())
            }
        })
        .await
    }

    async fn load_balancers(
        &self,
        access: &Access,
        arns: &BTreeSet<String>,
    ) -> BTreeMap<String, Reading<LoadBalancer>> {
        let account = arns.first().and_then(|arn| account(arn));
        let line = match self.line_for(access, arns, account).await {
            Ok(line) => line,
            Err(silences) => return silences,
        };
        let page = |arns, marker| {
            let call = line.client.describe_load_balancers();
            let call = call.set_load_balancer_arns(Some(arns)).set_marker(marker).send().boxed();
            async move { call.await.map(|page| (page.load_balancers, page.next_marker)) }
        };
        let translate = |balancer: &types::LoadBalancer| {
            translate::load_balancer(balancer).map(|balancer| (balancer.arn.clone(), balancer))
        };
        describe(&line, arns, "load balancers", page, translate).await
    }

    async fn load_balancer_attributes(
        &self,
        access: &Access,
        arn: &str,
    ) -> Reading<BTreeMap<String, String>> {
        let line = self.line(access, account(arn)).await?;
        let doing = format!("read the attributes of {}", named(arn));
        let call =
            line.client.describe_load_balancer_attributes().load_balancer_arn(arn).send().boxed();
        let answer = line.read(&doing, call).await?;
        Ok(answer
            .attributes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|attribute| Some((attribute.key?, attribute.value.unwrap_or_default())))
            .collect())
    }

    async fn listeners(&self, access: &Access, arn: &str) -> Reading<Vec<Listener>> {
        let line = self.line(access, account(arn)).await?;
        line.listeners(arn).await
    }

    async fn account_limits(
        &self,
        access: &Access,
        account: &str,
    ) -> Reading<BTreeMap<String, u64>> {
        let line = self.line(access, Some(account)).await?;
        let limits = line
            .pages("read the account's limits", |marker| {
                let call = line.client.describe_account_limits().set_marker(marker).send().boxed();
                async move {
                    let page = call.await?;
                    Ok::<_, SdkError<_, _>>((page.limits, page.next_marker))
                }
            })
            .await?;
        // A limit that is no number is none that is known.
        let limits = limits.into_iter().filter_map(|it| Some((it.name?, it.max?.parse().ok()?)));
        Ok(limits.collect())
    }

    async fn register(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[Registration],
    ) -> Result<(), CallError> {
        let doing = format!("register {} in `{}`", counted(targets.len()), arn.name());
        let sent = targets.iter().map(translate::registration).collect();
        if fits(&doing, targets.len())? == Fit::Nothing {
            return Ok(());
        }
        let line = self.line(access, Some(arn.account())).await.map_err(CallError::Failed)?;
        let call = line
            .client
            .register_targets()
            .target_group_arn(arn.as_str())
            .set_targets(Some(sent))
            .customize()
            .interceptor(Acknowledged { element: "RegisterTargetsResponse" })
            .send()
            .boxed();
        line.write(&doing, call).await?;
        Ok(())
    }

    async fn deregister(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[TargetDescription],
    ) -> Result<(), CallError> {
        let doing = format!("deregister {} from `{}`", counted(targets.len()), arn.name());
        let sent = targets.iter().map(translate::deregistration).collect();
        if fits(&doing, targets.len())? == Fit::Nothing {
            return Ok(());
        }
        let line = self.line(access, Some(arn.account())).await.map_err(CallError::Failed)?;
        let call = line
            .client
            .deregister_targets()
            .target_group_arn(arn.as_str())
            .set_targets(Some(sent))
            .customize()
            .interceptor(Acknowledged { element: "DeregisterTargetsResponse" })
            .send()
            .boxed();
        line.write(&doing, call).await?;
        Ok(())
    }
}

/// Describes resources by ARN: every page of every batch, translated. `many` is what to call several.
async fn describe<K, T, V, E, F>(
    line: &Line,
    arns: &BTreeSet<K>,
    many: &str,
    page: impl Fn(Vec<String>, Option<String>) -> F + Sync,
    translate: impl Fn(&T) -> Result<(K, V), Missing> + Sync,
) -> BTreeMap<K, Reading<V>>
where
    K: Ord + Clone + AsRef<str> + Send + Sync,
    T: Send + Sync,
    V: Send,
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    F: Future<Output = Result<(Option<Vec<T>>, Option<String>), SdkError<E, HttpResponse>>> + Send,
{
    let (page, translate) = (&page, &translate);
    in_batches(arns, |batch: Vec<K>| async move {
        let doing = format!("describe {}", these(&batch, many));
        let names: Vec<String> = batch.iter().map(|arn| arn.as_ref().to_owned()).collect();
        let found = line.pages(&doing, |marker| page(names.clone(), marker)).await?;
        let translated = found.iter().map(|each| {
            let (arn, each) = translate(each).map_err(|missing| line.garbled(&doing, &missing))?;
            Ok((arn, Ok(each)))
        });
        translated.collect()
    })
    .await
}

#[derive(PartialEq)]
enum Fit {
    Nothing,
    OneCall,
}

fn fits(doing: &str, targets: usize) -> Result<Fit, CallError> {
    match targets {
        0 => Ok(Fit::Nothing),
        1..=TARGETS_PER_CALL_MAX => Ok(Fit::OneCall),
        _ => Err(CallError::Failed(Silence::new(
            SilenceReason::Invalid,
            format!("failed to {doing}: one call takes {TARGETS_PER_CALL_MAX}"),
        ))),
    }
}

fn counted(targets: usize) -> String {
    match targets {
        1 => "1 target".to_owned(),
        _ => format!("{targets} targets"),
    }
}

#[cfg(test)]
mod tests;

#[cfg(all(test, feature = "sim"))]
mod sim_tests;

#[cfg(all(test, feature = "sim"))]
mod stop_tests;
