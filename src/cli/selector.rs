//! Label selectors as kubectl's `-l` takes them: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.

use mctg::binding::{LabelExpression, LabelSelector};

/// Reads a label selector.
///
/// # Errors
///
/// The sentence to show about the part that is none.
pub(crate) fn parse(text: &str) -> Result<LabelSelector, String> {
    let mut selector = LabelSelector::default();
    for part in split(text) {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        selector.match_expressions.push(
            requirement(part)
                .ok_or_else(|| format!("`{part}` is no label selector such as app=web"))?,
        );
    }
    Ok(selector)
}

/// Splits at commas that are not in parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

fn requirement(part: &str) -> Option<LabelExpression> {
    let of = |key: &str, operator: &str, values: Vec<String>| {
        let key = key.trim();
        let plain = !key.is_empty() && !key.contains([' ', '(', ')', '=', '!', ',']);
        plain.then(|| LabelExpression {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values,
        })
    };
    let one = |value: &str| {
        let value = value.trim();
        (!value.contains([' ', '(', ')', '=', '!'])).then(|| vec![value.to_owned()])
    };
    if let Some((key, values)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, operator) = key.trim_end().rsplit_once(' ')?;
        return match operator {
            "in" => of(key, "In", values),
            "notin" => of(key, "NotIn", values),
            _ => None,
        };
    }
    if let Some((key, value)) = part.split_once("!=") {
        return of(key, "NotIn", one(value)?);
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return of(key, "In", one(value)?);
    }
    match part.strip_prefix('!') {
        Some(key) => of(key, "DoesNotExist", Vec::new()),
        None => of(part, "Exists", Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn selects(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        parse(selector).unwrap().selects(&labels)
    }

    #[test]
    fn selectors_choose_as_kubectls_do() {
        let web = [("app", "web"), ("tier", "front")];
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web", true),
            ("app = web , tier=front", true),
            ("app=api", false),
            ("app!=api", true),
            ("app!=web", false),
            ("zone!=a", true),
            ("app in (api, web),tier", true),
            ("app notin (api,web)", false),
            ("zone notin (a)", true),
            ("!zone", true),
            ("!app", false),
            ("zone", false),
        ] {
            assert_eq!(selects(selector, &web), expected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["=web", "app web", "app of (a)", "app=a=b", "a(b", "!", "in (a)"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
