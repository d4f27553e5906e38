//! Rules of `unbind`, one by one.

use std::time::Duration;

use super::note::{self, Found, Noted};
use super::*;
use crate::binding::Owner;
use crate::change::{Change, Item, Verdict};
use crate::cluster::StoredNote;
use crate::facts::{Aliveness, Silence, SilenceReason};
use crate::testing::{self, arn, registered, silence, targets, words};

/// A world of which `unbind` takes the binding `web/shop` of blue out.
struct Case {
    world: World,
    verb: Unbind,
}

fn case(world: testing::World) -> Case {
    let (ledgers, unproven) = (BTreeMap::new(), BTreeMap::new());
    let world =
        World { facts: world.facts, notes: Ok(Vec::new()), ledgers, unproven, again: false };
    let names = Selection::parse_names(&["tgb/shop".to_owned()]).unwrap();
    let selection = Selection { names, ..Selection::default() };
    Case { world, verb: Unbind { context: "blue".to_owned(), selection, ..Unbind::default() } }
}

/// Blue comes last, so that it is the cluster that a test changes.
fn shop(listed: &str, blue: &str, tracked: &str) -> testing::World {
    registered(listed).cluster("green", "5 7", "5 7").cluster("blue", blue, tracked)
}

impl Case {
    /// Leaves a note of an earlier run: of a binding of this UID that had these targets.
    fn noted(mut self, uid: &str, list: &str) -> Self {
        let binding = self.world.facts.clusters.last().unwrap().bindings().last();
        let mut binding = binding.map_or_else(gone, |facts| facts.binding.clone());
        binding.uid = uid.to_owned();
        let noted = Noted { binding, arn: arn(), targets: targets(list) };
        let note = noted.to_note(Some("7".to_owned()));
        let (namespace, name) = ("web".to_owned(), note::name("shop"));
        let found = Found::of(&StoredNote { namespace, name, note }).unwrap();
        self.world.notes = Ok(vec![found]);
        self
    }

    /// Takes the binding away: only its note is left, and its ledger where it `tracks`.
    fn gone(self, list: &str) -> Self {
        let mut case = self.noted("uid-shop", list);
        case.world.facts.clusters.last_mut().unwrap().bindings = Ok(Vec::new());
        case
    }

    fn item(&self) -> Item {
        let mut items = self.verb.plan(&self.world, Duration::ZERO).unwrap();
        assert_eq!(items.len(), 1, "{items:#?}");
        items.remove(0)
    }

    /// What is done now, and after `;` what is done later: `note delete; out[1 2] ledger unnote`.
    fn steps(&self) -> String {
        let item = self.item();
        assert_eq!(item.refusals().next(), None, "nothing forbids it");
        let [now, later] = [&item.changes, &item.later]
            .map(|all| all.iter().map(step).collect::<Vec<_>>().join(" "));
        format!("{now}; {later}").trim().to_owned()
    }

    /// What forbids it: `name verdict`.
    fn refusals(&self) -> Vec<(&'static str, Verdict)> {
        self.item().refusals().map(|check| (check.name, check.verdict)).collect()
    }

    fn message(&self) -> String {
        self.item().refusals().map(|check| check.message.as_str()).collect::<Vec<_>>().join("; ")
    }

    fn goals(&self) -> Vec<String> {
        let told = |goal: &crate::change::Goal| {
            format!("{} {}{}", goal.word, goal.state, if goal.is_reached() { "" } else { " .." })
        };
        self.item().goals.iter().map(told).collect()
    }
}

fn gone() -> crate::binding::Binding {
    registered("").cluster("blue", "", "").facts.clusters[0]
        .bindings()
        .next()
        .unwrap()
        .binding
        .clone()
}

fn step(change: &Change) -> String {
    match change {
        Change::WriteNote { note, .. } => {
            let noted = Noted::read(note).unwrap();
            format!("note[{}]", words(&noted.targets))
        }
        Change::DeleteBinding { .. } => "delete".to_owned(),
        Change::Deregister { targets, .. } => {
            format!("out[{}]", words(targets.iter().map(|listed| &listed.target)))
        }
        Change::DeleteLedger { .. } => "ledger".to_owned(),
        Change::RemoveFinalizer { .. } => "finalizer".to_owned(),
        Change::DeleteNote { .. } => "unnote".to_owned(),
        other => panic!("{other:?}"),
    }
}

