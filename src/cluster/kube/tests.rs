//! What lists come to when the API server answers otherwise than hoped.

use super::*;
use crate::cluster::http::fake;

fn cluster(
    answer: impl Fn(&str, usize) -> (u16, String) + Send + Sync + 'static,
) -> (KubeCluster, fake::Log) {
    let (client, log) = fake::client(answer);
    (KubeCluster::new("it", client, Settings::default()), log)
}

#[tokio::test]
async fn a_server_that_knows_nothing_is_no_cluster_without_bindings() {
    let (web_server, _) = cluster(|_, _| (404, "<html>not here</html>".to_owned()));
    let silence = web_server.bindings(Flavour::LoadBalancerController, None).await.unwrap_err();
    assert_eq!(silence.reason, SilenceReason::Garbled);
    assert_eq!(
        silence.message,
        "failed to list targetgroupbindings.elbv2.k8s.aws: what answers there is no Kubernetes API"
    );
    let (kubernetes, log) = cluster(|line, _| match line {
        "GET /apis" => (200, r#"{"kind":"APIGroupList"}"#.to_owned()),
        _ => (404, "404 page not found".to_owned()),
    });
    assert_eq!(kubernetes.bindings(Flavour::LoadBalancerController, None).await, Ok(vec![]));
    assert_eq!(kubernetes.bindings(Flavour::AutoMode, None).await, Ok(vec![]));
    assert_eq!(log.lock().unwrap().iter().filter(|line| *line == "GET /apis").count(), 1);
}

#[tokio::test]
async fn pods_are_read_one_by_one_or_listed_where_that_costs_less() {
    let pod =
        |name: &str| format!(r#"{{"metadata":{{"name":"{name}","namespace":"a"}},"spec":{{}}}}"#);
    let (it, log) =
        cluster(move |line, _| match line.strip_prefix("GET /api/v1/namespaces/a/pods").unwrap() {
            list if list.starts_with('?') => {
                let all: Vec<_> = (0..40).map(|n| pod(&format!("web-{n}"))).collect();
                (200, format!(r#"{{"items":[{}]}}"#, all.join(",")))
            }
            "/web-0" => (200, pod("web-0")),
            _ => (404, String::new()),
        });
    let named = |count: usize| -> BTreeSet<PodName> {
        let name = |n| PodName { namespace: "a".to_owned(), name: format!("web-{n}") };
        (0..count).map(name).collect()
    };
    assert_eq!(it.pods(&named(2)).await.unwrap().len(), 1);
    assert_eq!(log.lock().unwrap().len(), 2);
    assert_eq!(it.pods(&named(30)).await.unwrap().len(), 30);
    assert_eq!(log.lock().unwrap().len(), 3);
    assert_eq!(it.pods(&BTreeSet::new()).await, Ok(vec![]));
    assert_eq!(log.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_schema_that_does_not_describe_bindings_tells_nothing() {
    let (it, log) = cluster(|_, _| (200, r#"{"components":{"schemas":{}}}"#.to_owned()));
    assert_eq!(it.has_flag().await.unwrap_err().reason, SilenceReason::Garbled);
    assert_eq!(*log.lock().unwrap(), ["GET /openapi/v3/apis/elbv2.k8s.aws/v1beta1"]);
}

#[tokio::test]
async fn a_cluster_without_a_client_gives_its_reason_to_every_question() {
    let silence = Silence::new(SilenceReason::InvalidConfig, "no such file");
    let it = KubeCluster::silent("it", silence.clone(), Settings::default());
    assert_eq!(it.identity().await, Err(silence.clone()));
    assert_eq!(it.bindings(Flavour::AutoMode, None).await, Err(silence.clone()));
    assert_eq!(it.controllers().await, Err(silence.clone()));
    let write = it.write_ledger("a", "b", &BTreeSet::new(), None).await;
    assert_eq!(write, Err(WriteError::Failed(silence)));
}
