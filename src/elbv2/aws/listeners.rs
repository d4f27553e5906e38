//! The listeners of a load balancer, each with every action that can forward.

use aws_sdk_elasticloadbalancingv2::error::SdkError;
use futures::future::{FutureExt, join_all};

use super::named;
use crate::elbv2::line::Line;
use crate::elbv2::translate;
use crate::facts::{Listener, Reading, Silence, SilenceReason};

impl Line {
    /// Lists the listeners of a load balancer, with the forward actions of their rules.
    pub(super) async fn listeners(&self, balancer: &str) -> Reading<Vec<Listener>> {
        let doing = format!("list the listeners of {}", named(balancer));
        let listeners = self
            .pages(&doing, |marker| {
                let call = self
                    .client
                    .describe_listeners()
                    .load_balancer_arn(balancer)
                    .set_marker(marker)
                    .send()
                    .boxed();
                async move {
                    let page = call.await?;
                    Ok::<_, SdkError<_, _>>((page.listeners, page.next_marker))
                }
            })
            .await?;
        let whole = listeners.iter().map(|listener| async {
            let listener = translate::listener(listener)
                .map_err(|missing| Silence::from(self.garbled(&doing, &missing)))?;
            self.with_rules(balancer, listener).await
        });
        // A listener that went in between is left out.
        join_all(whole).await.into_iter().filter_map(Result::transpose).collect()
    }

    /// Adds the forward actions of its rules to a listener; none where the listener is gone.
    async fn with_rules(
        &self,
        balancer: &str,
        mut listener: Listener,
    ) -> Reading<Option<Listener>> {
        let doing = format!("list the rules of a listener of {}", named(balancer));
        let rules = self
            .pages(&doing, |marker| {
                let call = self
                    .client
                    .describe_rules()
                    .listener_arn(&listener.arn)
                    .set_marker(marker)
                    .send()
                    .boxed();
                async move {
                    let page = call.await?;
                    Ok::<_, SdkError<_, _>>((page.rules, page.next_marker))
                }
            })
            .await;
        match rules {
            Ok(rules) => listener.forwards.extend(rules.iter().flat_map(translate::rule)),
            // Only ALBs had rules before 2026-07, and where NLBs have none yet the call is refused.
            Err(fault) if fault.is_unsupported() => {}
            Err(fault)
                if fault.reason() == SilenceReason::Invalid
                    && !balancer.contains(":loadbalancer/app/") => {}
            Err(fault) if fault.reason() == SilenceReason::NotFound => return Ok(None),
            Err(fault) => return Err(fault.into()),
        }
        Ok(Some(listener))
    }
}
