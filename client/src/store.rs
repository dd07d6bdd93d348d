//! Where the record of a module is kept between runs: a trait, and a file store that survives
//! torn writes, full disks and foreign files with an error that has a name.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use twinguard_core::module::MAX_RECORD_BYTES;

use crate::error::{Error, ErrorKind};

/// Keeps one record of opaque bytes (at most
/// [`MAX_RECORD_BYTES`](twinguard_core::module::MAX_RECORD_BYTES)) for one module. The record
/// holds twin documents and no key. `load` is called once, while the client is built; `save` on
/// a thread that exists only while there is something to save, never on the I/O thread.
pub trait Store: Send {
    /// The record saved last; `None` when there is none.
    fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps the record in place of the one before. Afterwards `load` gives either this record
    /// or, when saving ends with an error, the one before.
    fn save(&mut self, record: &[u8]) -> Result<(), StoreError>;

    /// The record that `load` gave does not fit this module: put it out of the way of the next
    /// `save`, if it is worth keeping. Does nothing by default.
    fn set_aside(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The system could not read or write.
    Io,
    /// The file is not a record of this library, or not of this module.
    Foreign,
    /// The record is cut short or damaged.
    Torn,
    /// The file system is read-only.
    ReadOnly,
    /// No room is left.
    Full,
    /// Owner or permissions are not safe, or do not let us in.
    Permissions,
    /// The record was written by a newer version.
    Version,
    /// Another client, perhaps of another process, uses the directory.
    Locked,
}

/// An error of a store: the kind, and one line that names the file, the step and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<io::Error>,
}

impl StoreError {
    /// An error with its line.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The kind.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The answer of the system to one step on one path.
    fn system(path: &Path, step: &str, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => StoreErrorKind::Full,
            io::ErrorKind::ReadOnlyFilesystem => StoreErrorKind::ReadOnly,
            io::ErrorKind::PermissionDenied => StoreErrorKind::Permissions,
            _ => StoreErrorKind::Io,
        };
        let message = format!("{}: {step}: {source}", path.display());
        Self {
            kind,
            message,
            source: Some(source),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match error.kind {
            StoreErrorKind::Io => ErrorKind::StoreIo,
            StoreErrorKind::Foreign => ErrorKind::StoreForeign,
            StoreErrorKind::Torn => ErrorKind::StoreTorn,
            StoreErrorKind::ReadOnly => ErrorKind::StoreReadOnly,
            StoreErrorKind::Full => ErrorKind::StoreFull,
            StoreErrorKind::Permissions => ErrorKind::StorePermissions,
            StoreErrorKind::Version => ErrorKind::StoreVersion,
            StoreErrorKind::Locked => ErrorKind::StoreLocked,
        };
        Self::new(kind, error.message.clone()).with_source(error)
    }
}

/// The record in a directory of its own, one directory per module.
///
/// Files: `twin.record` (0600; 20 bytes of header, then the record), `lock` (held while the store
/// is open), `twin.record.new` (only while a save is under way). A file that cannot be used is
/// renamed and kept: `twin.record.corrupt`, `twin.record.foreign`, `twin.record.newer`.
#[derive(Debug)]
pub struct FileStore {
    directory: PathBuf,
    /// `None` while the directory could not be written to; the next save tries again.
    lock: Option<File>,
}

const RECORD: &str = "twin.record";
const MAGIC: &[u8; 8] = b"TWINGRD\x01";
const FORMAT: u32 = 1;
/// Magic, format, length of the record, CRC-32 of all of that and the record; little-endian.
const HEADER_BYTES: usize = 8 + 4 + 4 + 4;

impl FileStore {
    /// Opens the directory, makes it (0700, with its parents) when it does not exist, and locks
    /// it against a second client. A directory that belongs to another user, or that group or
    /// others may enter, is refused ([`StoreErrorKind::Permissions`]); so is one that is in use
    /// ([`StoreErrorKind::Locked`]). On a read-only or full file system the store opens, so that
    /// what was saved before can be loaded; saving ends with an error until there is room.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = directory.into();
        if directory.as_os_str().is_empty() {
            let message = "store directory: the path is empty";
            return Err(StoreError::new(StoreErrorKind::Io, message));
        }
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory);
        made.map_err(|e| StoreError::system(&directory, "make the directory", e))?;
        check_directory(&directory)?;
        let mut store = Self {
            directory,
            lock: None,
        };
        match store.take_lock() {
            Err(e) if !matches!(e.kind, StoreErrorKind::ReadOnly | StoreErrorKind::Full) => Err(e),
            _ => Ok(store),
        }
    }

    fn take_lock(&mut self) -> Result<(), StoreError> {
        if self.lock.is_some() {
            return Ok(());
        }
        let path = self.directory.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|e| StoreError::system(&path, "open", e))?;
        match file.try_lock() {
            Ok(()) => self.lock = Some(file),
            Err(TryLockError::WouldBlock) => {
                let message = format!("{}: in use by another client", self.directory.display());
                return Err(StoreError::new(StoreErrorKind::Locked, message));
            }
            Err(TryLockError::Error(e)) => return Err(StoreError::system(&path, "lock", e)),
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.directory.join(RECORD)
    }

    /// Renames a record that is of no use; a name from an earlier time is replaced.
    fn rename_aside(&self, suffix: &str) -> Result<(), StoreError> {
        let path = self.path();
        let aside = self.directory.join(format!("{RECORD}.{suffix}"));
        fs::rename(&path, aside).map_err(|e| StoreError::system(&path, "set aside", e))
    }
}

