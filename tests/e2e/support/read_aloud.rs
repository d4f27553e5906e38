//! What a person reads: no dump, no secret, no cause told twice.

use super::programs::Finished;
use super::trouble::SECRETS;

/// Traces of Rust's `Debug`, and of a program that broke.
const DUMPS: [&str; 11] = [
    "Some(", "None,", "Err(", "Ok(", "Error {", "Error(", "{ kind:", "Custom {", "code: ",
    "panicked", "\\\"",
];

impl Finished {
    /// All that it said, its line breaks taken out.
    pub(crate) fn text(&self) -> String {
        let both = format!("{}\n{}", self.stdout, self.stderr);
        both.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Checks that it said something, wherever a line broke.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.text().contains(words), "`{words}` was not said: {self:#?}\n{}", self.text());
        self
    }

    /// Checks that it did not say something.
    #[track_caller]
    pub(crate) fn says_not(&self, words: &str) -> &Self {
        assert!(!self.text().contains(words), "`{words}` was said: {self:#?}");
        self
    }

    /// Checks how it ended, and that what it said is fit to be read aloud.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self.keeps_secrets();
        if self.stdout.trim_start().starts_with(['{', '[']) {
            return self;
        }
        let text = self.text();
        for dump in DUMPS {
            assert!(!text.contains(dump), "a dump (`{dump}`): {self:#?}");
        }
        for line in self.stderr.lines().chain(self.paragraphs().iter().map(String::as_str)) {
            let causes: Vec<&str> =
                line.split(": ").map(str::trim).filter(|cause| cause.len() > 12).collect();
            for (index, cause) in causes.iter().enumerate() {
                assert!(!causes[..index].contains(cause), "`{cause}` twice: {line}\n{self:#?}");
            }
        }
        self
    }

    /// Checks that no secret is in what it said.
    #[track_caller]
    pub(crate) fn keeps_secrets(&self) -> &Self {
        for secret in SECRETS.into_iter().chain(["admin-token", "token-", "hunter2"]) {
            let told = self.stdout.contains(secret) || self.stderr.contains(secret);
            assert!(!told, "a secret (`{secret}`): {self:#?}");
        }
        self
    }

    /// Its sentences on stdout: lines that go on are joined.
    fn paragraphs(&self) -> Vec<String> {
        let mut paragraphs: Vec<String> = Vec::new();
        for line in self.stdout.lines() {
            match paragraphs.last_mut() {
                Some(last) if line.starts_with("  ") => {
                    last.push(' ');
                    last.push_str(line.trim());
                }
                _ => paragraphs.push(line.to_owned()),
            }
        }
        paragraphs
    }
}
