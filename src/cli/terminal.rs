//! Where text goes: stdout and stderr, their colours and width.

use std::io::{self, IsTerminal, Write};

use super::args::Color;
use super::error::CliError;
use super::exit::Exit;
use super::render::{Look, Styles};

/// The two streams of the process.
#[derive(Debug)]
pub(crate) struct Terminal {
    out: Styles,
    err: Styles,
    width: usize,
    watched: bool,
    can_ask: bool,
    read_only: bool,
    err_colored: bool,
}

impl Terminal {
    /// Looks at the streams: each has colours or not by itself.
    pub(crate) fn new(color: Color) -> Self {
        let width = terminal_size::terminal_size().map_or(Look::WIDTH, |(width, _)| {
            // Below this nothing can be laid out, above it nothing is easier to read.
            usize::from(width.0).clamp(60, 120)
        });
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            out: styles(color, out),
            err: styles(color, err),
            width,
            watched: out,
            can_ask: err && io::stdin().is_terminal(),
            read_only: is_read_only(),
            err_colored: is_colored(color, err),
        }
    }

    /// Whether a person reads stdout.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched
    }

    /// Whether a person can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        self.can_ask
    }

    /// Whether every write is refused.
    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Asks a question on stderr; anything but yes is no.
    ///
    /// The answer is awaited on a thread of its own, so that Ctrl-C is heard meanwhile.
    pub(crate) async fn ask(&self, question: &str) -> bool {
        let _ = write!(io::stderr().lock(), "{question} [y/N] ");
        let answer = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            io::stdin().read_line(&mut answer).map(|_| answer)
        });
        match answer.await {
            Ok(Ok(answer)) => matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
            _ => false,
        }
    }

    /// Whether stderr has colours.
    pub(crate) fn err_is_colored(&self) -> bool {
        self.err_colored
    }

    /// How text looks on stdout.
    fn look(&self, wide: bool) -> Look {
        Look { styles: self.out.clone(), width: self.width, wide }
    }

    /// Writes to stdout in one go. A reader that went away is no failure.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written, as when a disk is full.
    pub(crate) fn print(
        &self,
        wide: bool,
        write: impl FnOnce(&Look, &mut dyn Write) -> io::Result<()>,
    ) -> Result<Exit, CliError> {
        let mut text = Vec::new();
        let written = write(&self.look(wide), &mut text).and_then(|()| {
            let mut out = io::stdout().lock();
            out.write_all(&text)?;
            out.flush()
        });
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::because("failed to write to stdout", &error))
            }
            _ => Ok(Exit::Fine),
        }
    }

    /// Writes to stderr what would be on stdout, were that not a document's.
    pub(crate) fn print_err(
        &self,
        wide: bool,
        write: impl FnOnce(&Look, &mut dyn Write) -> io::Result<()>,
    ) -> Exit {
        let look = Look { styles: self.err.clone(), width: self.width, wide };
        let mut text = Vec::new();
        let _ = write(&look, &mut text).and_then(|()| io::stderr().lock().write_all(&text));
        Exit::Fine
    }

    /// Writes a line to stderr; where that fails there is nobody left to tell.
    pub(crate) fn note(&self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// Writes an error to stderr.
    pub(crate) fn error(&self, error: &CliError) {
        let _ = error.write(&mut io::stderr().lock(), &self.err);
    }
}

fn styles(color: Color, is_terminal: bool) -> Styles {
    if is_colored(color, is_terminal) { Styles::colored() } else { Styles::default() }
}

fn is_colored(color: Color, is_terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_terminal && allows_color(),
    }
}

/// kubectl's rule (`facts/cli-conventions.md` 4d): `TERM` is not dumb and `NO_COLOR` is not set.
#[expect(clippy::disallowed_methods, reason = "this is the binary")]
fn allows_color() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term != "dumb")
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "this is the binary")]
fn is_read_only() -> bool {
    std::env::var_os("MCTG_READ_ONLY").is_some_and(|value| !value.is_empty() && value != "0")
}
