//! A change counts as made only where ELBv2 itself said so.

use aws_sdk_elasticloadbalancingv2::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_elasticloadbalancingv2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticloadbalancingv2::error::BoxError;

/// Refuses a success whose body is not the answer to a call that changes something.
///
/// Such answers hold nothing, so the SDK does not look at them: it takes whatever a proxy writes
/// under a 200 for a target that was registered.
#[derive(Debug)]
pub(super) struct Acknowledged {
    /// The element that the answer is.
    pub(super) element: &'static str,
}

impl Intercept for Acknowledged {
    fn name(&self) -> &'static str {
        "acknowledged"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        // What the SDK did not read into memory it did not read at all.
        let body = response.body().bytes().unwrap_or_default();
        let is_one = body.windows(self.element.len()).any(|part| part == self.element.as_bytes());
        if response.status().is_success() && !is_one {
            return Err(format!("the answer is no <{}>", self.element).into());
        }
        Ok(())
    }
}
