//! What decides beforehand whether anything can be done in a cluster: its server, its types, the
//! controller's webhook, and permissions.

use std::time::Duration;

use ::kube::api::ListParams;
use futures::future;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

use super::errors::Failure;
use super::kube::{CONCURRENT_READS_MAX, KubeCluster, api, group};
use super::objects as wire;
use super::translate;
use crate::binding::Flavour;
use crate::facts::{ServerFacts, Webhook};
use crate::permissions::{Question, ServiceAccount};

/// Both configurations of the controller's webhook are called so, unless Helm's `nameOverride`
/// renames them (`facts/lbc.md` 1.2).
const WEBHOOK: &str = "aws-load-balancer-webhook";

/// The kinds of configuration that can name a webhook.
const CONFIGURATIONS: [&str; 2] =
    ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];

const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1";

/// How often, and how long after one another, a schema is asked for whose type is there: kube-apiserver
/// 1.36 publishes it about a second later.
const PUBLISHING_TRIES_MAX: u32 = 6;
const PUBLISHING_DELAY: Duration = Duration::from_millis(500);

impl KubeCluster {
    pub(super) async fn ask_version(&self) -> Result<ServerFacts, Failure> {
        let what = "get /version";
        let (version, now) = self.door()?.get_dated::<wire::Version>(what, "/version").await?;
        Ok(ServerFacts { version: version.git_version, now })
    }

