//! The checkpoint, the caches and what makes the controller look again (`facts/lbc.md` 2.2).

use super::*;

const GATE: &str = "target-health.elbv2.k8s.aws/shop-http";

#[test]
fn a_pass_that_succeeds_leaves_a_current_checkpoint_and_its_time() {
    let mut stage = Stage::new();
    stage.run();
    assert!(stage.has_current_checkpoint());
    let binding = stage.state(|s| s.binding_mut("web", "shop-http").unwrap().clone());
    assert_eq!(binding.annotations["elbv2.k8s.aws/checkpoint-timestamp"], "1767225600");
    let view = stage.state(|state| View::of(state));
    let endpoints = view.endpoints(&binding).unwrap();
    assert_eq!(
        crate::checkpoint::compare(&binding, &endpoints),
        crate::checkpoint::Checkpoint::Current
    );
}

#[test]
fn while_its_checkpoint_is_current_it_asks_nobody_anything() {
    let mut stage = Stage::settled();
    stage.lose(A);
    stage.state(|state| state.ledgers.clear());
    stage.wait(600);
    stage.worker.controller().wake("web", "shop-http", stage.world.now());
    assert_eq!(stage.run(), [""; 0]);
    assert_eq!(stage.ended(), Ok(Some(Ended::Skipped)));
    assert_eq!(stage.registered(), [B]);
}

#[test]
fn removing_the_checkpoint_makes_it_look_again() {
    let mut stage = Stage::settled();
    stage.lose(A);
    stage.force_seeing();
    assert_eq!(stage.registered(), [A, B]);
    assert!(stage.has_current_checkpoint());
}

