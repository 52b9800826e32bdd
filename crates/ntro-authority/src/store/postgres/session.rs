//! Runs the statements of the registry's rules on PostgreSQL.
//!
//! Statements are not prepared by name: behind a pooler, the next one may run on another connection.

use std::borrow::Cow;
use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};

use bytes::BytesMut;
use futures_util::Stream;
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::connection::PostgresConnection;
use super::link::bounded;
use super::{PostgresError, StoreError};
use crate::store::sql::{SqlRow, SqlSession, SqlValue};

impl SqlSession for PostgresConnection {
    fn execute(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<u64, StoreError> {
        storable(values)?;
        let sql = numbered(sql);
        let values = typed(values);
        let changed = self.block_on(bounded(async {
            Ok(self.client.execute_typed(&sql, &values).await?)
        }))?;
        Ok(changed)
    }

    fn for_each(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        each: &mut dyn FnMut(&dyn SqlRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if sql.starts_with("SELECT") && storable(values).is_err() {
            // Nothing in the database is equal to such a text.
            return Ok(());
        }
        storable(values)?;
        let sql = numbered(sql);
        self.block_on(async {
            let values = typed(values);
            let rows = bounded(async { Ok(self.client.query_typed_raw(&sql, values).await?) });
            let mut rows = pin!(rows.await?);
            loop {
                let next = bounded(async {
                    Ok(poll_fn(|cx| Pin::as_mut(&mut rows).poll_next(cx))
                        .await
                        .transpose()?)
                });
                let Some(row) = next.await? else {
                    return Ok(());
                };
                each(&row)?;
            }
        })
    }
}

/// Refuses text with a NUL, which PostgreSQL cannot hold.
fn storable(values: &[SqlValue<'_>]) -> Result<(), StoreError> {
    let has_nul =
        |value: &SqlValue<'_>| matches!(value, SqlValue::Text(text) if text.contains('\0'));
    match values.iter().any(has_nul) {
        true => Err(StoreError::Nul),
        false => Ok(()),
    }
}

/// Writes the numbers of values as PostgreSQL reads them.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn typed<'a>(values: &'a [SqlValue<'a>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    let kind = |value: &SqlValue<'_>| match value {
        // The place where it stands says which.
        SqlValue::Null => Type::UNKNOWN,
        SqlValue::Integer(_) => Type::INT8,
        SqlValue::Text(_) => Type::TEXT,
        SqlValue::Bytes(_) => Type::BYTEA,
    };
    let typed = |value: &'a SqlValue<'a>| (value as &(dyn ToSql + Sync), kind(value));
    values.iter().map(typed).collect()
}

impl ToSql for SqlValue<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(kind, out),
            Self::Text(text) => text.as_ref().to_sql(kind, out),
            Self::Bytes(bytes) => bytes.as_ref().to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl SqlRow for Row {
    fn value(&self, column: usize) -> Result<SqlValue<'_>, StoreError> {
        let invalid = StoreError::Invalid { what: "column" };
        let Some(kind) = self
            .columns()
            .get(column)
            .map(|column| column.type_().clone())
        else {
            return Err(invalid);
        };
        let value = match kind {
            Type::INT8 => self
                .try_get::<_, Option<i64>>(column)
                .map(|number| number.map(SqlValue::Integer)),
            Type::INT4 => self
                .try_get::<_, Option<i32>>(column)
                .map(|number| number.map(|number| SqlValue::Integer(number.into()))),
            Type::BOOL => self
                .try_get::<_, Option<bool>>(column)
                .map(|flag| flag.map(SqlValue::from)),
            Type::TEXT => self
                .try_get::<_, Option<&str>>(column)
                .map(|text| text.map(SqlValue::from)),
            Type::BYTEA => self
                .try_get::<_, Option<&[u8]>>(column)
                .map(|bytes| bytes.map(|bytes| SqlValue::Bytes(Cow::Borrowed(bytes)))),
            _ => return Err(invalid),
        };
        let value = value.map_err(PostgresError::from)?;
        Ok(value.unwrap_or(SqlValue::Null))
    }
}
