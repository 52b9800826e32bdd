//! The interface of a database to the rules of the registry: statements, values and rows.

use std::borrow::Cow;

use jiff::Timestamp;
use uuid::Uuid;

use crate::store::StoreError;

/// A connection that runs one statement after another.
///
/// Statements are written as SQLite reads them, with `?1` for the first value, and use only what
/// PostgreSQL understands as well. All columns are `BIGINT`, `TEXT` or `BYTEA` there.
pub(in crate::store) trait SqlSession {
    /// Runs a statement; returns how many rows it has changed.
    fn execute(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<u64, StoreError>;

    /// Runs a statement and hands over its rows one by one. `each` must not use the session.
    fn for_each(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        each: &mut dyn FnMut(&dyn SqlRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

impl dyn SqlSession + '_ {
    /// Returns every row of a query.
    pub(in crate::store) fn rows<T>(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        read: impl Fn(&dyn SqlRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        self.for_each(sql, values, &mut |row| {
            rows.push(read(row)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Returns the first row of a query, if it has rows.
    pub(in crate::store) fn first<T>(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        read: impl Fn(&dyn SqlRow) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut first = None;
        self.for_each(sql, values, &mut |row| {
            if first.is_none() {
                first = Some(read(row)?);
            }
            Ok(())
        })?;
        Ok(first)
    }

    /// Returns the number in the only row of a query.
    pub(in crate::store) fn number(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
    ) -> Result<i64, StoreError> {
        self.first(sql, values, |row| row.get(0))?
            .ok_or(StoreError::Invalid { what: "row" })
    }
}

/// A value of a statement or a row.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum SqlValue<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

/// Lists the values of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$(crate::store::sql::SqlValue::from($value)),*]
    };
}
pub(in crate::store) use values;

impl From<i64> for SqlValue<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for SqlValue<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<bool> for SqlValue<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<Timestamp> for SqlValue<'_> {
    fn from(at: Timestamp) -> Self {
        Self::Integer(at.as_millisecond())
    }
}

impl From<Uuid> for SqlValue<'_> {
    fn from(id: Uuid) -> Self {
        Self::Text(Cow::Owned(id.hyphenated().to_string()))
    }
}

impl From<String> for SqlValue<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a String> for SqlValue<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a str> for SqlValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a [u8; 32]> for SqlValue<'a> {
    fn from(bytes: &'a [u8; 32]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl From<Vec<u8>> for SqlValue<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(bytes))
    }
}

impl<'a, T> From<Option<T>> for SqlValue<'a>
where
    SqlValue<'a>: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

/// A row of a query.
pub(in crate::store) trait SqlRow {
    /// Returns the value in a column; the first is 0.
    fn value(&self, column: usize) -> Result<SqlValue<'_>, StoreError>;
}

impl<'r> dyn SqlRow + 'r {
    /// Returns the value in a column as a type.
    pub(in crate::store) fn get<'a, T: FromSql<'a>>(
        &'a self,
        column: usize,
    ) -> Result<T, StoreError> {
        T::from_sql(self.value(column)?).ok_or(StoreError::Invalid { what: T::WHAT })
    }
}

/// A type that a row may hold.
pub(in crate::store) trait FromSql<'a>: Sized {
    /// The name in an error about another value.
    const WHAT: &'static str;

    fn from_sql(value: SqlValue<'a>) -> Option<Self>;
}

impl FromSql<'_> for i64 {
    const WHAT: &'static str = "number";

    fn from_sql(value: SqlValue<'_>) -> Option<Self> {
        match value {
            SqlValue::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl FromSql<'_> for bool {
    const WHAT: &'static str = "flag";

    fn from_sql(value: SqlValue<'_>) -> Option<Self> {
        i64::from_sql(value).map(|number| number != 0)
    }
}

impl FromSql<'_> for Timestamp {
    const WHAT: &'static str = "time";

    fn from_sql(value: SqlValue<'_>) -> Option<Self> {
        Self::from_millisecond(i64::from_sql(value)?).ok()
    }
}

impl<'a> FromSql<'a> for Cow<'a, str> {
    const WHAT: &'static str = "text";

    fn from_sql(value: SqlValue<'a>) -> Option<Self> {
        match value {
            SqlValue::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromSql<'_> for String {
    const WHAT: &'static str = "text";

    fn from_sql(value: SqlValue<'_>) -> Option<Self> {
        Cow::from_sql(value).map(Cow::into_owned)
    }
}

impl FromSql<'_> for Uuid {
    const WHAT: &'static str = "id";

    fn from_sql(value: SqlValue<'_>) -> Option<Self> {
        Cow::from_sql(value)?.parse().ok()
    }
}

impl FromSql<'_> for [u8; 32] {
    const WHAT: &'static str = "hash";

    fn from_sql(value: SqlValue<'_>) -> Option<Self> {
        match value {
            SqlValue::Bytes(bytes) => bytes.as_ref().try_into().ok(),
            _ => None,
        }
    }
}

impl FromSql<'_> for Vec<u8> {
    const WHAT: &'static str = "bytes";

    fn from_sql(value: SqlValue<'_>) -> Option<Self> {
        match value {
            SqlValue::Bytes(bytes) => Some(bytes.into_owned()),
            _ => None,
        }
    }
}

impl<'a, T: FromSql<'a>> FromSql<'a> for Option<T> {
    const WHAT: &'static str = T::WHAT;

    fn from_sql(value: SqlValue<'a>) -> Option<Self> {
        match value {
            SqlValue::Null => Some(None),
            value => T::from_sql(value).map(Some),
        }
    }
}