const REFUSED: Verdict = Verdict::Refused;
const UNKNOWN: Verdict = Verdict::Unknown;

#[test]
fn what_it_desires_or_tracks_is_noted_before_the_binding_is_deleted() {
    let world = shop("1 3 5", "1 2", "1 3").controller(Aliveness::Alive);
    assert_eq!(case(world).steps(), "note[1 2 3] delete; out[1 3] ledger unnote");
}

#[test]
fn somebody_has_to_say_yes() {
    let case = case(shop("1 5", "1", "1"));
    let item = case.item();
    let questions: Vec<&str> = item.questions().map(|check| check.message.as_str()).collect();
    assert_eq!(questions, ["1 target leaves shop (1 healthy)"]);
}

#[test]
fn a_note_that_says_all_is_not_written_again() {
    let world = || shop("1 5", "1", "1").controller(Aliveness::Alive);
    assert_eq!(case(world()).noted("uid-shop", "1 2").steps(), "delete; out[1] ledger unnote");
    let grown = case(world()).noted("uid-shop", "2");
    assert_eq!(grown.steps(), "note[1 2] delete; out[1] ledger unnote");
}

#[test]
fn a_binding_that_was_made_again_is_left_alone() {
    let case = case(shop("1 5", "1", "1")).noted("an earlier one", "1");
    assert_eq!(case.refusals(), [("MadeAgain", REFUSED)]);
}

#[test]
fn a_note_that_cannot_be_read_stops_it() {
    let mut case = case(shop("1 5", "1", "1")).noted("uid-shop", "1");
    case.world.notes.as_mut().unwrap()[0].noted = Err("it has no `uid`".to_owned());
    assert_eq!(case.refusals(), [("Note", REFUSED)]);
    case.world.notes = Err(silence());
    assert_eq!(case.refusals(), [("Note", UNKNOWN)]);
}

#[test]
fn without_a_controller_this_program_cleans_up_itself() {
    let world = || shop("1 3 5", "1", "1 3");
    assert_eq!(case(world()).steps(), "note[1 3] delete; out[1 3] ledger unnote");
    let held = world().with(|binding| binding.binding.has_finalizer = true);
    assert_eq!(case(held).steps(), "note[1 3] delete; out[1 3] ledger finalizer unnote");
}

fn being_deleted(world: testing::World) -> Case {
    let world = world.with(|binding| {
        binding.binding.has_finalizer = true;
        binding.binding.deleted_at = Some(testing::now());
    });
    case(world).noted("uid-shop", "1 3")
}

#[test]
fn the_ledger_goes_only_once_nothing_of_it_is_registered() {
    let world = |listed| being_deleted(shop(listed, "1", "1 3"));
    assert_eq!(world("1 3 5").steps(), "out[1 3]; ledger finalizer unnote");
    assert_eq!(world("1- 3- 5").steps(), "ledger finalizer; unnote");
}

#[test]
fn a_controller_is_left_to_clean_up() {
    let case = being_deleted(shop("1 3 5", "1", "1 3").controller(Aliveness::Alive));
    assert_eq!(case.steps(), "; out[1 3] ledger unnote");
    assert_eq!(case.goals()[1..3], ["deleted being deleted ..", "left 0 of 2 .."]);
}

#[test]
fn a_controller_that_cannot_clean_up_is_quoted() {
    let world = shop("1 3 5", "1", "1 3").controller(Aliveness::Alive);
    let world = world.with(|it| it.binding.failure = Some("AccessDenied".to_owned()));
    let item = being_deleted(world).item();
    let why = item.open_goal().unwrap().waiting.clone().unwrap();
    assert_eq!(why, "its controller could not clean up: AccessDenied");
}

#[test]
fn what_the_controller_left_goes_once_the_binding_is_gone() {
    let case = case(shop("1 3 5", "1", "1 3")).gone("1 3");
    assert_eq!(case.steps(), "out[1 3]; unnote");
}

#[test]
fn the_note_goes_last() {
    let gone = |listed| case(shop(listed, "1", "1 3")).gone("1 3");
    assert_eq!(gone("1- 3- 5").steps(), "; unnote");
    assert_eq!(gone("1- 3- 5").goals()[2], "left 0 of 2 ..");
    assert_eq!(gone("5").steps(), "unnote;");
    let mut with_ledger = gone("5");
    let ledger = shop("", "", "1 3").facts.clusters[1].bindings().next().unwrap().ledger.clone();
    with_ledger.world.ledgers.insert(("web".to_owned(), "shop".to_owned()), ledger);
    assert_eq!(with_ledger.steps(), "ledger; unnote");
}

