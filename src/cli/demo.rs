//! `demo`, and `--demo` on any verb: the real plan and the real screens on simulated clusters.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mctg::apply::Progress;
use mctg::binding::Flavour;
use mctg::cluster::Cluster as _;
use mctg::ledger;
use mctg::plan::Action;
use mctg::report::StepResult;
use mctg::sim::elbv2::TargetRequest;
use mctg::sim::{Cluster, LoadBalancers, World as Sim};
use mctg::stop::Stop;
use mctg::target::TargetGroupArn;

use super::args::{Color, DryRun, FailOn, Output, ViaArg};
use super::args::{DemoArgs, Global, Names, PlanArgs, PruneArgs, ReconcileArgs, StatusArgs, Verb};
use super::contexts;
use super::env::{self, Environment};
use super::error::CliError;
use super::exit::Exit;
use super::real::context_options;
use super::run::{self, World, pause};
use super::terminal::Terminal;

/// The file that holds the world between runs.
const FILE: &str = "demo.json";

/// How long simulated time goes on after a registration: what is registered passes its first
/// health checks within it.
const FIRST_CHECKS: Duration = Duration::from_secs(5 * 60);

/// How long simulated time goes on while something is waited for.
const WAITED: Duration = Duration::from_secs(60);

/// How long before now the story begins, so that it ends about now: the controllers' pass takes an
/// hour of simulated time.
const BEFORE: Duration = Duration::from_secs(65 * 60);

/// How long people get to read a screen of the story.
const READING: Duration = Duration::from_secs(4);

/// Runs a verb on the simulated world that is kept between runs.
///
/// # Errors
///
/// The world cannot be read, or what the verb itself says.
pub(crate) async fn run(
    verb: &Verb,
    global: &Global,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let folder = folder(environment, terminal)?;
    let path = folder.join(FILE);
    let sim = load(&path)?;
    let exit = on(&sim, verb, global, terminal).await;
    // Also after a failure: part of it may have been done.
    save(&sim, &path)?;
    exit
}

async fn on(
    sim: &Sim,
    verb: &Verb,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let all: Vec<Cluster> = sim.clusters();
    let names: Vec<String> = all.iter().map(|cluster| cluster.context().to_owned()).collect();
    let (reading, writing, narrowed, unread) =
        contexts::choose_among(&names, &context_options(verb, global))?;
    let find = |name: &String| all.iter().find(|cluster| cluster.context() == name).cloned();
    let clusters: Vec<Cluster> = reading.iter().filter_map(find).collect();
    let load_balancers: LoadBalancers = sim.load_balancers();
    let clock = || sim.now();
    let watch = |progress: &Progress<'_>| match progress {
        Progress::Step(_, step)
            if step.action == Action::Register && step.result == StepResult::Done =>
        {
            sim.advance(FIRST_CHECKS);
        }
        Progress::Waiting(_) => sim.advance(WAITED),
        _ => {}
    };
    let world = World {
        clusters: &clusters,
        load_balancers: &load_balancers,
        writing,
        narrowed,
        in_cluster: false,
        unread,
        demo: true,
        leave_out: &|_| None,
        clock: &clock,
        watch: &watch,
        // An interrupt ends a demo at once.
        stop: Stop::default(),
    };
    run::verb(&world, verb, global, terminal).await
}

/// Plays the story on a world of its own.
///
/// # Errors
///
/// The kept world cannot be made anew, or stdout cannot be written.
pub(crate) async fn play(
    args: &DemoArgs,
    environment: &Environment,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    if args.reset {
        let path = folder(environment, terminal)?.join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CliError::because(unwritable(&path), &error));
            }
            _ => {}
        }
    }
    let now = env::now();
    let sim = Sim::demo(now.saturating_sub(BEFORE).unwrap_or(now));
    // The controllers pass once more, so that the story begins with nothing wrong.
    sim.converge();
    let story = Story { sim: &sim, terminal };

    story.says("Two clusters, blue and green, share one load balancer. Each serves its part.")?;
    story.status().await?;

    story.says(
        "Somebody deregisters a target of blue by hand. No controller runs here that would notice.",
    )?;
    story.lose_a_target()?;
    story.status().await?;

    story.says("reconcile repairs what is blue's, and touches nothing of green's.")?;
    let reconcile = Verb::Reconcile(ReconcileArgs {
        names: Names { names: Vec::new() },
        plan: PlanArgs {
            via: ViaArg::Auto,
            max_deregister: None,
            allow_empty: false,
            force: false,
            prune: PruneArgs::default(),
        },
        dry_run: DryRun::None,
        yes: true,
        wait: true,
        timeout: Some(Duration::from_secs(60)),
        events: None,
    });
    story.runs("kubectl mctg reconcile --context blue --yes", &reconcile, &["blue"]).await?;

    story.says("The pod serves again, and a second run plans nothing.")?;
    story.status().await?;

    story.says("Now you: with --demo every verb runs on such a world of its own.")?;
    for line in [
        "kubectl mctg status --demo",
        "kubectl mctg diff --demo",
        "kubectl mctg reconcile --demo --yes",
        "kubectl mctg explain MCTG201",
    ] {
        terminal.print(false, |look, out| writeln!(out, "  {}", look.styles.good(line)))?;
    }
    Ok(Exit::Fine)
}