    pub(super) async fn is_served(&self, flavour: Flavour) -> Result<bool, Failure> {
        let what = format!("look for the type targetgroupbindings.{}", api(flavour));
        match self.door()?.get::<wire::Resources>(&what, group(flavour)).await {
            Ok(list) => Ok(list.resources.iter().any(|it| it.name == "targetgroupbindings")),
            Err(failure) if failure.is_not_found() => {
                self.prove_kubernetes(&what).await.map(|()| false)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Reads the schema of bindings. The server publishes it a moment after a type was made or changed,
    /// so where the type is there already it is asked for again.
    pub(super) async fn read_schema(&self, what: &str) -> Result<wire::OpenApi, Failure> {
        let flavour = Flavour::LoadBalancerController;
        let path = format!("/openapi/v3{}", group(flavour));
        let door = self.door()?;
        let mut left = PUBLISHING_TRIES_MAX;
        loop {
            match door.get(what, &path).await {
                Err(failure) if failure.is_not_found() && left > 0 => {
                    let pause = tokio::time::sleep(PUBLISHING_DELAY);
                    if self.is_served(flavour).await.ok() != Some(true)
                        || door.stop.before(pause).await.is_none()
                    {
                        return Err(failure);
                    }
                    left -= 1;
                }
                answer => return answer,
            }
        }
    }

    /// Finds who is behind the webhooks that must answer before a binding is stored. They are told
    /// by what they are asked about, as Helm may have renamed them.
    pub(super) async fn find_webhook(&self) -> Result<Webhook, Failure> {
        let [mutating, validating] = CONFIGURATIONS.map(|kind| self.webhooks_of(kind));
        let (mutating, validating) = future::try_join(mutating, validating).await?;
        let hooks: Vec<_> = mutating.into_iter().chain(validating).collect();
        if hooks.is_empty() {
            return Ok(Webhook::Absent);
        }
        let mut services: Vec<wire::WebhookService> =
            hooks.into_iter().filter_map(|hook| hook.client_config.service).collect();
        services.sort_unstable();
        services.dedup();
        for service in services {
            if !self.has_ready_endpoint(&service).await? {
                let wire::WebhookService { namespace, name } = service;
                let why =
                    format!("the Service {namespace}/{name} of the webhook has no ready endpoint");
                return Ok(Webhook::Unserved(why));
            }
        }
        Ok(Webhook::Served)
    }

    async fn webhooks_of(&self, kind: &str) -> Result<Vec<wire::Webhook>, Failure> {
        let what = format!("list {kind}.admissionregistration.k8s.io");
        let path = format!("{ADMISSION}/{kind}");
        let found = match self.list(&what, &path, ListParams::default()).await {
            Ok(all) => all,
            Err(failure) if failure.is_forbidden() => {
                let what = format!("get {kind}.admissionregistration.k8s.io `{WEBHOOK}`");
                match self.door()?.get(&what, &format!("{path}/{WEBHOOK}")).await {
                    Ok(one) => vec![one],
                    // Another name may hide it.
                    Err(_) => return Err(failure),
                }
            }
            Err(failure) => return Err(failure),
        };
        let hooks = found.into_iter().flat_map(|it: wire::WebhookConfiguration| it.webhooks);
        Ok(hooks.filter(translate::must_pass_bindings).collect())
    }

    async fn has_ready_endpoint(&self, service: &wire::WebhookService) -> Result<bool, Failure> {
        let wire::WebhookService { namespace, name } = service;
        let what = format!("list endpointslices.discovery.k8s.io in namespace `{namespace}`");
        let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
        let params =
            ListParams::default().labels(&format!("{}={name}", translate::SERVICE_NAME_LABEL));
        let slices: Vec<wire::Readiness> = self.list(&what, &path, params).await?;
        // Not told counts as ready (Kubernetes API, EndpointConditions).
        let mut endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
        Ok(endpoints.any(|endpoint| endpoint.conditions.ready != Some(false)))
    }

    pub(super) async fn review(
        &self,
        questions: &[Question],
        service_account: Option<&ServiceAccount>,
    ) -> Result<Vec<bool>, Failure> {
        let Some(account) = service_account else {
            return self.review_each(questions, &Asking::Oneself).await;
        };
        match self.review_each(questions, &Asking::About(account)).await {
            // Whoever may not ask about others may be allowed to ask as one of them.
            Err(failure) if failure.is_forbidden() => {
                let reviews = self.review_each(questions, &Asking::As(account)).await;
                reviews.map_err(|other| if other.is_forbidden() { failure } else { other })
            }
            answer => answer,
        }
    }

    async fn review_each(
        &self,
        questions: &[Question],
        asking: &Asking<'_>,
    ) -> Result<Vec<bool>, Failure> {
        let reviews: Vec<_> = questions.iter().map(|it| self.review_one(it, asking)).collect();
        stream::iter(reviews).buffered(CONCURRENT_READS_MAX).try_collect().await
    }

    async fn review_one(&self, question: &Question, asking: &Asking<'_>) -> Result<bool, Failure> {
        let Question { group, resource, verb, namespace, name } = question;
        let attributes = json!({
            "group": group, "resource": resource, "verb": verb,
            "namespace": namespace.as_deref().unwrap_or_default(),
            "name": name.as_deref().unwrap_or_default(),
        });
        let (kind, who, headers) = match asking {
            Asking::Oneself => ("SelfSubjectAccessReview", json!({}), vec![]),
            Asking::About(account) => {
                let who = json!({"user": account.user(), "groups": account.groups()});
                ("SubjectAccessReview", who, vec![])
            }
            // Its groups come with the user.
            Asking::As(account) => {
                let headers = vec![("impersonate-user", account.user())];
                ("SelfSubjectAccessReview", json!({}), headers)
            }
        };
        let mut spec = who;
        spec["resourceAttributes"] = attributes;
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec});
        let plural = format!("{}s", kind.to_ascii_lowercase());
        let what = format!("create {plural}.authorization.k8s.io");
        let body = review.to_string();
        let path = format!("{REVIEWS}/{plural}");
        let answer: wire::Review =
            self.door()?.ask(&what, &path, body.as_bytes(), &headers).await?;
        Ok(answer.status.allowed)
    }
}

/// Whose permissions are asked for, and how.
enum Asking<'a> {
    Oneself,
    About(&'a ServiceAccount),
    As(&'a ServiceAccount),
}

#[cfg(test)]
mod tests {
    use super::super::Cluster as _;
    use super::super::http::fake;
    use super::super::kube::Settings;
    use super::*;
    use crate::facts::SilenceReason;

    fn cluster(
        answer: impl Fn(&str, usize) -> (u16, String) + Send + Sync + 'static,
    ) -> (KubeCluster, fake::Log) {
        let (client, log) = fake::client(answer);
        (KubeCluster::new("it", client, Settings::default()), log)
    }

    fn hook(policy: &str, group: &str) -> String {
        format!(
            r#"{{"webhooks":[{{"failurePolicy":"{policy}","clientConfig":{{"service":{{"namespace":"kube-system","name":"hook"}}}},
                "rules":[{{"apiGroups":["{group}"],"resources":["targetgroupbindings"]}}]}}]}}"#
        )
    }

    async fn webhook(hook: String, endpoints: &'static str) -> Webhook {
        let (it, _) = cluster(move |line, _| {
            let items = if line.contains("webhookconfigurations") { &hook } else { endpoints };
            (200, format!(r#"{{"items":[{items}]}}"#))
        });
        it.webhook().await.unwrap()
    }

    #[tokio::test]
    async fn a_webhook_is_served_by_a_ready_endpoint_of_its_service() {
        let fails = |endpoints| webhook(hook("Fail", "elbv2.k8s.aws"), endpoints);
        let ready = r#"{"endpoints":[{"conditions":{"ready":false}},{"conditions":{}}]}"#;
        assert_eq!(fails(ready).await, Webhook::Served);
        let unserved = Webhook::Unserved(
            "the Service kube-system/hook of the webhook has no ready endpoint".to_owned(),
        );
        assert_eq!(fails("").await, unserved);
        assert_eq!(fails(r#"{"endpoints":[{"conditions":{"ready":false}}]}"#).await, unserved);
        assert_eq!(fails(r#"{"endpoints":null}"#).await, unserved);
    }

    #[tokio::test]
    async fn a_webhook_that_may_fail_or_is_asked_about_something_else_is_none() {
        assert_eq!(webhook(hook("Ignore", "elbv2.k8s.aws"), "").await, Webhook::Absent);
        assert_eq!(webhook(hook("Fail", "*"), "").await, Webhook::Absent);
        assert_eq!(webhook(r#"{"webhooks":null}"#.to_owned(), "").await, Webhook::Absent);
    }

    #[tokio::test]
    async fn webhooks_that_may_not_be_listed_are_read_by_their_usual_name_or_not_known() {
        let (it, log) = cluster(|line, _| match line {
            _ if line.contains("configurations?") => (403, String::new()),
            _ if line.contains("webhookconfigurations/") => (200, hook("Fail", "elbv2.k8s.aws")),
            _ => (200, r#"{"items":[{"endpoints":[{}]}]}"#.to_owned()),
        });
        assert_eq!(it.webhook().await, Ok(Webhook::Served));
        assert_eq!(log.lock().unwrap().len(), 5, "one Service is looked at once");
        let (it, _) = cluster(|line, _| match line.contains("configurations?") {
            true => (403, String::new()),
            false => (404, String::new()),
        });
        assert_eq!(it.webhook().await.unwrap_err().reason, SilenceReason::Forbidden);
    }

    #[tokio::test]
    async fn a_type_that_is_not_served_is_told_from_a_server_that_is_no_kubernetes() {
        let flavour = Flavour::LoadBalancerController;
        let (it, _) = cluster(|line, _| match line {
            "GET /apis" => (200, r#"{"kind":"APIGroupList"}"#.to_owned()),
            _ => (404, String::new()),
        });
        assert_eq!(it.serves(flavour).await, Ok(false));
        let (it, _) = cluster(|_, _| (404, String::new()));
        assert_eq!(it.serves(flavour).await.unwrap_err().reason, SilenceReason::Garbled);
        let (it, _) =
            cluster(|_, _| (200, r#"{"resources":[{"name":"targetgroupbindings"}]}"#.to_owned()));
        assert_eq!(it.serves(flavour).await, Ok(true));
    }

    const TYPE: &str = r#"{"resources":[{"name":"targetgroupbindings"}]}"#;

    #[tokio::test(start_paused = true)]
    async fn the_schema_of_a_type_that_was_just_made_is_waited_for() {
        let schema = r#"{"components":{"schemas":{"it":{
            "x-kubernetes-group-version-kind":[{"group":"elbv2.k8s.aws","kind":"TargetGroupBinding"}],
            "properties":{"spec":{"properties":{"multiClusterTargetGroup":{}}}}}}}}"#;
        let (it, _) = cluster(move |line, before| match line.contains("/openapi/") {
            true if before < 4 => (404, String::new()),
            true => (200, schema.to_owned()),
            false => (200, TYPE.to_owned()),
        });
        assert_eq!(it.has_flag().await, Ok(true));
        let (it, log) = cluster(|line, _| match line.contains("/openapi/") {
            true => (404, String::new()),
            false => (200, TYPE.to_owned()),
        });
        assert_eq!(it.has_flag().await.unwrap_err().reason, SilenceReason::NotFound);
        assert!(log.lock().unwrap().len() < 20, "not for ever");
    }

    #[tokio::test]
    async fn the_schema_of_a_type_that_is_not_there_is_not_waited_for() {
        let (it, log) = cluster(|_, _| (404, String::new()));
        assert_eq!(it.has_flag().await.unwrap_err().reason, SilenceReason::NotFound);
        assert_eq!(log.lock().unwrap().iter().filter(|it| it.contains("/openapi/")).count(), 1);
    }

    fn question(verb: &str) -> Question {
        Question {
            group: String::new(),
            resource: "nodes".to_owned(),
            verb: verb.to_owned(),
            namespace: None,
            name: None,
        }
    }

    const ALLOWED: &str = r#"{"status":{"allowed":true}}"#;

    #[tokio::test]
    async fn permissions_are_answered_in_the_order_asked() {
        let (it, log) = cluster(|_, before| {
            (201, format!(r#"{{"status":{{"allowed":{}}}}}"#, before % 2 == 0))
        });
        let asked = ["list", "get", "watch"].map(question);
        assert_eq!(it.may(&asked, None).await, Ok(vec![true, false, true]));
        let path = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        assert_eq!(*log.lock().unwrap(), [path; 3]);
    }

    #[tokio::test]
    async fn whoever_may_not_ask_about_a_service_account_asks_as_it() {
        let account = "kube-system/mctg".parse().unwrap();
        let (it, log) = cluster(|line, _| match line.contains("/subjectaccessreviews") {
            true => (403, String::new()),
            false => (201, ALLOWED.to_owned()),
        });
        assert_eq!(it.may(&[question("list")], Some(&account)).await, Ok(vec![true]));
        assert_eq!(log.lock().unwrap().len(), 2);
        let (it, _) = cluster(|_, _| (403, String::new()));
        let refused = it.may(&[question("list")], Some(&account)).await.unwrap_err();
        assert_eq!(refused.reason, SilenceReason::Forbidden);
        assert!(refused.message.contains("create subjectaccessreviews"), "{refused}");
    }
}
