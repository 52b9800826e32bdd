//! The reader: one thread of each process through which its queries go.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::Receiver;

use tokio::runtime::Runtime;

use super::connection::PostgresConnection;
use super::{PostgresUrl, StoreError};
use crate::store::sql::{ReadQuery, SqlRow, SqlSession, SqlValue};

/// The session of the reader. It connects at the first statement, and again when the connection has
/// ended.
pub(super) struct PostgresReader {
    url: PostgresUrl,
    runtime: Rc<Runtime>,
    connection: RefCell<Option<PostgresConnection>>,
}

impl PostgresReader {
    pub(super) fn new(url: PostgresUrl, runtime: Rc<Runtime>) -> Self {
        Self {
            url,
            runtime,
            connection: RefCell::default(),
        }
    }

    pub(super) fn run(&self, queries: &Receiver<ReadQuery>) {
        for query in queries {
            query(self);
        }
    }

    fn connected(&self) -> Result<PostgresConnection, StoreError> {
        match self.connection.take().filter(|open| !open.is_closed()) {
            Some(open) => Ok(open),
            None => Ok(PostgresConnection::open(&self.url, &self.runtime)?),
        }
    }
}

impl SqlSession for PostgresReader {
    fn execute(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<u64, StoreError> {
        let connection = self.connected()?;
        let changed = connection.execute(sql, values);
        self.connection.replace(Some(connection));
        changed
    }

    fn for_each(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        each: &mut dyn FnMut(&dyn SqlRow) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut connection = self.connected()?;
        let mut has_rows = false;
        let mut result = connection.for_each(sql, values, &mut |row| {
            has_rows = true;
            each(row)
        });
        if let Err(StoreError::Postgres(error)) = &result
            && !has_rows
            && (error.is_fatal() || connection.is_closed())
        {
            // The connection had ended, or was ending, before the statement came.
            connection = PostgresConnection::open(&self.url, &self.runtime)?;
            result = connection.for_each(sql, values, each);
        }
        self.connection.replace(Some(connection));
        result
    }
}
