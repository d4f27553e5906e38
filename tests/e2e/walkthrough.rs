//! `docs/walkthrough.md`, played on two real API servers with all controllers: what it shows is what
//! the program prints. `MCTG_BLESS=1 cargo test --features e2e --test e2e walkthrough` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use super::moves::world::{Kind, Side, World};

const PRI: [&str; 3] = ["10.0.12.31", "10.0.76.84", "10.0.140.17"];
const SEC: [&str; 2] = ["10.0.79.52", "10.0.151.60"];

/// What the reader deploys between two commands of ours.
const DEPLOYS: &str = "kubectl apply -f nginx.yaml --context sec";

#[tokio::test]
async fn the_walkthrough_shows_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/walkthrough.md");
    let document = std::fs::read_to_string(&path).expect("the document is there");
    let world = World::new(Kind::NlbIp).await;
    let (pri, sec) = tokio::join!(Side::pri(&world), Side::sec(&world));
    pri.own(&PRI, false).await;

    let mut played = String::new();
    let mut in_block = false;
    for line in document.lines() {
        match line.strip_prefix("$ ") {
            Some(command) if in_block => {
                if !played.ends_with("```text\n") {
                    played.push('\n');
                }
                let _ = writeln!(played, "$ {command}");
                if command == DEPLOYS {
                    sec.deploy(&SEC).await;
                    sec.join();
                    played.push_str("service/nginx created\ndeployment.apps/nginx created\n");
                } else {
                    let args = command.strip_prefix("kubectl mctg ").expect("a command of ours");
                    if args.starts_with("unbind") {
                        sec.leave();
                    }
                    played.push_str(&shown(&world, args).await);
                }
            }
            _ if line.starts_with("```") => {
                in_block = line == "```text";
                let _ = writeln!(played, "{line}");
            }
            // What was shown before.
            _ if in_block => {}
            _ => {
                let _ = writeln!(played, "{line}");
            }
        }
    }
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
    if std::env::var_os("MCTG_BLESS").is_some() {
        std::fs::write(&path, &played).expect("the document can be written");
    } else {
        let differs = document.lines().zip(played.lines()).find(|(said, is)| said != is);
        assert!(document == played, "docs/walkthrough.md is behind, first here: {differs:?}");
    }
}

/// What a command shows at a terminal, but for what time and chance decide.
async fn shown(world: &World, args: &str) -> String {
    let (code, screen) = world.desk.start_at_terminal(args).ended().await;
    assert_eq!(code, Some(0), "{args}:\n{screen}");
    let lines = screen.replace('\r', "");
    let mut text: String = lines
        .lines()
        .filter(|line| !waits(line))
        .fold(String::new(), |text, line| text + &steady(line) + "\n");
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// Whether a line of progress only says that it goes on: how many come is chance.
fn waits(line: &str) -> bool {
    line.trim_start().split_once("  ").is_some_and(|(at, what)| {
        at.contains(':')
            && at.chars().all(|c| c.is_ascii_digit() || c == ':')
            && what.starts_with("waiting")
    })
}

/// A line with the times and the random names replaced.
fn steady(line: &str) -> String {
    let replaced = [
        (r"^( +)[0-9]+:[0-9][0-9]  ", "${1}0:00  "),
        (r"in ([0-9]+(\.[0-9]+)? s|[0-9]+m[0-9]+s)", "in 0.0 s"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}Z", "2026-01-01 12:00:00Z"),
        (r"(k8s-[a-z]+-[a-z]+-)[0-9a-f]{10}", "${1}8e21c40f7b"),
        (r"sg-[0-9a-f]+", "sg-0c4f21aa"),
    ];
    replaced.iter().fold(line.trim_end().to_owned(), |text, (pattern, by)| {
        regex::Regex::new(pattern).expect("it is one").replace_all(&text, *by).into_owned()
    })
}
