//! Takes out what only a cluster claimed that is gone for good.
//!
//! Its ledgers are gone with it. What it had is known from a document of `status` that was printed
//! while it was there, or because somebody names the targets; what any cluster that was read desires
//! or tracks stays all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::item::{count, unknown};
use super::taken::{Fate, Taken};
use super::{MARGIN, after};
use crate::change::{Change, Check, Goal, Item, Mistake, Verb, Verdict};
use crate::cluster::Cluster;
use crate::elbv2::{Access, LoadBalancers};
use crate::facts::Facts;
use crate::findings::quoted;
use crate::ledger;
use crate::observe::{self, Detail, Scope};
use crate::plan::unheard;
use crate::report::API_VERSION;
use crate::selection::{NameQuery, Selection};
use crate::target::{Target, TargetDescription, TargetGroupArn};
use crate::view::{self, BindingView, GroupView};

/// `unbind --lost`: what only a cluster claimed that is gone for good is taken out.
#[derive(Clone, Debug)]
pub struct Lost {
    /// The context on whose behalf this is done, where it binds a group; else any other that does.
    pub context: String,
    /// The context whose cluster is gone for good.
    pub lost: String,
    /// What it is known to have had.
    pub known: Known,
    /// Whether the last healthy target of a group may go.
    pub allow_empty: bool,
    /// Whether fewer contexts are read than there are.
    pub narrowed: bool,
}

/// What a lost cluster is known to have had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// These targets of these groups.
    OfGroups(BTreeMap<TargetGroupArn, BTreeSet<Target>>),
    /// These targets, of whichever groups they are registered in.
    Anywhere(BTreeSet<Target>),
    /// Nothing: what may have been its is listed, of these groups or of all, and nothing is taken out.
    Nothing(BTreeSet<TargetGroupArn>),
}

/// A document of `status`, as far as it tells who claims what; fields that came later are fine.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    target_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    arn: TargetGroupArn,
    #[serde(default)]
    targets: Option<Vec<Listed>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(flatten)]
    target: Target,
    #[serde(default)]
    desired_by: Vec<Claim>,
    #[serde(default)]
    tracked_by: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    context: String,
}

/// Reads what only a context claimed from a document that `status -o json` printed; of some groups
/// only, where any are given.
///
/// # Errors
///
/// The text is no such document, or tells of no such target.
pub fn known_from(text: &str, lost: &str, only: &[TargetGroupArn]) -> Result<Known, Mistake> {
    let no_status = || {
        Mistake::new("it is no document of status")
            .hint("kubectl mctg status -o json prints one, while the cluster is there")
    };
    let value: serde_json::Value = serde_json::from_str(text).map_err(|_| no_status())?;
    if value["apiVersion"] != API_VERSION || value["kind"] != "Status" {
        return Err(no_status());
    }
    let document: Document = serde_json::from_value(value)
        .map_err(|error| Mistake::new(format!("it cannot be understood: {error}")))?;
    let mut groups = BTreeMap::new();
    let wanted = |group: &Group| only.is_empty() || only.contains(&group.arn);
    for group in document.target_groups.into_iter().filter(wanted) {
        let only_its = |listed: &Listed| {
            let mut claims = listed.desired_by.iter().chain(&listed.tracked_by).peekable();
            claims.peek().is_some() && claims.all(|claim| claim.context == lost)
        };
        let targets = group.targets.into_iter().flatten().filter(only_its);
        let targets: BTreeSet<Target> = targets.map(|listed| listed.target).collect();
        if !targets.is_empty() {
            groups.insert(group.arn, targets);
        }
    }
    if groups.is_empty() {
        return Err(Mistake::new(format!("it tells of no target that only `{lost}` claimed"))
            .hint("name the targets one by one, as ADDRESS:PORT"));
    }
    Ok(Known::OfGroups(groups))
}

