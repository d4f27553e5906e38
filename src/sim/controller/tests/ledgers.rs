//! The ledger (`facts/lbc.md` 2.1).

use super::*;

#[test]
fn the_ledger_is_the_full_set_of_endpoints_whoever_registered_them() {
    let mut stage = Stage::new();
    stage.register(A);
    stage.run();
    assert_eq!(stage.ledger().unwrap(), [A, B]);
}

#[test]
fn rule_1_what_is_new_is_in_the_ledger_before_it_is_registered_and_after_the_old_went() {
    let mut stage = Stage::settled();
    stage.remove_pod(A);
    stage.add_pod("10.0.0.12");
    stage.wait(300);
    let calls = stage.run();
    assert_eq!(
        writes(&calls),
        [
            "PatchTargetGroupBinding",
            "DeregisterTargets",
            "UpdateConfigMap",
            "RegisterTargets",
            "PatchTargetGroupBinding",
        ]
    );
    assert_eq!(stage.ledger().unwrap(), ["10.0.0.12", B]);
    assert_eq!(stage.registered(), ["10.0.0.12", B]);
}

#[test]
fn rule_1_a_registration_that_fails_is_in_the_ledger_already() {
    let mut stage = Stage::new();
    let name = "targets-per-target-group";
    stage.model(|model| model.set_limit(name, 1));
    stage.run();
    assert_eq!(stage.registered(), [""; 0]);
    assert_eq!(stage.ledger().unwrap(), [A, B]);
    assert_eq!(stage.checkpoint(), None, "it was empty all the time");
    assert_eq!(stage.ended().unwrap_err().code, "TooManyTargets");
    stage.model(|model| model.set_limit(name, 1_000));
    stage.wait(1);
    stage.run();
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn rule_2_after_a_deregistration_alone_the_ledger_is_written() {
    let mut stage = Stage::settled();
    stage.remove_pod(A);
    stage.wait(300);
    let calls = stage.run();
    let expected = [
        "PatchTargetGroupBinding",
        "DeregisterTargets",
        "UpdateConfigMap",
        "PatchTargetGroupBinding",
    ];
    assert_eq!(writes(&calls), expected);
    assert_eq!(stage.ledger().unwrap(), [B]);
}

#[test]
fn rule_2_without_a_ledger_nothing_is_deregistered_and_one_is_written() {
    let mut stage = Stage::new();
    for address in [A, B, FOREIGN] {
        stage.register(address);
    }
    let calls = stage.run();
    assert!(!calls.contains(&"DeregisterTargets".to_owned()), "{calls:?}");
    assert_eq!(stage.registered(), [A, B, FOREIGN]);
    assert_eq!(stage.ledger().unwrap(), [A, B]);
}

#[test]
fn rule_3_after_a_restart_it_is_written_unread_where_all_is_in_sync() {
    let mut stage = Stage::settled();
    stage.write_ledger(&[A, B, "10.0.0.77"]);
    stage.worker.restart();
    let calls = stage.force();
    assert!(!calls.contains(&"GetConfigMap".to_owned()), "{calls:?}");
    assert_eq!(writes(&calls), ["UpdateConfigMap", "PatchTargetGroupBinding"]);
    assert_eq!(stage.ledger().unwrap(), [A, B]);
}

#[test]
fn rule_3_with_no_endpoints_an_empty_ledger_is_created() {
    let mut stage = Stage::new();
    stage.remove_pod(A);
    stage.remove_pod(B);
    let calls = stage.run();
    assert!(calls.contains(&"CreateConfigMap".to_owned()), "{calls:?}");
    assert_eq!(stage.ledger().unwrap(), [""; 0]);
}

#[test]
fn rule_4_where_the_filter_keeps_all_back_stale_entries_stay() {
    let mut stage = Stage::settled();
    stage.add_pod(FOREIGN);
    stage.run();
    // The pod goes, and its target was taken out by somebody else: the entry stays.
    stage.remove_pod(FOREIGN);
    stage.lose(FOREIGN);
    stage.wait(300);
    stage.run();
    assert_eq!(stage.ledger().unwrap(), [A, B, FOREIGN]);
    // Another cluster registers the address: it is taken for this one's.
    stage.register(FOREIGN);
    stage.force_seeing();
    assert_eq!(stage.registered(), [A, B]);
    assert_eq!(stage.ledger().unwrap(), [A, B]);
}

#[test]
fn rule_4_foreign_targets_alone_leave_the_ledger_alone() {
    let mut stage = Stage::settled();
    stage.register(FOREIGN);
    let calls = stage.force_seeing();
    assert_eq!(writes(&calls), ["PatchTargetGroupBinding"], "the checkpoint, from empty");
    assert_eq!(stage.registered(), [A, B, FOREIGN]);
}

#[test]
fn a_ledger_in_memory_is_never_read_again_and_overwrites_what_others_wrote() {
    let mut stage = Stage::settled();
    stage.write_ledger(&[A, B, FOREIGN]);
    stage.register(FOREIGN);
    stage.force_seeing();
    assert_eq!(stage.registered(), [A, B, FOREIGN], "it is not known to be its own");
    assert_eq!(stage.ledger().unwrap(), [A, B, FOREIGN]);
    stage.add_pod("10.0.0.12");
    stage.run();
    assert_eq!(stage.ledger().unwrap(), [A, "10.0.0.12", B]);
}

#[test]
fn after_a_restart_the_ledger_is_read_again() {
    let mut stage = Stage::settled();
    stage.write_ledger(&[A, B, FOREIGN]);
    stage.register(FOREIGN);
    stage.worker.restart();
    let calls = stage.force();
    assert!(calls.contains(&"GetConfigMap".to_owned()), "{calls:?}");
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn a_write_replaces_all_that_is_in_the_configmap() {
    let mut stage = Stage::settled();
    let note = ("note".to_owned(), "mine".to_owned());
    stage
        .state(|s| s.ledgers.get_mut(&format!("web/{LEDGER}")).unwrap().other_data = [note].into());
    stage.add_pod("10.0.0.12");
    stage.run();
    assert!(stage.state(|s| s.ledgers[&format!("web/{LEDGER}")].other_data.is_empty()));
}

#[test]
fn a_ledger_that_was_deleted_comes_back_only_with_the_next_write() {
    let mut stage = Stage::settled();
    stage.state(|state| state.ledgers.clear());
    stage.force_seeing();
    assert_eq!(stage.ledger(), None);
    stage.remove_pod(B);
    stage.run();
    assert_eq!(stage.ledger().unwrap(), [A]);
    assert_eq!(stage.registered(), [A], "it knew what was its own");
}

#[test]
fn an_immutable_ledger_fails_every_pass_that_would_write_it() {
    let mut stage = Stage::settled();
    stage.state(|s| s.ledgers.get_mut(&format!("web/{LEDGER}")).unwrap().immutable = true);
    stage.add_pod("10.0.0.12");
    stage.run();
    assert_eq!(stage.ended().unwrap_err().code, "Invalid");
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn entries_with_blanks_match_nothing() {
    let mut stage = Stage::new();
    stage.state(|s| s.put_ledger("web", LEDGER, &format!("{A}:8080, {FOREIGN}:8080,")));
    stage.register(FOREIGN);
    stage.run();
    assert_eq!(stage.registered(), [A, B, FOREIGN]);
}

#[test]
fn when_deregistering_fails_the_ledger_still_holds_what_went() {
    let mut stage = Stage::settled();
    stage.remove_pod(A);
    stage.wait(300);
    // The list, the checkpoint, the deregistration: its reply is lost.
    stage.worker.steps().lose(2, crate::sim::faults::Strikes::AfterEffect);
    for _ in 0..3 {
        stage.worker.step();
    }
    assert_eq!(stage.ended().unwrap_err().code, "");
    assert_eq!(stage.registered(), [B]);
    assert_eq!(stage.ledger().unwrap(), [A, B]);
    stage.run();
    assert_eq!(stage.ledger().unwrap(), [B], "it took it out once more");
    assert!(stage.has_current_checkpoint());
}

#[test]
fn without_the_flag_all_foreign_targets_go_and_no_ledger_is_touched() {
    let mut stage = Stage::new();
    stage.share(false);
    stage.register(FOREIGN);
    let calls = stage.run();
    assert_eq!(stage.registered(), [A, B]);
    assert!(!calls.iter().any(|call| call.contains("ConfigMap")), "{calls:?}");
    assert_eq!(stage.ledger(), None);
}

#[test]
fn turning_the_flag_on_snapshots_and_leaks_what_was_stale() {
    let mut stage = Stage::new();
    stage.share(false);
    stage.run();
    stage.remove_pod(A);
    stage.share(true);
    stage.wait(300);
    stage.run();
    assert_eq!(stage.registered(), [A, B]);
    assert_eq!(stage.ledger().unwrap(), [B]);
    stage.force_seeing();
    assert_eq!(stage.registered(), [A, B], "for ever");
}

#[test]
fn turning_the_flag_off_takes_out_every_foreign_target_and_leaves_the_ledger() {
    let mut stage = Stage::settled();
    stage.register(FOREIGN);
    stage.share(false);
    stage.wait(300);
    stage.run();
    assert_eq!(stage.registered(), [A, B]);
    assert_eq!(stage.ledger().unwrap(), [A, B]);
}

#[test]
fn what_others_wrote_is_seen_until_it_writes_something_else() {
    let mut stage = Stage::settled();
    let foreign = |stage: &Stage| {
        stage.state(|state| state.ledgers[&format!("web/{LEDGER}")].foreign_write_at)
    };
    assert_eq!(foreign(&stage), None);
    let text = stage.state(|s| s.ledger_text("web", LEDGER).unwrap().to_owned());
    stage.state(|state| state.edit_ledger("web", LEDGER, &text));
    stage.worker.restart();
    stage.force();
    assert!(foreign(&stage).is_some(), "it wrote the same text");
    stage.add_pod("10.0.0.12");
    stage.run();
    assert_eq!(foreign(&stage), None);
}

#[test]
fn before_3_5_0_two_bindings_whose_names_join_alike_go_by_one_ledger_in_memory() {
    let left = |version: &'static str| {
        let mut stage = Stage::with_flags(|flags| flags.version = version);
        stage.run();
        let group = stage.group.clone();
        stage.state(|state| {
            state.add_service("web-shop", "cart", 80, 8080);
            state.add_pod("web-shop", "cart", "10.0.0.31");
            state.bind(&NewBinding::new("web-shop", "http", "cart", &group));
        });
        stage.wait(300);
        stage.run();
        stage.registered()
    };
    assert_eq!(left("v3.5.0"), ["10.0.0.11", "10.0.0.31", "10.0.64.11"]);
    assert_eq!(left("v3.4.3"), ["10.0.0.31"], "it deregisters by the other's ledger");
}
