//! Copies a database as it is, from SQLite to PostgreSQL or back, in one transaction, and counts what arrived.
//!
//! It knows no table by name, so that none is forgotten: tables and columns are what the databases say. What they
//! hold is not looked at.

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, ColumnIndex, Decode, Postgres, QueryBuilder, Row, Sqlite, Type};

use super::{
    Db, StoreError, Tx,
    db::{Open, execute, query, statements},
};

statements! {
    IS_WORKED = "SELECT COUNT(*) FROM lane WHERE owner <> '' AND lease_until > $1";
}

/// Values bound to one statement: fewer than either database takes (SQLite 32,766).
const MOST_VALUES: usize = 20_000;

/// The tables that a database of ours is made with rows in.
const MADE_WITH_ROWS: (&str, i64) = ("lane", 2);

/// The table that others refer to.
const FIRST: &str = "account";

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the databases failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The target is in use.
    #[error("the database to copy to holds something already (in the table {0})")]
    NotEmpty(String),
    /// A bridge works on the source.
    #[error("a bridge works on the database to copy from")]
    Worked,
    /// The schemas differ, or this version of the bridge does not know how to copy a column.
    #[error("the table {table} cannot be copied: {why}")]
    Unknown {
        /// The table.
        table: String,
        /// What is wrong.
        why: String,
    },
    /// Not everything arrived.
    #[error("of the table {table} {arrived} of {rows} rows arrived; nothing was kept")]
    Incomplete {
        /// The table.
        table: String,
        /// How many there were.
        rows: i64,
        /// How many there are.
        arrived: i64,
    },
}

impl From<sqlx::Error> for CopyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Its name.
    pub table: String,
    /// How many rows it has on both sides.
    pub rows: i64,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
}

#[derive(Debug, Clone)]
enum Cell {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
}

/// Copies everything, and tells of each table that is done.
///
/// # Errors
/// When the target holds anything, a bridge works on the source, or a database fails; then the target is as before.
pub async fn copy(
    from: &Db,
    to: &Db,
    now: i64,
    mut done: impl FnMut(&Copied),
) -> Result<Vec<Copied>, CopyError> {
    let mut source = from.read_one_moment().await?;
    let mut target = to.write().await?;
    let (worked,) = query!(&mut source, fetch_one, (i64,), IS_WORKED, now)?;
    if worked > 0 {
        return Err(CopyError::Worked);
    }
    let (tables, there) = (tables(&mut source).await?, tables(&mut target).await?);
    for table in &tables {
        check(table, &there, &mut target).await?;
    }
    let mut copied = Vec::new();
    for table in &tables {
        let name = &table.name;
        empty(&mut target, name).await?;
        copy_table(&mut source, &mut target, table).await?;
        let (rows, arrived) = (count(&mut source, name).await?, count(&mut target, name).await?);
        if rows != arrived {
            return Err(CopyError::Incomplete {
                table: name.clone(),
                rows,
                arrived,
            });
        }
        let table = Copied {
            table: name.clone(),
            rows,
        };
        done(&table);
        copied.push(table);
    }
    target.commit().await?;
    Ok(copied)
}

/// The target has the table, with the same columns, and nothing in it.
async fn check(table: &Table, there: &[Table], target: &mut Tx) -> Result<(), CopyError> {
    let same = there.iter().find(|other| other.name == table.name);
    let names = |table: &Table| {
        let mut names: Vec<(String, Kind)> = table.columns.clone();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        names
    };
    if same.is_none_or(|same| names(same) != names(table)) {
        return Err(CopyError::Unknown {
            table: table.name.clone(),
            why: "the other database has it in another form".to_owned(),
        });
    }
    let allowed = if table.name == MADE_WITH_ROWS.0 {
        MADE_WITH_ROWS.1
    } else {
        0
    };
    if count(target, &table.name).await? > allowed {
        return Err(CopyError::NotEmpty(table.name.clone()));
    }
    Ok(())
}

