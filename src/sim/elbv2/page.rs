//! Pages and their markers (`facts/elbv2.md` 1.1).

use super::errors::ApiError;

/// The largest page, and the one that is answered when no size is asked for.
pub(super) const PAGE_SIZE_MAX: usize = 400;

/// Which page is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// Where the last one ended.
    pub marker: Option<String>,
    /// How many items: 1 to 400.
    pub size: Option<i64>,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Its items.
    pub items: Vec<T>,
    /// Where it ended, if more follow.
    pub next: Option<String>,
}

impl Paging {
    /// Cuts a page out of everything.
    pub(super) fn cut<T>(&self, all: Vec<T>, size_max: usize) -> Result<Page<T>, ApiError> {
        let size = match self.size {
            None => PAGE_SIZE_MAX,
            Some(size) => usize::try_from(size)
                .ok()
                .filter(|size| (1..=PAGE_SIZE_MAX).contains(size))
                .ok_or_else(|| {
                    let constraint = if size < 1 {
                        "Member must have value greater than or equal to 1"
                    } else {
                        "Member must have value less than or equal to 400"
                    };
                    ApiError::constraint(&size.to_string(), "pageSize", constraint)
                })?,
        };
        let start = match &self.marker {
            None => 0,
            Some(marker) => read_marker(marker).filter(|start| *start < all.len()).ok_or_else(
                // Unseen text.
                || ApiError::validation(format!("The marker '{marker}' is not valid")),
            )?,
        };
        let size = size.min(size_max.max(1));
        let end = all.len().min(start + size);
        let next = (end < all.len()).then(|| write_marker(end));
        let items = all.into_iter().skip(start).take(size).collect();
        Ok(Page { items, next })
    }
}

/// Markers are opaque; this one keeps callers from counting on a number.
fn write_marker(start: usize) -> String {
    format!("eyJwIjo{start:08x}")
}

fn read_marker(marker: &str) -> Option<usize> {
    usize::from_str_radix(marker.strip_prefix("eyJwIjo")?, 16).ok()
}