#[test]
fn a_pod_that_was_made_anew_at_its_address_makes_it_look_again() {
    let mut stage = Stage::settled();
    stage.lose(A);
    stage.wait(300);
    stage.remove_pod(A);
    stage.add_pod(A);
    stage.run();
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn a_foreign_annotation_wakes_it_and_it_skips() {
    let mut stage = Stage::settled();
    stage.worker.worked();
    stage.state(|state| {
        let binding = state.binding_mut("web", "shop-http").unwrap();
        binding.annotations.insert("mctg.dev/ignore".to_owned(), "MCTG501".to_owned());
    });
    assert_eq!(stage.run(), [""; 0]);
    assert_eq!(stage.ended(), Ok(Some(Ended::Skipped)));
}

#[test]
fn the_checkpoint_is_emptied_before_anything_changes() {
    let mut stage = Stage::settled();
    let before = stage.checkpoint();
    stage.add_pod("10.0.0.12");
    while stage.checkpoint() == before {
        assert!(stage.worker.step());
    }
    assert_eq!(stage.checkpoint().as_deref(), Some(""));
    assert_eq!(stage.registered(), [A, B]);
    stage.run();
    assert!(stage.has_current_checkpoint());
}

#[test]
fn foreign_targets_make_a_pass_from_a_stale_checkpoint_write_it_twice() {
    let mut stage = Stage::settled();
    stage.register(FOREIGN);
    stage.wait(300);
    let spec = |stage: &Stage| {
        stage.state(|state| {
            let spec = &mut state.binding_mut("web", "shop-http").unwrap().spec;
            spec.target_group_protocol = Some("TCP".to_owned());
        });
    };
    spec(&stage);
    let calls = stage.run();
    assert_eq!(writes(&calls), ["PatchTargetGroupBinding"; 2]);
    let calls = stage.force();
    assert_eq!(writes(&calls), ["PatchTargetGroupBinding"], "from empty once");
}

#[test]
fn a_skip_resets_the_checkpoint_half_an_hour_to_three_quarters_later_once_a_sync_period() {
    let mut stage = Stage::settled();
    stage.lose(A);
    stage.worker.restart();
    assert_eq!(stage.run(), [""; 0], "the first look skips, for the checkpoint is current");
    stage.wait(30 * 60 - 1);
    assert_eq!(stage.run(), [""; 0]);
    stage.wait(15 * 60 + 1);
    let calls = stage.run();
    assert_eq!(calls[0], "PatchTargetGroupBinding");
    assert_eq!(stage.registered(), [A, B]);
    stage.lose(A);
    stage.worker.controller().wake("web", "shop-http", stage.world.now());
    stage.run();
    stage.wait(60 * 60);
    assert_eq!(stage.run(), [""; 0], "processed less than a sync period ago");
    assert_eq!(stage.registered(), [B]);
}

#[test]
fn the_resync_wakes_every_binding_and_a_deferred_pass_follows() {
    let mut stage = Stage::settled();
    stage.lose(A);
    stage.worker.worked();
    stage.wait(10 * 3600);
    assert_eq!(stage.run(), [""; 0]);
    assert_eq!(stage.ended(), Ok(Some(Ended::Skipped)));
    stage.wait(45 * 60);
    stage.run();
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn for_five_minutes_a_forced_pass_does_not_see_that_a_healthy_target_is_gone() {
    let mut stage = Stage::new();
    stage.run();
    stage.force();
    // Listed as healthy only now: what it registered itself it had to ask for again.
    stage.lose(A);
    stage.force();
    assert_eq!(stage.registered(), [B]);
    assert!(stage.has_current_checkpoint(), "and it takes that for done");
    stage.force_seeing();
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn what_was_not_listed_as_healthy_is_asked_for_again() {
    let mut stage = Stage::settled();
    stage.lose(A);
    stage.force();
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn for_five_minutes_a_forced_pass_does_not_see_a_target_that_came() {
    let mut stage = Stage::settled();
    stage.share(false);
    stage.run();
    stage.register(FOREIGN);
    stage.force();
    assert_eq!(stage.registered(), [A, B, FOREIGN]);
    stage.force_seeing();
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn a_restart_forgets_the_targets_it_listed() {
    let mut stage = Stage::settled();
    stage.force();
    stage.lose(A);
    stage.worker.restart();
    stage.force();
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn a_restart_leads_anew() {
    let mut stage = Stage::settled();
    let first = stage.worker.controller().leads_since();
    stage.wait(60);
    stage.worker.restart();
    assert_eq!(stage.worker.controller().leads_since(), stage.world.now());
    assert!(first < stage.world.now());
    let shown = stage.state(|state| state.controllers.clone());
    assert_eq!(shown[0].leads_since, Some(stage.world.now()));
    stage.worker.stop();
    assert_eq!(stage.cluster.with(|state| state.controllers.len()), 0);
}

#[test]
fn a_pending_readiness_gate_is_never_skipped_and_is_opened_once_the_target_is_healthy() {
    let mut stage = Stage::new();
    stage.state(|state| state.add_gate(A, GATE));
    stage.model(|model| {
        model.set_condition(A, crate::sim::elbv2::Condition::Failing);
    });
    stage.run();
    assert_eq!(stage.registered(), [A, B], "its containers are ready");
    assert_eq!(stage.ended(), Ok(Some(Ended::Waiting)));
    assert!(!stage.has_current_checkpoint());
    stage.model(|model| model.set_condition(A, crate::sim::elbv2::Condition::Passing));
    assert_eq!(stage.run(), [""; 0], "it comes back in 15 seconds");
    stage.wait(15);
    stage.run();
    let gates = stage.state(|state| state.pod_at(A).unwrap().gates.clone());
    assert_eq!(gates[GATE], Some(true));
    assert!(stage.has_current_checkpoint());
}

#[test]
fn a_gate_that_is_false_keeps_a_current_checkpoint_from_skipping() {
    let mut stage = Stage::settled();
    let current = stage.checkpoint();
    stage.state(|state| {
        state.add_gate(A, GATE);
        let pod = state.pod_at(A).unwrap();
        pod.gates.insert(GATE.to_owned(), Some(false));
    });
    let calls = stage.run();
    assert!(calls.contains(&"DescribeTargetHealth".to_owned()), "{calls:?}");
    assert!(calls.contains(&"PatchPodStatus".to_owned()), "{calls:?}");
    // What it is at the end is what it was at the beginning: it is not written.
    assert_eq!(stage.checkpoint(), current);
}