/// Reads targets that were named one by one, as `ADDRESS:PORT`, of some groups or of any.
///
/// # Errors
///
/// One of them is no target.
pub fn named(groups: &[TargetGroupArn], names: &[String]) -> Result<Known, Mistake> {
    let mut targets = BTreeSet::new();
    for name in names {
        let parsed = ledger::parse(name).ok().filter(|parsed| parsed.len() == 1);
        targets.extend(parsed.ok_or_else(|| {
            Mistake::new(format!("`{name}` is no target")).hint("a target is ADDRESS:PORT")
        })?);
    }
    if targets.is_empty() {
        return Ok(Known::Nothing(groups.iter().cloned().collect()));
    }
    Ok(match groups {
        [] => Known::Anywhere(targets),
        some => Known::OfGroups(some.iter().map(|arn| (arn.clone(), targets.clone())).collect()),
    })
}

impl Verb for Lost {
    type World = (Facts, bool);

    const KIND: &'static str = "Unbind";

    async fn observe<C: Cluster, L: LoadBalancers>(
        &self,
        clusters: &[C],
        load_balancers: &L,
        clock: &(impl Fn() -> Timestamp + Sync),
        again: bool,
    ) -> Self::World {
        let scope = Scope {
            selection: Selection { names: self.names(), all: true, ..Selection::default() },
            detail: if again { Detail::TargetsOnly } else { Detail::Polite },
            narrowed: self.narrowed,
            lost: BTreeSet::from([self.lost.clone()]),
            ..Scope::default()
        };
        (observe::observe(clusters, load_balancers, &scope, clock).await, again)
    }

    fn facts<'w>(&self, (facts, _): &'w Self::World) -> &'w Facts {
        facts
    }

    fn plan(&self, (facts, again): &Self::World, _: Duration) -> Result<Vec<Item>, Mistake> {
        if !facts.lost.iter().any(|lost| lost.context == self.lost) {
            let message = format!("context `{}` is not lost: something answers there", self.lost);
            return Err(Mistake::new(message));
        }
        let groups = view::groups(facts);
        let known = match &self.known {
            Known::OfGroups(known) => known.clone(),
            Known::Anywhere(targets) => self.found(&groups, targets, *again)?,
            Known::Nothing(_) => {
                return Ok(groups.iter().filter_map(|group| self.guess(facts, group)).collect());
            }
        };
        let items = known.iter().map(|(arn, targets)| {
            let group = groups.iter().find(|group| group.arn == arn);
            self.item(facts, arn, group, targets)
        });
        Ok(items.collect())
    }
}

impl Lost {
    fn names(&self) -> Vec<NameQuery> {
        let name = |name: String| NameQuery { kind: None, name };
        match &self.known {
            Known::OfGroups(groups) => groups.keys().map(|arn| name(arn.to_string())).collect(),
            Known::Anywhere(targets) => targets.iter().map(|it| name(it.to_string())).collect(),
            Known::Nothing(groups) => groups.iter().map(|arn| name(arn.to_string())).collect(),
        }
    }

    /// What may have been the lost cluster's in a group, for somebody to say so: nobody who was read
    /// claims it, and this program cannot know whose it is.
    fn guess(&self, facts: &Facts, group: &GroupView<'_>) -> Option<Item> {
        let unclaimed: BTreeSet<&Target> = group
            .targets
            .iter()
            .filter(|(_, view)| view.listed.is_some_and(TargetDescription::is_registered))
            .filter(|(_, view)| view.desired_by.is_empty() && view.tracked_by.is_empty())
            .map(|(target, _)| *target)
            .collect();
        if unclaimed.is_empty() {
            return None;
        }
        let mut item = Item::new(&self.context, "", group.arn.name());
        item.arn = Some(group.arn.clone());
        item.checks.extend(self.heard(facts, group));
        let named: Vec<String> = unclaimed.iter().map(ToString::to_string).collect();
        let message = format!(
            "nobody who was read claims {}; nothing tells what {} had",
            named.join(", "),
            self.lost,
        );
        let command = format!(
            "kubectl mctg unbind --lost {} --context {} --target-group-arn {} {} --dry-run",
            quoted(&self.lost),
            quoted(&self.context),
            group.arn,
            named.join(" "),
        );
        item.check(Check::refused("Known", message).hint(command));
        Some(item)
    }

