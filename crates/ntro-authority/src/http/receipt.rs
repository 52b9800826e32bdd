//! The receipt of a revocation: proof that no server accepts the key any more.

use axum::http::{HeaderName, HeaderValue};
use uuid::Uuid;

use crate::registry::Registry;

const RECEIPT: HeaderName = HeaderName::from_static("x-ntro-receipt");

/// Returns the header with the receipt of a key's revocation, if there is one and it can be read.
pub(crate) async fn receipt_header(
    registry: &Registry,
    key: Uuid,
) -> Option<[(HeaderName, HeaderValue); 1]> {
    let receipt = registry.receipt(key).await.ok().flatten()?;
    Some([(RECEIPT, HeaderValue::try_from(receipt).ok()?)])
}