/// All tables of ours, those first that others refer to.
async fn tables(tx: &mut Tx) -> Result<Vec<Table>, CopyError> {
    const SQLITE: &str = "SELECT name FROM sqlite_master
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations' ORDER BY name <> $1, name";
    const POSTGRES: &str = "SELECT table_name::text FROM information_schema.tables
        WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations' ORDER BY table_name <> $1, table_name";
    const SQLITE_COLUMNS: &str = "SELECT name, type FROM pragma_table_info($1) ORDER BY cid";
    const POSTGRES_COLUMNS: &str = "SELECT column_name::text, data_type::text FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";
    let (of_tables, of_columns) = match &tx.open {
        Open::Sqlite(_) => (SQLITE, SQLITE_COLUMNS),
        Open::Postgres(_) => (POSTGRES, POSTGRES_COLUMNS),
    };
    let mut tables = Vec::new();
    for (name,) in query!(tx, fetch_all, (String,), of_tables, FIRST)? {
        let mut columns = Vec::new();
        for (column, kind) in query!(tx, fetch_all, (String, String), of_columns, &name)? {
            let kind = match kind.to_ascii_lowercase().as_str() {
                "text" => Kind::Text,
                "bigint" => Kind::Integer,
                "boolean" => Kind::Boolean,
                other => {
                    return Err(CopyError::Unknown {
                        table: name,
                        why: format!("the column {column} holds {other}"),
                    });
                }
            };
            columns.push((column, kind));
        }
        tables.push(Table { name, columns });
    }
    Ok(tables)
}

async fn count(tx: &mut Tx, table: &str) -> Result<i64, CopyError> {
    let sql = format!("SELECT COUNT(*) FROM {}", quoted(table));
    let (count,) = query!(tx, fetch_one, (i64,), AssertSqlSafe(sql.clone()))?;
    Ok(count)
}

async fn empty(tx: &mut Tx, table: &str) -> Result<(), CopyError> {
    let sql = format!("DELETE FROM {}", quoted(table));
    execute!(tx, AssertSqlSafe(sql.clone()))?;
    Ok(())
}

/// Names come from a database of ours; quoted all the same.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn column_list(table: &Table) -> String {
    let names: Vec<String> = table.columns.iter().map(|(name, _)| quoted(name)).collect();
    names.join(", ")
}

async fn copy_table(source: &mut Tx, target: &mut Tx, table: &Table) -> Result<(), CopyError> {
    let select = format!("SELECT {} FROM {}", column_list(table), quoted(&table.name));
    let most = MOST_VALUES / table.columns.len().max(1);
    let mut batch = Vec::new();
    macro_rules! carry {
        ($open:expr) => {{
            let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut **$open);
            while let Some(row) = rows.try_next().await? {
                batch.push(cells(&row, table)?);
                if batch.len() >= most {
                    insert(target, table, std::mem::take(&mut batch)).await?;
                }
            }
        }};
    }
    match &mut source.open {
        Open::Sqlite(open) => carry!(open),
        Open::Postgres(open) => carry!(open),
    }
    if !batch.is_empty() {
        insert(target, table, batch).await?;
    }
    Ok(())
}

fn cells<'row, R>(row: &'row R, table: &Table) -> Result<Vec<Cell>, sqlx::Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    String: Decode<'row, R::Database> + Type<R::Database>,
    i64: Decode<'row, R::Database> + Type<R::Database>,
    bool: Decode<'row, R::Database> + Type<R::Database>,
{
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(index, (_, kind))| {
            Ok(match kind {
                Kind::Text => Cell::Text(row.try_get(index)?),
                Kind::Integer => Cell::Integer(row.try_get(index)?),
                Kind::Boolean => Cell::Boolean(row.try_get(index)?),
            })
        })
        .collect()
}

async fn insert(target: &mut Tx, table: &Table, rows: Vec<Vec<Cell>>) -> Result<(), CopyError> {
    let into = format!("INSERT INTO {} ({}) ", quoted(&table.name), column_list(table));
    macro_rules! put {
        ($database:ty, $open:expr) => {{
            let mut builder: QueryBuilder<$database> = QueryBuilder::new(into);
            builder.push_values(rows, |mut values, row| {
                for cell in row {
                    match cell {
                        Cell::Text(text) => values.push_bind(text),
                        Cell::Integer(number) => values.push_bind(number),
                        Cell::Boolean(switch) => values.push_bind(switch),
                    };
                }
            });
            builder.build().execute(&mut **$open).await?;
        }};
    }
    match &mut target.open {
        Open::Sqlite(open) => put!(Sqlite, open),
        Open::Postgres(open) => put!(Postgres, open),
    }
    Ok(())
}