    /// The groups in which targets are listed that were named.
    fn found(
        &self,
        groups: &[GroupView<'_>],
        targets: &BTreeSet<Target>,
        again: bool,
    ) -> Result<BTreeMap<TargetGroupArn, BTreeSet<Target>>, Mistake> {
        let listed = |group: &GroupView<'_>, target: &Target| {
            group.targets.get(target).is_some_and(|view| view.listed.is_some())
        };
        let missing = targets.iter().find(|it| !groups.iter().any(|group| listed(group, it)));
        if let Some(missing) = missing.filter(|_| !again) {
            return Err(Mistake::new(format!("`{missing}` is in no target group that was read"))
                .hint("kubectl mctg status --all -o wide lists what there is"));
        }
        let of_each = groups.iter().map(|group| {
            let own = targets.iter().filter(|target| listed(group, target));
            (group.arn.clone(), own.cloned().collect::<BTreeSet<_>>())
        });
        Ok(of_each.filter(|(_, targets)| !targets.is_empty()).collect())
    }

    fn item(
        &self,
        facts: &Facts,
        arn: &TargetGroupArn,
        group: Option<&GroupView<'_>>,
        all: &BTreeSet<Target>,
    ) -> Item {
        let mut item = Item::new(&self.context, "", arn.name());
        item.arn = Some(arn.clone());
        let through = group.and_then(|group| self.through(group));
        let (Some(group), Some(through)) = (group, through) else {
            item.check(Check::refused(
                "Access",
                "no binding that was read names it, so there is nobody on whose behalf to look",
            ));
            return item;
        };
        let heard = self.heard(facts, group);
        let is_unknown = heard.is_some();
        item.checks.extend(heard);
        let taken = if is_unknown { Taken::default() } else { sort(group, all) };
        self.floor(group, &taken, &mut item);
        if !taken.going.is_empty() {
            let message = format!(
                "{} of {} {} {} ({} healthy)",
                count(taken.going.len()),
                self.lost,
                if taken.going.len() == 1 { "leaves" } else { "leave" },
                arn.name(),
                after::healthy(&taken.going)
            );
            item.check(Check::new("Unbind", Verdict::NeedsYes, message));
            let spec = &through.facts.binding.spec;
            item.changes.push(Change::Deregister {
                access: Access::of(&through.cluster.context, spec, arn.region()),
                arn: arn.clone(),
                targets: taken.going.clone(),
            });
        }
        if item.refusals().next().is_none() {
            after::tell(&mut item, facts, group, &taken);
        }
        item.takes = Some(Duration::from_secs(after::delay(group)) + MARGIN);
        item.goals.push(if is_unknown {
            Goal::waiting("left", "not known", "not everything was read")
        } else {
            left(all, &taken)
        });
        item.conclusion = format!("nothing of {} is left in {}.", self.lost, arn.name());
        item
    }

    /// The binding on whose behalf ELBv2 is called: of the context that is written to, if it has one.
    fn through<'g>(&self, group: &GroupView<'g>) -> Option<BindingView<'g>> {
        let own = group.bindings.iter().find(|it| it.cluster.context == self.context);
        own.or(group.bindings.first()).copied()
    }

    /// Who may claim a target and was not heard.
    fn heard(&self, facts: &Facts, group: &GroupView<'_>) -> Option<Check> {
        let tracks = group.bindings.iter().find(|binding| binding.tracked().is_none());
        let tracks = || tracks.map(|binding| binding.reference().to_string());
        let who = unheard(facts, group, &self.context, None).anywhere.or_else(tracks)?;
        let message = format!("{who} may claim some of it, and was not heard");
        Some(unknown("Silent", message))
    }

    fn floor(&self, group: &GroupView<'_>, taken: &Taken, item: &mut Item) {
        let going: BTreeSet<&Target> = taken.going.iter().map(|listed| &listed.target).collect();
        let takes_healthy = group.healthy().any(|(target, _)| going.contains(target));
        let stays = group.healthy().any(|(target, _)| !going.contains(target));
        if takes_healthy && !stays && !self.allow_empty {
            let message = format!("no healthy target of {} would be left", group.arn.name());
            let hint = "--allow-empty takes it out anyway";
            item.check(Check::refused("LastHealthy", message).hint(hint));
        }
    }
}