struct Story<'a> {
    sim: &'a Sim,
    terminal: &'a Terminal,
}

impl Story<'_> {
    fn says(&self, text: &str) -> Result<Exit, CliError> {
        self.terminal.print(false, |look, out| {
            for line in super::render::wrap(text, look.width - 2) {
                writeln!(out, "{}", look.styles.strong(&format!("# {line}")))?;
            }
            writeln!(out)
        })
    }

    async fn status(&self) -> Result<Exit, CliError> {
        let status = Verb::Status(StatusArgs { names: Names { names: Vec::new() }, all: false });
        self.runs("kubectl mctg status", &status, &[]).await
    }

    async fn runs(&self, line: &str, verb: &Verb, contexts: &[&str]) -> Result<Exit, CliError> {
        self.terminal.print(false, |look, out| {
            writeln!(out, "{}", look.styles.good(&format!("$ {line}")))
        })?;
        let exit = on(self.sim, verb, &global(contexts), self.terminal).await?;
        self.terminal.print(false, |_, out| writeln!(out))?;
        pause(self.terminal, READING).await;
        Ok(exit)
    }

    /// Takes one of blue's registered targets out behind everybody's back.
    fn lose_a_target(&self) -> Result<(), CliError> {
        let gone = |what: &str| CliError::failed(format!("the simulated world has no {what}"));
        let blue = self.sim.clusters().into_iter().next().ok_or_else(|| gone("cluster"))?;
        let (group, target) = blue
            .with(|state| {
                let binding = state.bindings(Flavour::LoadBalancerController).next()?;
                let group: TargetGroupArn = binding.spec.target_group_arn.parse().ok()?;
                let name = ledger::name(binding.flavour, &binding.name);
                let tracked = ledger::parse(state.ledger_text(&binding.namespace, &name)?).ok()?;
                Some((group, tracked.into_iter().next()?))
            })
            .ok_or_else(|| gone("target"))?;
        self.sim
            .load_balancers()
            .with(|model| {
                let request = TargetRequest::new(&target.id, target.port);
                model.deregister_targets(group.as_str(), &[request])
            })
            .map_err(|error| CliError::because("failed to lose a target", &error))
    }
}

/// The flags of a verb in the story.
fn global(contexts: &[&str]) -> Global {
    Global {
        context: contexts.iter().map(|context| (*context).to_owned()).collect(),
        all_contexts: false,
        observe: Vec::new(),
        kubeconfig: None,
        peers_kubeconfig: None,
        in_cluster: false,
        impersonate: None,
        impersonate_group: Vec::new(),
        request_timeout: Duration::from_secs(10),
        namespace: None,
        all_namespaces: false,
        selector: None,
        deep: false,
        profile: Vec::new(),
        region: None,
        endpoint_url: None,
        no_assume_role: false,
        aws_qps: None,
        output: Output::Table,
        fail_on: FailOn::Warning,
        ignore: Vec::new(),
        color: Color::Auto,
        verbose: 0,
        demo: true,
    }
}

/// Where the world is kept: the state folder of the user, else a temporary one, and says so.
fn folder(environment: &Environment, terminal: &Terminal) -> Result<PathBuf, CliError> {
    let state = environment
        .state_home
        .clone()
        .or_else(|| environment.home.as_ref().map(|home| home.join(".local/state")))
        .map(|state| state.join("kubectl-mctg"));
    if let Some(state) = state
        && std::fs::create_dir_all(&state).is_ok()
        && is_writable(&state)
    {
        return Ok(state);
    }
    let temporary = std::env::temp_dir().join("kubectl-mctg");
    terminal.note(&format!(
        "note: the simulated world is kept in {}: there is no state folder to write to",
        temporary.display()
    ));
    std::fs::create_dir_all(&temporary)
        .map_err(|error| CliError::because(unwritable(&temporary), &error))?;
    Ok(temporary)
}

fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    let written = std::fs::write(&probe, b"").is_ok();
    // What could be written can be removed; if not, it is an empty file in a folder of ours.
    let _ = std::fs::remove_file(&probe);
    written
}

fn unwritable(path: &Path) -> String {
    format!("failed to write the simulated world `{}`", path.display())
}

fn load(path: &Path) -> Result<Sim, CliError> {
    let now = env::now();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Sim::demo(now)),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let sim = Sim::load(&text).map_err(|error| unreadable(path, &error))?;
    sim.advance_to(now);
    Ok(sim)
}

fn unreadable(path: &Path, error: &dyn std::error::Error) -> CliError {
    CliError::because(format!("failed to read the simulated world `{}`", path.display()), error)
        .hint("kubectl mctg demo --reset begins with a new one")
}

/// Replaces the file as a whole, so that a run that is killed leaves the old world.
fn save(sim: &Sim, path: &Path) -> Result<(), CliError> {
    let text = sim.save().map_err(|error| CliError::because(unwritable(path), &error))?;
    let next = path.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&next, text)
        .and_then(|()| std::fs::rename(&next, path))
        .map_err(|error| CliError::because(unwritable(path), &error))
}
