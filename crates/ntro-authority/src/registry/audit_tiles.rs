//! The tiles of the audit logs.

use super::Registry;
use super::audit_logs::{AuditLogName, fault_of};
use crate::error::Error;
use crate::transparency::{AuditFault, TILE_WIDTH, TilePath};

impl Registry {
    /// Returns the bytes of a tile or of a bundle of entries, if the log has all of it.
    pub(crate) async fn audit_tile(
        &self,
        log: &AuditLogName,
        tile: TilePath,
    ) -> Result<Option<Vec<u8>>, Error> {
        let size = self.audit_log(log).await?.size;
        let Some(first) = tile.first().filter(|_| tile.is_in(size)) else {
            return Ok(None);
        };
        let width = u32::try_from(tile.width.min(TILE_WIDTH)).unwrap_or(0);
        let name = log.as_str().to_owned();
        let mut bytes = Vec::new();
        match tile.level {
            Some(level) => {
                let hashes = self.store().audit_hashes(name, level, first, width).await?;
                bytes.extend(hashes.iter().flat_map(|hash| hash.0));
            }
            None => {
                for row in self.store().audit_rows(name, first, width).await? {
                    let index = row.index;
                    let missing = || fault_of(log, AuditFault::RowMissing { index });
                    let line = row.entry.ok_or_else(missing)?.line(index);
                    let length =
                        u16::try_from(line.len()).map_err(|_| Error::LongAuditEntry { index })?;
                    bytes.extend(length.to_be_bytes());
                    bytes.extend(line.as_bytes());
                }
            }
        }
        Ok(Some(bytes))
    }
}