/// What observed bindings desire or track stays.
fn sort(group: &GroupView<'_>, all: &BTreeSet<Target>) -> Taken {
    let mut taken = Taken::default();
    for target in all {
        let Some(view) = group.targets.get(target) else { continue };
        let Some(listed) = view.listed else { continue };
        match view.desired_by.first().or(view.tracked_by.first()) {
            Some(owner) => {
                let who = group.bindings[*owner].reference().to_string();
                let is_tracked = view.tracked_by.contains(owner);
                taken.kept.insert(target.clone(), Fate::Theirs { who, is_tracked });
            }
            None if listed.is_registered() => taken.going.push(listed.clone()),
            None => taken.draining.push(listed.clone()),
        }
    }
    taken
}

fn left(all: &BTreeSet<Target>, taken: &Taken) -> Goal {
    let still = taken.still_there();
    let state = format!("{} of {}", all.len() - still, all.len());
    match taken.going.first().or(taken.draining.first()) {
        Some(listed) => {
            let why = format!("{} is {}", listed.target, listed.health.state);
            Goal::waiting("left", state, why)
        }
        None => Goal::reached("left", state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{LostContext, Silence, SilenceReason};
    use crate::testing::{World, arn, registered, silence, targets, words};

    fn lost(mut world: World, list: &str) -> (Lost, Facts) {
        let silence = Silence::new(SilenceReason::Unreachable, "no such host");
        let context = "gone".to_owned();
        let gone = LostContext { context, cluster: None, eks_name: None, silence };
        world.facts.lost.push(gone);
        let verb = Lost {
            context: "blue".to_owned(),
            lost: "gone".to_owned(),
            known: Known::OfGroups(BTreeMap::from([(arn(), targets(list))])),
            allow_empty: false,
            narrowed: false,
        };
        (verb, world.facts)
    }

    fn item((verb, facts): (Lost, Facts)) -> Item {
        verb.plan(&(facts, false), Duration::ZERO).unwrap().remove(0)
    }

    fn out(item: &Item) -> String {
        let targets = item.changes.iter().flat_map(|change| match change {
            Change::Deregister { targets, .. } => targets.as_slice(),
            other => panic!("{other:?}"),
        });
        words(targets.map(|listed| &listed.target))
    }

    fn refusals(item: &Item) -> Vec<&'static str> {
        item.refusals().map(|check| check.name).collect()
    }

    #[test]
    fn what_only_the_lost_cluster_had_is_taken_out() {
        let item = item(lost(registered("1 5! 7 8-").cluster("blue", "1", "1"), "5 7 8 9"));
        assert_eq!(out(&item), "5 7");
        assert_eq!(item.goals, [Goal::waiting("left", "1 of 4", "10.0.0.5:80 is unhealthy")]);
        assert_eq!(item.questions().count(), 1);
    }

    #[test]
    fn what_an_observed_binding_desires_or_tracks_stays() {
        assert_eq!(out(&item(lost(registered("1 5 7").cluster("blue", "1 5", "1 7"), "5 7"))), "");
    }

    #[test]
    fn while_anything_is_silent_nothing_goes() {
        let silent = registered("1 5").cluster("blue", "1", "1").silent("green");
        let silent = item(lost(silent, "5"));
        assert_eq!((out(&silent).as_str(), refusals(&silent)), ("", vec!["Silent"]));
        let ledger = registered("1 5").cluster("blue", "1", "1").with(|binding| {
            binding.ledger = Err(crate::facts::LedgerFault::Silent(silence()));
        });
        assert_eq!(refusals(&item(lost(ledger, "5"))), ["Silent"]);
    }

    #[test]
    fn the_last_healthy_target_stays() {
        let world = || registered("1! 5").cluster("blue", "1", "1");
        assert_eq!(refusals(&item(lost(world(), "5"))), ["LastHealthy"]);
        let (mut verb, facts) = lost(world(), "5");
        verb.allow_empty = true;
        assert_eq!(refusals(&item((verb, facts))), [] as [&str; 0]);
    }

    #[test]
    fn a_context_that_answers_is_not_lost() {
        let (verb, mut facts) = lost(registered("1 5").cluster("blue", "1", "1"), "5");
        facts.lost.clear();
        assert!(verb.plan(&(facts, false), Duration::ZERO).is_err());
    }

    #[test]
    fn a_group_that_nobody_binds_is_out_of_reach() {
        let mut world = registered("1 5").cluster("blue", "1", "1");
        world.last().bindings = Ok(Vec::new());
        assert_eq!(refusals(&item(lost(world, "5"))), ["Access"]);
    }

    #[test]
    fn targets_without_a_group_are_looked_for_in_all_that_was_read() {
        let (mut verb, facts) = lost(registered("1 5").cluster("blue", "1", "1"), "");
        verb.known = Known::Anywhere(targets("5"));
        assert_eq!(out(&item((verb.clone(), facts.clone()))), "5");
        verb.known = Known::Anywhere(targets("9"));
        let mistake = verb.plan(&(facts, false), Duration::ZERO).unwrap_err();
        assert_eq!(mistake.message, "`10.0.0.9:80` is in no target group that was read");
    }

    #[test]
    fn a_document_of_status_tells_what_only_one_context_claimed() {
        let claim = |context: &str| serde_json::json!([{"context": context, "binding": "b"}]);
        let both = serde_json::json!([{"context": "gone"}, {"context": "blue"}]);
        let document = serde_json::json!({
            "apiVersion": "mctg/v1", "kind": "Status", "whatCameLater": 1,
            "targetGroups": [{"arn": arn(), "targets": [
                {"id": "10.0.0.5", "port": 80, "quicServerId": null, "desiredBy": claim("gone"),
                 "trackedBy": [], "class": "inSync"},
                {"id": "10.0.0.6", "port": 80, "desiredBy": [], "trackedBy": claim("gone")},
                {"id": "10.0.0.7", "port": 80, "desiredBy": both, "trackedBy": []},
                {"id": "10.0.0.8", "port": 80, "desiredBy": [], "trackedBy": []},
                {"id": "10.0.0.1", "port": 80, "desiredBy": claim("blue"), "trackedBy": []},
            ]}, {"arn": arn(), "targets": null}],
        });
        let text = document.to_string();
        let expected = Known::OfGroups(BTreeMap::from([(arn(), targets("5 6"))]));
        assert_eq!(known_from(&text, "gone", &[]), Ok(expected.clone()));
        assert_eq!(known_from(&text, "gone", &[arn()]), Ok(expected));
        let other = arn().to_string().replace("/shop/", "/other/").parse().unwrap();
        assert!(known_from(&text, "gone", &[other]).is_err());
        assert!(known_from(&text, "never", &[]).is_err());
        assert!(known_from(&text.replace("Status", "Diff"), "gone", &[]).is_err());
        assert!(known_from("{}", "gone", &[]).is_err());
    }

    #[test]
    fn what_is_named_must_be_targets() {
        let names =
            |list: &[&str]| -> Vec<String> { list.iter().map(|it| (*it).to_owned()).collect() };
        let known = Known::Anywhere(targets("5"));
        assert_eq!(named(&[], &names(&["10.0.0.5:80"])), Ok(known));
        assert!(named(&[], &names(&["shop"])).is_err());
        assert!(named(&[], &names(&["10.0.0.5:80,10.0.0.6:80"])).is_err());
        assert_eq!(named(&[arn()], &[]), Ok(Known::Nothing(BTreeSet::from([arn()]))));
    }

    #[test]
    fn where_nothing_is_known_what_nobody_claims_is_listed_and_stays() {
        let plan = |world: World| {
            let (mut verb, facts) = lost(world, "");
            verb.known = Known::Nothing(BTreeSet::new());
            verb.plan(&(facts, false), Duration::ZERO).unwrap()
        };
        let items = plan(registered("1 5 7 8-").cluster("blue", "1", "1"));
        let check = items[0].refusals().next().unwrap();
        assert_eq!((out(&items[0]).as_str(), check.name), ("", "Known"));
        let command = check.hint.as_deref().unwrap();
        assert!(command.ends_with(" 10.0.0.5:80 10.0.0.7:80 --dry-run"), "{command}");
        let silent = plan(registered("1 5").cluster("blue", "1", "1").silent("green"));
        assert_eq!(refusals(&silent[0]), ["Silent", "Known"]);
        assert_eq!(plan(registered("1").cluster("blue", "1", "1")).len(), 0);
    }
}
