//! Where records outlive the hub: nowhere, or a redb database.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, ReadableTable as _, TableDefinition};

use crate::error::{ErrorCode, HubError, Refusal};
use crate::keys::Policies;
use crate::names::Name;
use crate::registry::Record;

/// Number of the data layout below. A hub reads its own and older ones, never a newer one.
const FORMAT: u64 = 1;
const FILE: &str = "hub.redb";
const SETTINGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("settings");
const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");

/// Keeps records. A write that returned is on the disk.
pub(crate) enum Store {
    Memory,
    Disk(Database),
}

/// What a store held when it was opened.
pub(crate) struct Loaded {
    pub(crate) store: Store,
    pub(crate) policies: Policies,
    pub(crate) records: BTreeMap<Name, Record>,
}

impl Store {
    pub(crate) fn memory() -> Result<Loaded, HubError> {
        let policies = Policies::generate()?;
        Ok(Loaded {
            store: Self::Memory,
            policies,
            records: BTreeMap::new(),
        })
    }

    pub(crate) fn open(directory: &Path) -> Result<Loaded, HubError> {
        let path = directory.join(FILE);
        let database = open_database(&path)?;
        let damaged = |e: redb::Error| HubError::Data {
            path: path.clone(),
            message: e.to_string(),
        };
        let format = read_setting(&database, "format").map_err(damaged)?;
        let policies = match format {
            None => {
                let policies = Policies::generate()?;
                initialize(&database, &policies).map_err(damaged)?;
                policies
            }
            Some(format) => {
                check_format(&path, &format)?;
                let policies = read_setting(&database, "policies").map_err(damaged)?;
                decode(&path, "policies", &policies.unwrap_or_default())?
            }
        };
        let records = read_records(&path, &database, damaged)?;
        Ok(Loaded {
            store: Self::Disk(database),
            policies,
            records,
        })
    }

    /// Writes all changes or none of them; `None` deletes.
    pub(crate) fn write(&self, changes: &[(&Name, Option<&Record>)]) -> Result<(), Refusal> {
        let Self::Disk(database) = self else {
            return Ok(());
        };
        write_records(database, changes).map_err(|e| {
            Refusal::new(
                ErrorCode::ServerError,
                format!("the hub cannot store its data: {e}"),
            )
        })
    }
}

fn open_database(path: &Path) -> Result<Database, HubError> {
    let database = Database::builder()
        .set_cache_size(16 << 20)
        .set_check_integrity_on_open(true)
        .create(path)
        .map_err(|e| match e {
            DatabaseError::DatabaseAlreadyOpen => {
                HubError::DataInUse(path.parent().map_or_else(PathBuf::new, Path::to_path_buf))
            }
            e => HubError::Data {
                path: path.to_path_buf(),
                message: e.to_string(),
            },
        })?;
    restrict(path)?;
    Ok(database)
}

/// The database holds keys: nobody but the owner reads it.
fn restrict(path: &Path) -> Result<(), HubError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|source| HubError::File {
        path: path.to_path_buf(),
        source,
    })
}

fn check_format(path: &Path, bytes: &[u8]) -> Result<(), HubError> {
    let found: u64 = decode(path, "format", bytes)?;
    if found > FORMAT {
        let path = path.to_path_buf();
        return Err(HubError::DataNewer {
            path,
            found,
            supported: FORMAT,
        });
    }
    Ok(())
}

fn decode<T: serde::de::DeserializeOwned>(
    path: &Path,
    what: &str,
    bytes: &[u8],
) -> Result<T, HubError> {
    serde_json::from_slice(bytes).map_err(|e| HubError::Data {
        path: path.to_path_buf(),
        message: format!("{what}: {e}"),
    })
}

fn read_setting(database: &Database, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
    use redb::ReadableDatabase as _;
    let transaction = database.begin_read()?;
    match transaction.open_table(SETTINGS) {
        Ok(table) => Ok(table.get(key)?.map(|value| value.value().to_vec())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn initialize(database: &Database, policies: &Policies) -> Result<(), redb::Error> {
    let policies = serde_json::to_vec(policies).unwrap_or_default();
    let transaction = database.begin_write()?;
    {
        let mut settings = transaction.open_table(SETTINGS)?;
        settings.insert("format", FORMAT.to_string().as_bytes())?;
        settings.insert("policies", policies.as_slice())?;
        transaction.open_table(RECORDS)?;
    }
    transaction.commit()?;
    Ok(())
}

fn read_records(
    path: &Path,
    database: &Database,
    damaged: impl Fn(redb::Error) -> HubError,
) -> Result<BTreeMap<Name, Record>, HubError> {
    use redb::ReadableDatabase as _;
    let transaction = database.begin_read().map_err(|e| damaged(e.into()))?;
    let table = transaction
        .open_table(RECORDS)
        .map_err(|e| damaged(e.into()))?;
    let mut records = BTreeMap::new();
    for entry in table.iter().map_err(|e| damaged(e.into()))? {
        let (key, value) = entry.map_err(|e| damaged(e.into()))?;
        let name = Name::parse(key.value()).map_err(|e| HubError::Data {
            path: path.to_path_buf(),
            message: format!("record {:?}: {e}", key.value()),
        })?;
        let record = decode(path, key.value(), value.value())?;
        records.insert(name, record);
    }
    Ok(records)
}

fn write_records(
    database: &Database,
    changes: &[(&Name, Option<&Record>)],
) -> Result<(), Box<dyn std::error::Error>> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(RECORDS)?;
        for (name, record) in changes {
            let key = name.to_string();
            match record {
                Some(record) => {
                    table.insert(key.as_str(), serde_json::to_vec(record)?.as_slice())?;
                }
                None => {
                    table.remove(key.as_str())?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}
