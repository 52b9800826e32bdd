use reqwest::Response;
use zeroize::Zeroizing;

/// Reads a body of at most `limit` bytes; `None` if it is larger.
///
/// Nothing is decompressed, so the limit counts bytes on the wire.
///
/// # Errors
///
/// Returns an error when the connection is lost.
pub async fn read_body(
    response: &mut Response,
    limit: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, reqwest::Error> {
    let announced = response.content_length().unwrap_or(0);
    if announced > limit as u64 {
        return Ok(None);
    }
    // A body may hold a key, and a buffer that grows leaves copies behind: allocate only once
    // where the length is known.
    let capacity = usize::try_from(announced).unwrap_or(0).max(4_096);
    let mut body = Zeroizing::new(Vec::with_capacity(capacity));
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