impl Store for FileStore {
    fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StoreError::system(&path, "open", e)),
        };
        let mut bytes = Vec::new();
        let bound = (HEADER_BYTES + MAX_RECORD_BYTES + 1) as u64;
        let read = file.take(bound).read_to_end(&mut bytes);
        read.map_err(|e| StoreError::system(&path, "read", e))?;
        let refused = match decode(&bytes) {
            Ok(record) => return Ok(Some(record)),
            Err(refused) => refused,
        };
        let suffix = match refused.0 {
            StoreErrorKind::Foreign => "foreign",
            StoreErrorKind::Version => "newer",
            _ => "corrupt",
        };
        // If it cannot be set aside (read-only), saving will fail as well and nothing is lost.
        let kept = match self.rename_aside(suffix) {
            Ok(()) => format!("kept as {RECORD}.{suffix}"),
            Err(e) => format!("left in place ({e})"),
        };
        let message = format!("{}: {}; {kept}", path.display(), refused.1);
        Err(StoreError::new(refused.0, message))
    }

    fn save(&mut self, record: &[u8]) -> Result<(), StoreError> {
        self.take_lock()?;
        let path = self.path();
        let bytes = encode(record).ok_or_else(|| {
            let text = format!("{}: a record of {} bytes", path.display(), record.len());
            StoreError::new(
                StoreErrorKind::Full,
                format!("{text}, at most {MAX_RECORD_BYTES}"),
            )
        })?;
        let new = self.directory.join(format!("{RECORD}.new"));
        write_synced(&new, &bytes).inspect_err(|_| {
            // Half a file helps nobody and takes room; that it stays is harmless.
            let _ = fs::remove_file(&new);
        })?;
        fs::rename(&new, &path).map_err(|e| StoreError::system(&new, "rename", e))?;
        let synced = File::open(&self.directory).and_then(|directory| directory.sync_all());
        synced.map_err(|e| StoreError::system(&self.directory, "sync", e))
    }

    fn set_aside(&mut self) -> Result<(), StoreError> {
        self.rename_aside("foreign")
    }
}

fn check_directory(directory: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(directory);
    let metadata = metadata.map_err(|e| StoreError::system(directory, "look at", e))?;
    let refuse = |why: String| {
        let message = format!("{}: {why}", directory.display());
        Err(StoreError::new(StoreErrorKind::Permissions, message))
    };
    if !metadata.is_dir() {
        return refuse("not a directory".to_owned());
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return refuse(format!("mode {mode:04o} lets others in, expected 0700"));
    }
    let own = nix::unistd::geteuid().as_raw();
    if metadata.uid() != own {
        return refuse(format!(
            "belongs to user {}, expected {own}",
            metadata.uid()
        ));
    }
    Ok(())
}

fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    let mut file = file.map_err(|e| StoreError::system(path, "open", e))?;
    file.write_all(bytes)
        .map_err(|e| StoreError::system(path, "write", e))?;
    file.sync_all()
        .map_err(|e| StoreError::system(path, "sync", e))
}

/// Header and record; `None` when the record is too large.
fn encode(record: &[u8]) -> Option<Vec<u8>> {
    if record.len() > MAX_RECORD_BYTES {
        return None;
    }
    let length = u32::try_from(record.len()).ok()?.to_le_bytes();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + record.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&length);
    let sum = checksum(FORMAT.to_le_bytes(), length, record);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.extend_from_slice(record);
    Some(bytes)
}

/// The record, or what is wrong with the file.
fn decode(bytes: &[u8]) -> Result<Vec<u8>, (StoreErrorKind, String)> {
    let torn = |text: &str| Err((StoreErrorKind::Torn, text.to_owned()));
    let Some((magic, rest)) = bytes.split_first_chunk::<8>() else {
        return if MAGIC.starts_with(bytes) {
            torn("cut short in its header")
        } else {
            Err((StoreErrorKind::Foreign, "not a twinguard record".to_owned()))
        };
    };
    if magic != MAGIC {
        return Err((StoreErrorKind::Foreign, "not a twinguard record".to_owned()));
    }
    let Some((format, rest)) = rest.split_first_chunk::<4>() else {
        return torn("cut short in its header");
    };
    if u32::from_le_bytes(*format) > FORMAT {
        let format = u32::from_le_bytes(*format);
        let text = format!("record format {format}, this version reads up to {FORMAT}");
        return Err((StoreErrorKind::Version, text));
    }
    let Some((length, rest)) = rest.split_first_chunk::<4>() else {
        return torn("cut short in its header");
    };
    let Some((sum, record)) = rest.split_first_chunk::<4>() else {
        return torn("cut short in its header");
    };
    let announced = u32::from_le_bytes(*length) as usize;
    if record.len() != announced {
        let text = format!("holds {} bytes, its header says {announced}", record.len());
        return Err((StoreErrorKind::Torn, text));
    }
    if checksum(*format, *length, record) != u32::from_le_bytes(*sum) {
        return torn("the checksum does not fit");
    }
    Ok(record.to_vec())
}

fn checksum(format: [u8; 4], length: [u8; 4], record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&format);
    hasher.update(&length);
    hasher.update(record);
    hasher.finalize()
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
