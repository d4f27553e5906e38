//! Errors as people read them: what failed and where, the root cause once, then what to do.

use std::error::Error;
use std::io::{self, Write};

use mctg::error::{chain, escape};

use super::exit::Exit;
use super::render::Styles;

/// A failure that ends the run.
#[derive(Debug)]
pub(crate) struct CliError {
    message: String,
    hints: Vec<String>,
    /// How the run ends.
    pub(crate) exit: Exit,
}

impl CliError {
    /// A mistake in what was asked for.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new(), exit: Exit::Usage }
    }

    /// Something that is not allowed now.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new(), exit: Exit::Found }
    }

    /// Something that could not be read or done.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new(), exit: Exit::Incomplete }
    }

    /// Something that could not be read or done, and why.
    pub(crate) fn because(message: impl Into<String>, cause: &dyn Error) -> Self {
        Self::failed(format!("{}: {}", message.into(), chain(cause)))
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// Passes on what the writer says.
    pub(crate) fn write(&self, out: &mut dyn Write, styles: &Styles) -> io::Result<()> {
        writeln!(out, "{} {}", styles.bad("error:"), escape(&self.message))?;
        for hint in &self.hints {
            writeln!(out, "{} {}", styles.strong("hint:"), escape(hint))?;
        }
        Ok(())
    }
}

/// Finds the names that are nearest to one that is not known, best first.
pub(crate) fn near_misses<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Vec<&'a str> {
    let lower = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| {
            let text = candidate.to_lowercase();
            let contains = if !lower.is_empty() && text.contains(&lower) { 0.9 } else { 0.0 };
            (strsim::jaro_winkler(&lower, &text).max(contains), candidate)
        })
        .filter(|(score, _)| *score >= 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_failed_and_then_what_to_do() {
        let mut out = Vec::new();
        let error =
            CliError::usage("no context is called `bleu`\u{1b}[31m").hint("did you mean `blue`?");
        error.write(&mut out, &Styles::default()).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        error: no context is called `bleu`\u{1b}[31m
        hint: did you mean `blue`?
        ");
    }

    #[test]
    fn near_misses_are_near() {
        let known = ["blue", "green", "arn:aws:eks:us-east-1:1:cluster/blue"];
        assert_eq!(near_misses("bleu", known), ["blue"]);
        assert_eq!(near_misses("blue", known), ["blue", "arn:aws:eks:us-east-1:1:cluster/blue"]);
        assert_eq!(near_misses("zzz", known), [""; 0]);
    }
}
