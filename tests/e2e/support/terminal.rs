//! A terminal, for programs that ask.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::cluster::until;

/// A program at a terminal of its own; killed when dropped.
pub(crate) struct AtTerminal {
    child: Child,
    terminal: File,
    seen: Arc<Mutex<Vec<u8>>>,
    /// Reads until the last user of the terminal has left.
    reader: JoinHandle<()>,
}

impl AtTerminal {
    /// Starts a command at a new terminal.
    pub(crate) fn start(mut command: Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
        grantpt(&ours).expect("it is ours");
        unlockpt(&ours).expect("it is ours");
        let name = ptsname(&ours, Vec::new()).expect("it has a name");
        let name = Path::new(name.to_str().expect("a path of ASCII"));
        let theirs = || {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            File::from(rustix::fs::open(name, flags, Mode::empty()).expect("it is there"))
        };
        command.stdin(theirs()).stdout(theirs()).stderr(theirs());
        let child = command.spawn().expect("the program is there");
        // With the command go our copies of their side: what is left is the program's.
        drop(command);
        let terminal = File::from(ours);
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let (mut screen, shown) = (terminal.try_clone().expect("a handle"), Arc::clone(&seen));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end of a terminal whose last user left is an error.
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                shown.extend_from_slice(&bytes[..read]);
            }
        });
        Self { child, terminal, seen, reader }
    }

    /// All that is on the screen.
    pub(crate) fn screen(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&seen).into_owned()
    }

    /// Waits until the screen shows something.
    pub(crate) async fn shows(&self, words: &str) {
        until(words, async || self.screen().contains(words)).await;
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        self.terminal.write_all(format!("{line}\n").as_bytes()).expect("a terminal takes text");
    }

    /// Waits for its end; returns the exit code and the screen.
    pub(crate) async fn ended(mut self) -> (Option<i32>, String) {
        let mut code = None;
        let status = Mutex::new((&mut self.child, &mut code));
        until("the program ends", async || {
            let mut status = status.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = status.0.try_wait().expect("a child can be waited for");
            *status.1 = ended.and_then(|status| status.code());
            ended.is_some()
        })
        .await;
        // What it wrote last may not have been read yet.
        until("all is read", async || self.reader.is_finished()).await;
        (code, self.screen())
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // It has ended, but for a test that failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