#[test]
fn a_ledger_that_names_more_than_the_note_goes_after_it() {
    let mut case = case(shop("1 3 5", "1", "1 3")).gone("1");
    let ledger = shop("", "", "1 3").facts.clusters[1].bindings().next().unwrap().ledger.clone();
    case.world.ledgers.insert(("web".to_owned(), "shop".to_owned()), ledger);
    assert_eq!(case.steps(), "out[1 3]; ledger unnote");
}

#[test]
fn a_target_that_another_binding_desires_by_now_stays() {
    let world = registered("1 5").cluster("green", "1 5", "1 5").cluster("blue", "", "");
    let case = case(world).gone("1");
    assert_eq!(case.steps(), "unnote;");
}

#[test]
fn a_group_that_is_gone_holds_nothing() {
    let mut world = shop("1 5", "1", "1").controller(Aliveness::Alive);
    let gone = Silence::new(SilenceReason::NotFound, "no such group");
    (world.group().group, world.group().targets) = (Err(gone.clone()), Err(gone));
    assert_eq!(case(world).steps(), "note[1] delete; ledger unnote");
}

#[test]
fn a_generated_binding_is_its_owners() {
    let world = shop("1 5", "1", "1").with(|binding| {
        let labels = &mut binding.binding.labels;
        labels.insert("service.k8s.aws/stack-namespace".to_owned(), "web".to_owned());
        labels.insert("service.k8s.aws/stack-name".to_owned(), "shop".to_owned());
        let owner: Option<Owner> = binding.binding.owner();
        assert!(owner.is_some());
    });
    let case = case(world);
    assert_eq!(case.refusals(), [("Generated", REFUSED)]);
    assert!(case.message().contains("Service web/shop"), "{}", case.message());
}

#[test]
fn a_binding_of_auto_mode_is_not_written() {
    let world = shop("1 5", "1", "1")
        .with(|binding| binding.binding.flavour = crate::binding::Flavour::AutoMode);
    assert_eq!(case(world).refusals(), [("AutoMode", REFUSED)]);
}

#[test]
fn an_exclusive_binding_stays_while_foreign_targets_are_registered() {
    let exclusive = |listed, list| {
        let world = registered(listed).cluster("blue", list, None);
        case(world.with(|it| it.binding.spec.multi_cluster_target_group = false))
    };
    assert_eq!(exclusive("1 9", "1").refusals(), [("ExclusiveBinding", REFUSED)]);
    let mut last = exclusive("1", "1");
    last.verb.allow_empty = true;
    assert_eq!(last.steps(), "note[1] delete; out[1] unnote");
}

#[test]
fn the_last_healthy_targets_stay_unless_that_is_asked_for() {
    let mut last = case(shop("1 5!", "1", "1"));
    assert_eq!(last.refusals(), [("LastHealthy", REFUSED)]);
    last.verb.allow_empty = true;
    assert_eq!(last.steps(), "note[1] delete; out[1] ledger unnote");
    let none_is_healthy = case(shop("1! 5!", "1", "1"));
    assert_eq!(none_is_healthy.steps(), "note[1] delete; out[1] ledger unnote");
}

#[test]
fn the_floor_is_kept_over_all_items_of_a_run() {
    let world = registered("1 2").cluster("blue", "1", "1").binding("shop-2", "2", "2");
    let mut case = case(world);
    case.verb.selection = Selection::default();
    let items = case.verb.plan(&case.world, Duration::ZERO).unwrap();
    let refused: Vec<bool> = items.iter().map(|item| item.refusals().next().is_some()).collect();
    assert_eq!(refused, [false, true]);
}

#[test]
fn a_clean_up_that_would_take_another_clusters_target_is_not_set_off() {
    let world = || shop("1 5 9", "1", "1 5").controller(Aliveness::Alive);
    assert_eq!(case(world()).refusals(), [("ContestedTarget", REFUSED)]);
    assert!(case(world()).message().contains("10.0.0.5:80, which green web/shop desires"));
    let phantom = shop("1 5", "1", "1 7").controller(Aliveness::Alive);
    assert_eq!(case(phantom).refusals(), [("ContestedTarget", REFUSED)]);
}

