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
}

impl Terminal {
    /// Looks at the streams: each has colours or not by itself.
    pub(crate) fn new(color: Color) -> Self {
        let width = terminal_size::terminal_size().map_or(Look::WIDTH, |(width, _)| {
            // Below this nothing can be laid out, above it nothing is easier to read.
            usize::from(width.0).clamp(60, 120)
        });
        Self {
            out: styles(color, io::stdout().is_terminal()),
            err: styles(color, io::stderr().is_terminal()),
            width,
        }
    }

    /// How text looks on stdout.
    pub(crate) fn look(&self, wide: bool) -> Look {
        Look { styles: self.out.clone(), width: self.width, wide }
    }

    /// Writes to stdout in one go. A reader that went away is no failure.
    ///
    /// # Errors
    ///
    /// Stdout cannot be written, as when a disk is full.
    pub(crate) fn print(
        &self,
        write: impl FnOnce(&Look, &mut dyn Write) -> io::Result<()>,
    ) -> Result<Exit, CliError> {
        let mut text = Vec::new();
        let written = write(&self.look(false), &mut text).and_then(|()| {
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
    let colored = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_terminal && allows_color(),
    };
    if colored { Styles::colored() } else { Styles::default() }
}

/// kubectl's rule (`facts/cli-conventions.md` 4d): `TERM` is not dumb and `NO_COLOR` is not set.
#[expect(clippy::disallowed_methods, reason = "this is the binary")]
fn allows_color() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term != "dumb")
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
