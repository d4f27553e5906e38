//! The table's columns and lines: bindings, silent clusters, targets nobody owns.

use mctg::binding::OwnerKind;
use mctg::class::Class;
use mctg::error::escape;
use mctg::report::{BindingState, BindingStatus, Claim, ContextReport, TargetStatus};
use mctg::target::HealthState;

use super::super::{Align, count};
use super::{BAR, Block, Row, ZONE_COLUMNS_MAX, blocks, class_word, left, number, percent};

impl Block<'_> {
    pub(super) fn columns(&self) -> (Vec<String>, Vec<Align>) {
        let mut columns = vec![("CLUSTER", Align::Left), ("BINDING", Align::Left)];
        if self.is_calm() {
            columns.push(("OK/WANT", Align::Right));
        } else {
            let counts = ["WANT", "TRACK", "REG", "OK"];
            columns.extend(counts.map(|name| (name, Align::Right)));
        }
        let mut header: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut aligns: Vec<Align> = columns.iter().map(|(_, align)| *align).collect();
        let zones = self.zones();
        if zones.len() <= ZONE_COLUMNS_MAX {
            header.extend(zones.iter().map(|zone| escape(self.short_zone(zone))));
            aligns.extend(zones.iter().map(|_| Align::Right));
        }
        header.push("SHARE".to_owned());
        aligns.push(Align::Left);
        if self.is_calm() {
            header.push("IF LOST".to_owned());
            aligns.push(Align::Left);
        }
        (header, aligns)
    }

    pub(super) fn binding_row(&self, binding: &BindingStatus) -> Row {
        let mut cells = vec![self.names.get(&binding.context), escape(&self.binding_name(binding))];
        if self.is_calm() {
            cells.push(format!("{}/{}", number(binding.healthy), number(binding.desired)));
        } else {
            let counts = [binding.desired, binding.tracked, binding.registered, binding.healthy];
            cells.extend(counts.map(number));
        }
        let zones = self.zones();
        if zones.len() <= ZONE_COLUMNS_MAX {
            cells.extend(zones.iter().map(|zone| {
                number(
                    binding
                        .healthy_by_zone
                        .as_ref()
                        .map(|zones| zones.get(*zone).copied().unwrap_or(0)),
                )
            }));
        }
        cells.push(share(binding.share));
        if self.is_calm() {
            let lost = self.group.if_lost.iter().find(|lost| lost.context == binding.context);
            cells.push(lost.map_or("-".to_owned(), |lost| left(lost.healthy_left)));
        }
        let children = self.binding_children(binding);
        let unhealthy = binding.healthy < binding.registered;
        let mark = match binding.state {
            BindingState::Unknown => '?',
            BindingState::Failing | BindingState::Exclusive | BindingState::Drifted => '!',
            BindingState::Pending | BindingState::InSync if unhealthy => '!',
            BindingState::Pending | BindingState::InSync => ' ',
        };
        Row { mark, cells, children }
    }

    /// The name by which it can be asked for: its owner's where it was generated, else its own.
    fn binding_name(&self, binding: &BindingStatus) -> String {
        let name = match &binding.owner {
            None => format!("tgb/{}", binding.name),
            Some(owner) => format!("{}/{}", kind(owner.kind), owner.name),
        };
        let star = if self.is_owner(binding) { " *" } else { "" };
        if self.namespaces().len() > 1 {
            format!("{name} -n {}{star}", binding.namespace)
        } else {
            format!("{name}{star}")
        }
    }

    pub(super) fn is_owner(&self, binding: &BindingStatus) -> bool {
        let owns = |context: &str| {
            self.group
                .if_lost
                .iter()
                .any(|lost| lost.context == context && lost.owns_load_balancer == Some(true))
        };
        binding.owner.is_some() && owns(&binding.context)
    }

    fn binding_children(&self, binding: &BindingStatus) -> Vec<Vec<String>> {
        let mut children = Vec::new();
        match (binding.state, &binding.problem) {
            (_, Some(problem)) => children.push(vec![escape(problem)]),
            (BindingState::Exclusive, None) => {
                children.push(vec!["exclusive: multiClusterTargetGroup is off".to_owned()]);
            }
            (BindingState::Pending, None) => {
                children.push(vec!["pending: the difference is under a minute old".to_owned()]);
            }
            _ => {}
        }
        let claims = |claims: &[Claim]| {
            claims.iter().any(|claim| {
                claim.context == binding.context
                    && claim.namespace == binding.namespace
                    && claim.binding == binding.name
            })
        };
        let own = self
            .group
            .targets
            .iter()
            .flatten()
            .filter(|target| claims(&target.desired_by) || claims(&target.tracked_by));
        children.extend(
            own.filter(|target| self.look.wide || is_notable(target))
                .map(|target| self.target_cells(target, &binding.namespace)),
        );
        if self.look.wide {
            children.extend(binding.left_out.iter().map(|left_out| {
                let pod = left_out.pod.as_ref().map(|pod| format!("pod {pod}"));
                let endpoint = match left_out.endpoint.as_str() {
                    "" => "-",
                    endpoint => endpoint,
                };
                let cells = [
                    "left out".to_owned(),
                    endpoint.to_owned(),
                    left_out.reason.as_str().to_owned(),
                    String::new(),
                    pod.unwrap_or_default(),
                ];
                cells.iter().map(|cell| escape(cell)).collect()
            }));
        }
        children
    }

    /// Class, address, health, zone, pod or node.
    fn target_cells(&self, target: &TargetStatus, namespace: &str) -> Vec<String> {
        let class = match (target.class, target.pending) {
            (class, true) => format!("{} (pending)", class_word(class)),
            (class, false) => class_word(class).to_owned(),
        };
        let mut address = format!("{}:{}", target.id, target.port);
        if let Some(server_id) = &target.quic_server_id {
            address.push_str(&format!(":{server_id}"));
        }
        let health = match &target.health {
            // The class says it.
            None => String::new(),
            Some(health) => match &health.reason {
                // AWS's reason for draining is that it was deregistered.
                Some(reason) if health.state != HealthState::Draining => {
                    format!("{} {reason}", health.state)
                }
                _ => health.state.to_string(),
            },
        };
        let zone = target.availability_zone.clone().unwrap_or_default();
        let holder = match (&target.pod, &target.node) {
            (Some(pod), node) => {
                let own = pod.strip_prefix(namespace).and_then(|pod| pod.strip_prefix('/'));
                let on = match node {
                    Some(node) if self.look.wide => format!(" on {node}"),
                    _ => String::new(),
                };
                format!("pod {}{on}", own.unwrap_or(pod))
            }
            (None, Some(node)) => format!("node {node}"),
            (None, None) => String::new(),
        };
        [class, address, health, zone, holder].iter().map(|cell| escape(cell)).collect()
    }

    pub(super) fn silent_row(&self, context: &ContextReport) -> Row {
        let mut cells = vec![self.names.get(&context.context), "not read".to_owned()];
        self.fill(&mut cells);
        Row { mark: '?', cells, children: Vec::new() }
    }

    /// Fills what is not known with dashes.
    fn fill(&self, cells: &mut Vec<String>) {
        let width = self.columns().0.len();
        cells.resize(width, "-".to_owned());
    }

    /// Targets of a class that no binding claims.
    pub(super) fn unowned(&self, class: Class) -> impl Iterator<Item = &TargetStatus> {
        self.group.targets.iter().flatten().filter(move |target| {
            target.class == class && target.desired_by.is_empty() && target.tracked_by.is_empty()
        })
    }

    pub(super) fn unowned_row(&self, class: Class) -> Option<Row> {
        let targets: Vec<&TargetStatus> = self.unowned(class).collect();
        // Draining targets are on their way out: the group's line counts them.
        if targets.is_empty() || (class == Class::Draining && !self.look.wide) {
            return None;
        }
        let healthy = targets.iter().filter(|target| is_healthy(target)).count();
        let mut cells = vec![format!("({})", class_word(class)), count(targets.len(), "target")];
        if self.is_calm() {
            cells.push(format!("{healthy}/-"));
        } else {
            let registered = if class == Class::Draining { 0 } else { targets.len() };
            cells.extend(["-", "-"].map(str::to_owned));
            cells.extend([registered, healthy].map(|number| number.to_string()));
        }
        let zones = self.zones();
        if zones.len() <= ZONE_COLUMNS_MAX {
            cells.extend(zones.iter().map(|zone| {
                let here = |target: &&&TargetStatus| {
                    is_healthy(target) && target.availability_zone.as_deref() == Some(zone)
                };
                targets.iter().filter(here).count().to_string()
            }));
        }
        self.fill(&mut cells);
        let mark = match class {
            Class::Unknown => '?',
            Class::Unclaimed if healthy < targets.len() => '!',
            _ => ' ',
        };
        let children = targets.iter().map(|target| self.target_cells(target, "")).collect();
        Some(Row { mark, cells, children })
    }
}

fn kind(kind: OwnerKind) -> &'static str {
    match kind {
        OwnerKind::Service => "svc",
        OwnerKind::Ingress | OwnerKind::IngressGroup => "ing",
        OwnerKind::Gateway => "gateway",
    }
}

/// Says whether a target is shown although nobody asked for all.
fn is_notable(target: &TargetStatus) -> bool {
    match target.class {
        Class::Draining => false,
        Class::InSync => !is_healthy(target),
        _ => true,
    }
}

fn is_healthy(target: &TargetStatus) -> bool {
    target.health.as_ref().is_some_and(|health| health.state == HealthState::Healthy)
}

/// A share as number and bar.
fn share(share: Option<f64>) -> String {
    match share {
        None => "-".to_owned(),
        Some(share) => {
            let full = blocks(share);
            let bar = "█".repeat(full) + &"░".repeat(BAR - full);
            format!("{:>4} {bar}", percent(share))
        }
    }
}