#[test]
fn without_a_controller_what_another_one_desires_and_tracks_is_left_to_it() {
    let case = case(shop("1 5", "1", "1 5"));
    assert_eq!(case.steps(), "note[1 5] delete; out[1] ledger unnote");
}

#[test]
fn without_a_controller_a_ledger_stays_that_alone_names_what_another_one_desires() {
    let world = registered("1 5").cluster("green", "5", "").cluster("blue", "1", "1 5");
    assert_eq!(case(world).refusals(), [("ContestedTarget", REFUSED)]);
}

#[test]
fn while_a_context_is_silent_what_nothing_here_holds_stays() {
    let world = || registered("1 3 9").silent("green").cluster("blue", "1", "1 3");
    assert_eq!(case(world()).refusals(), [("Silent", UNKNOWN)]);
    assert!(
        case(world()).message().contains("10.0.0.3:80 may be another cluster's by now, and green")
    );
    let held = case(world().held("3"));
    assert_eq!(held.steps(), "note[1 3] delete; out[1 3] ledger unnote");
    let own = case(registered("1 9").silent("green").cluster("blue", "1", "1"));
    assert_eq!(own.steps(), "note[1] delete; out[1] ledger unnote");
}

#[test]
fn while_a_context_is_silent_what_only_a_note_names_stays() {
    let world = || registered("1 9").silent("green").cluster("blue", "", "");
    assert_eq!(case(world()).gone("1").refusals(), [("Silent", UNKNOWN)]);
    assert_eq!(case(world().held("1")).gone("1").steps(), "out[1]; unnote");
}

#[test]
fn alone_what_is_healthy_and_nothing_here_holds_stays() {
    let world = || registered("1 3 9").cluster("blue", "1", "1 3");
    assert_eq!(case(world()).refusals(), [("AnswersElsewhere", REFUSED)]);
    assert_eq!(case(world().held("3")).steps(), "note[1 3] delete; out[1 3] ledger unnote");
}

#[test]
fn a_clean_up_that_cannot_be_predicted_is_not_set_off() {
    let lost = shop("1 5", "1", "").with(|it| it.ledger = Ok(None)).checkpoint();
    assert_eq!(case(lost.controller(Aliveness::Alive)).refusals(), [("CleanUp", REFUSED)]);
    let rewritten = shop("1 5", "1", "1").with(|it| {
        it.ledger.as_mut().unwrap().as_mut().unwrap().foreign_write_at = Some(testing::now());
    });
    assert_eq!(case(rewritten.controller(Aliveness::Alive)).refusals(), [("CleanUp", REFUSED)]);
}

#[test]
fn what_was_not_read_is_not_taken_for_nothing() {
    let endpoints = case(shop("1 5", "1", "1").endpoints_unread());
    assert_eq!(endpoints.refusals(), [("Endpoints", UNKNOWN)]);
    let ledger = shop("1 5", "1", "1").with(|it| it.ledger = Err(LedgerFault::Silent(silence())));
    assert_eq!(case(ledger).refusals(), [("Ledger", UNKNOWN)]);
    let mut targets = shop("1 5", "1", "1");
    targets.group().targets = Err(silence());
    assert_eq!(case(targets).refusals(), [("Targets", UNKNOWN)]);
    let mut cluster = case(shop("1 5", "1", "1"));
    cluster.world.facts.clusters[1].bindings = Err(silence());
    assert_eq!(cluster.refusals(), [("Cluster", UNKNOWN)]);
}

#[test]
fn a_binding_that_was_not_found_and_may_be_there_is_not_gone() {
    let mut case = case(shop("1 5", "1", "1")).gone("1");
    case.world.unproven.insert(("web".to_owned(), "shop".to_owned()), silence());
    assert_eq!(case.refusals(), [("Binding", UNKNOWN)]);
}

#[test]
fn once_begun_what_cannot_be_read_is_not_gone() {
    let mut case = case(shop("1 5", "1", "1"));
    case.world.again = true;
    case.world.facts.clusters[1].bindings = Err(silence());
    assert!(case.verb.plan(&case.world, Duration::ZERO).is_err());
    let mut case = Case { ..self::case(shop("1 5", "1", "1")) };
    (case.world.again, case.world.notes) = (true, Err(silence()));
    assert!(case.verb.plan(&case.world, Duration::ZERO).is_err());
}

