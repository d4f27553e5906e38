//! Texts of errors, fit to be shown.

use std::error::Error;

/// Writes an error and its causes as one line, saying nothing twice.
///
/// Both SDKs repeat a cause in the text of what it caused, and some hide it; a cause that the text
/// already ends with is skipped (`style.md` 7). Control characters are escaped.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !cause_text.is_empty() && !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    escape(&text)
}

/// Escapes control characters, so that no text from outside can steer a terminal, and overrides of
/// the writing direction, which make a text read as another.
pub fn escape(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if steers(c) { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

/// The most of a foreign text (an HTML page, a plugin's words) that is worth showing, in characters.
const SHOWN_MAX: usize = 200;

/// Cuts a line to what is worth showing.
pub fn shorten(line: &str) -> String {
    match line.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The last line that a program wrote, where the cause usually stands: shortened and escaped.
pub fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    escape(&shorten(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    fn link(text: &'static str, source: Option<Link>) -> Link {
        Link { text, source: source.map(Box::new) }
    }

    #[test]
    fn a_cause_that_was_already_told_is_not_told_again() {
        let refused = || link("connection refused", None);
        assert_eq!(
            chain(&link("connect: connection refused", Some(refused()))),
            "connect: connection refused"
        );
        assert_eq!(chain(&link("connect", Some(refused()))), "connect: connection refused");
    }

    #[test]
    fn control_characters_cannot_steer_a_terminal() {
        assert_eq!(escape("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(escape("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(escape("grün – 東京"), "grün – 東京");
    }
}
