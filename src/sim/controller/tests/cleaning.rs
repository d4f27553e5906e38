//! Cleanup (`facts/lbc.md` 4, Cleanup).

use super::*;

impl Stage {
    fn delete(&self) {
        self.state(|state| state.delete_binding("web", "shop-http"));
    }

    fn is_bound(&self) -> bool {
        self.state(|state| state.binding_mut("web", "shop-http").is_some())
    }
}

#[test]
fn a_deleted_binding_takes_its_tracked_targets_and_its_ledger_along() {
    let mut stage = Stage::settled();
    stage.register(FOREIGN);
    stage.wait(300);
    stage.delete();
    let calls = stage.run();
    let expected = ["DeregisterTargets", "DeleteConfigMap", "PatchTargetGroupBinding"];
    assert_eq!(writes(&calls), expected);
    assert_eq!(stage.registered(), [FOREIGN]);
    assert_eq!(stage.ledger(), None);
    assert!(!stage.is_bound());
}

#[test]
fn without_a_ledger_a_deleted_binding_leaves_all_its_targets() {
    let mut stage = Stage::settled();
    stage.state(|state| state.ledgers.clear());
    stage.worker.restart();
    stage.delete();
    stage.run();
    assert_eq!(stage.registered(), [A, B]);
    assert!(!stage.is_bound());
}

#[test]
fn a_deleted_exclusive_binding_takes_all_targets_and_leaves_an_orphan_ledger() {
    let mut stage = Stage::settled();
    stage.register(FOREIGN);
    stage.share(false);
    stage.wait(300);
    stage.delete();
    stage.run();
    assert_eq!(stage.registered(), [""; 0]);
    assert_eq!(stage.ledger().unwrap(), [A, B]);
}

#[test]
fn a_binding_whose_group_is_gone_is_let_go() {
    let mut stage = Stage::settled();
    stage.state(|state| {
        let spec = &mut state.binding_mut("web", "shop-http").unwrap().spec;
        spec.target_group_arn = spec.target_group_arn.replace("shop", "gone");
    });
    stage.delete();
    stage.run();
    assert_eq!(stage.ended(), Ok(Some(Ended::Gone)));
    assert_eq!(stage.ledger(), None);
    assert!(!stage.is_bound());
}

#[test]
fn a_cleanup_that_elbv2_throttles_is_tried_again() {
    let mut stage = Stage::settled();
    stage.delete();
    stage.worker.steps().lose(0, crate::sim::faults::Strikes::BeforeEffect);
    stage.run();
    assert!(stage.is_bound());
    stage.wait(1);
    stage.run();
    assert!(!stage.is_bound());
}

#[test]
fn without_its_service_a_binding_is_emptied_and_stays() {
    let mut stage = Stage::settled();
    stage.wait(300);
    let service = stage.state(|state| state.services.remove("web/shop")).unwrap();
    stage.run();
    let first = stage.worker.worked().remove(0).ended;
    assert_eq!(first, Ok(Some(Ended::CleanedUp)));
    assert_eq!(stage.registered(), [""; 0]);
    assert_eq!(stage.ledger(), None);
    assert_eq!(stage.checkpoint().as_deref(), Some(""), "since 2.14");
    assert!(stage.is_bound());
    stage.state(|state| state.services.insert("web/shop".to_owned(), service));
    stage.run();
    assert_eq!(stage.registered(), [A, B]);
    assert_eq!(stage.ledger().unwrap(), [A, B]);
}

#[test]
fn a_cleanup_lets_the_pods_that_waited_for_it_be_ready() {
    let mut stage = Stage::new();
    stage.state(|state| state.add_gate(A, "target-health.elbv2.k8s.aws/shop-http"));
    stage.model(|model| model.set_condition(A, crate::sim::elbv2::Condition::Failing));
    stage.run();
    assert!(!stage.state(|state| state.pod_at(A).unwrap().ready));
    stage.delete();
    stage.run();
    assert!(stage.state(|state| state.pod_at(A).unwrap().ready));
}
