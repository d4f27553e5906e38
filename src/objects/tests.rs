//! Kinds as kubectl spells them, and patches.

use super::*;

#[test]
fn a_kind_is_read_as_kubectl_spells_it() {
    for word in ["svc", "service", "services", "Service"] {
        assert_eq!(Kind::parse(word), Some(Kind::Service), "{word}");
    }
    assert_eq!(Kind::parse("ingresses.networking.k8s.io"), Some(Kind::Ingress));
    assert_eq!(Kind::parse("ingresses.v1.networking.k8s.io"), Some(Kind::Ingress));
    assert_eq!(Kind::parse("httproute"), Some(Kind::HttpRoute));
    assert_eq!(Kind::parse("tgb"), Some(Kind::TargetGroupBinding));
    assert_eq!(Kind::parse("ingresses.extensions"), None);
    assert_eq!(Kind::parse("pod"), None);
}

#[test]
fn a_patch_takes_away_what_is_null_and_leaves_the_rest() {
    let mut value = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
    merge(&mut value, &json!({"a": {"b": null, "c": [3]}, "e": {"f": null}}));
    assert_eq!(value, json!({"a": {"c": [3]}, "d": 1, "e": {}}));
}

#[test]
fn a_patch_is_sent_with_what_it_is_for() {
    let mut object = Object::new(Key::new(Kind::Service, "web", "shop"), json!({}));
    (object.uid, object.version) = ("u".to_owned(), "7".to_owned());
    let patch = object.patch(json!({"metadata": {"annotations": {"a": "b"}}}));
    let expected =
        json!({"metadata": {"annotations": {"a": "b"}, "uid": "u", "resourceVersion": "7"}});
    assert_eq!(patch.guarded(), expected);
}

#[test]
fn what_was_not_asked_for_is_not_missing() {
    let key = Key::new(Kind::Service, "web", "shop");
    let mut objects = Objects::default();
    assert_eq!(objects.get(&key).unwrap_err().reason, SilenceReason::NotAsked);
    objects.lists.insert((Kind::Service, Some("web".to_owned())), Ok(vec![]));
    assert_eq!(objects.get(&key), Ok(None));
    objects.single.insert(key.clone(), Ok(Some(Object::new(key.clone(), json!({})))));
    assert_eq!(objects.get(&key).unwrap().unwrap().key, key);
}