#[test]
fn a_name_that_is_not_there_is_a_mistake_until_something_was_done() {
    let mut case = case(shop("1 5", "1", "1"));
    case.verb.selection.names = Selection::parse_names(&["svc/other".to_owned()]).unwrap();
    let mistake = case.verb.plan(&case.world, Duration::ZERO).unwrap_err();
    assert_eq!(mistake.message, "no binding of context `blue` is called `svc/other`");
    case.world.again = true;
    assert!(case.verb.plan(&case.world, Duration::ZERO).unwrap().is_empty());
}

#[test]
fn a_binding_is_not_chosen_by_what_leaves_with_it() {
    for name in ["10.0.0.1", "10.0.0.1:80", "shop.example.com"] {
        let mut case = case(shop("1 5", "1", "1"));
        case.verb.selection.names = Selection::parse_names(&[name.to_owned()]).unwrap();
        assert!(case.verb.plan(&case.world, Duration::ZERO).is_err(), "{name}");
    }
    let mut case = case(shop("1 5", "1", "1"));
    case.verb.selection.names = Selection::parse_names(&[arn().to_string()]).unwrap();
    assert_eq!(case.item().name, "tgb/shop");
}

#[test]
fn a_binding_that_is_gone_is_still_found_by_its_service() {
    let mut case = case(shop("1 5", "1", "1")).gone("1");
    case.verb.selection.names = Selection::parse_names(&["svc/shop".to_owned()]).unwrap();
    assert_eq!(case.steps(), "out[1]; unnote");
}

#[test]
fn the_plan_says_what_goes_and_what_stays() {
    let item = case(shop("1 2! 5", "1 2", "1 2")).item();
    let details: Vec<String> =
        item.details.iter().map(|it| format!("{:10}{}", it.label, it.text)).collect();
    insta::assert_snapshot!(details.join("\n"), @r"
    out       10.0.0.1:80, healthy in a
    out       10.0.0.2:80, unhealthy in b
    stays     1 healthy target: 1 of green
    share     green web/shop 50% -> 100%
    drains    connections have 300 s to end (deregistration delay)
    ");
    assert_eq!(patience(&[item]), Duration::from_secs(480));
}

#[test]
fn it_is_undone_by_what_was_saved_or_by_bind() {
    let mut case = case(shop("1 5", "1", "1"));
    let undo = |case: &Case| case.item().next.first().map(|next| next.command.clone());
    insta::assert_snapshot!(undo(&case).unwrap(), @"kubectl mctg bind svc/shop -n web --context blue --target-group-arn arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/shop/0123456789abcdef --port 80 --name shop --no-networking");
    case.verb.undo = Some("kubectl apply -f web.yaml --context blue".to_owned());
    assert_eq!(undo(&case), case.verb.undo);
}

#[test]
fn what_was_begun_is_gone_on_with_by_its_name() {
    let next = |case: Case| case.item().next.first().map(|next| next.command.clone()).unwrap();
    let draining = case(shop("1- 5", "1", "1")).gone("1");
    assert_eq!(next(draining), "kubectl mctg unbind tgb/shop -n web --context blue");
    let over = next(case(shop("5", "1", "1")).gone("1"));
    assert!(over.starts_with("kubectl mctg bind svc/shop"), "{over}");
}

#[test]
fn what_is_saved_is_what_apply_takes_and_no_controller_deletes() {
    let world = shop("1 5", "1", "1").with(|binding| {
        binding.binding.labels.insert("team".to_owned(), "web".to_owned());
        let checkpoint = crate::binding::CHECKPOINT_ANNOTATION.to_owned();
        binding.binding.annotations.insert(checkpoint, "x/y".to_owned());
    });
    let saved = saved(&[case(world).item()]).unwrap();
    insta::assert_snapshot!(serde_json::to_string(&saved).unwrap(), @r#"{"apiVersion":"elbv2.k8s.aws/v1beta1","kind":"TargetGroupBinding","metadata":{"labels":{"team":"web"},"name":"shop","namespace":"web"},"spec":{"multiClusterTargetGroup":true,"serviceRef":{"name":"shop","port":80},"targetGroupARN":"arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/shop/0123456789abcdef","targetType":"ip"}}"#);
}

#[test]
fn a_note_is_read_as_it_was_written() {
    let binding = gone();
    let noted = Noted { binding, arn: arn(), targets: targets("1 2") };
    assert_eq!(Noted::read(&noted.to_note(None)), Ok(noted));
}
