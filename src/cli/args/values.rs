//! The values that flags take.

use std::time::Duration;

use mctg::plan::Cap;

/// Reads a time as kubectl does: `10s`, `1m30s`, or seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let complaint = || format!("`{text}` is no time such as 10s, 1m30s or 2h");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| complaint())?;
    Duration::try_from(parsed).map_err(|_| complaint())
}

/// Checks an address, so that a mistake in it is no failure of AWS.
pub(super) fn endpoint_url(text: &str) -> Result<String, String> {
    let uri: Option<http::Uri> = text.parse().ok();
    let is_web =
        |uri: http::Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    match uri.is_some_and(is_web) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is no address such as https://localhost:4566")),
    }
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err(format!("`{text}` is no number above 0")),
    }
}

pub(super) fn max_deregister(text: &str) -> Result<Cap, String> {
    let complaint = || format!("`{text}` is neither a number nor a percentage from 0% to 100%");
    match text.strip_suffix('%') {
        Some(percent) => match percent.parse() {
            Ok(percent @ 0..=100) => Ok(Cap::Percent(percent)),
            _ => Err(complaint()),
        },
        None => text.parse().map(Cap::Count).map_err(|_| complaint()),
    }
}
