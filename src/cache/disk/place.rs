//! Where things are in the folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{
    super::store::{CacheKey, random, random_number},
    access::{private_file, private_folder},
};

/// The folder, and the names in it.
pub(super) struct Place {
    root: PathBuf,
    /// Of this form of files; another form has another folder.
    entries: PathBuf,
}

impl Place {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { entries: root.join(FORM), root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The file of an entry.
    pub(super) fn of(&self, key: CacheKey) -> PathBuf {
        let name = key.to_string();
        let (folder, file) = name.split_at(FOLDER_DIGITS);
        self.entries.join(folder).join(file)
    }

    fn unfinished(&self) -> PathBuf {
        self.entries.join(UNFINISHED)
    }

    /// Makes a file under a name that nobody else has.
    pub(super) fn create(&self) -> io::Result<(File, PathBuf)> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:x}-{number:x}-{:x}", std::process::id(), random_number());
        let path = self.unfinished().join(name);
        let open = || private_file(OpenOptions::new().write(true).create_new(true)).open(&path);
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folder(&self.unfinished())?;
                open()
            }
            opened => opened,
        };
        file.map(|file| (file, path))
    }

    /// Gives a complete file the name of its entry.
    pub(super) fn publish(&self, unfinished: &Path, key: CacheKey) -> io::Result<()> {
        let path = self.of(key);
        match fs::rename(unfinished, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path.parent().map_or(Ok(()), make_folder)?;
                fs::rename(unfinished, &path)
            }
            renamed => renamed,
        }
    }

    /// The files of all entries.
    pub(super) fn entries(&self) -> io::Result<Vec<(CacheKey, PathBuf)>> {
        let mut found = Vec::new();
        for folder in list(&self.entries)? {
            let folder_name = folder.file_name();
            let Some(start) = folder_name.to_str().filter(|name| name.len() == FOLDER_DIGITS)
            else {
                continue;
            };
            for file in list(&folder.path())? {
                let name = format!("{start}{}", file.file_name().to_string_lossy());
                if let Ok(number) = u128::from_str_radix(&name, 16)
                    && name.len() == KEY_DIGITS
                {
                    found.push((CacheKey::from_u128(number), file.path()));
                }
            }
        }
        Ok(found)
    }

    /// The files that are being written, or were when a process ended.
    pub(super) fn unfinished_files(&self) -> io::Result<Vec<PathBuf>> {
        Ok(list(&self.unfinished())?.into_iter().map(|file| file.path()).collect())
    }

    /// What the keys of this folder are made with; the first who asks makes it.
    pub(super) fn secret(&self) -> io::Result<[u8; 16]> {
        let path = self.entries.join("secret");
        if let Some(secret) = read_secret(&path)? {
            return Ok(secret);
        }
        let (mut file, unfinished) = self.create()?;
        let made = file
            .write_all(&random())
            .and_then(|()| fs::hard_link(&unfinished, &path))
            .or_else(|error| match error.kind() {
                // Somebody else was first.
                io::ErrorKind::AlreadyExists => Ok(()),
                // No such links here: then the last one counts, and the entries of the first are
                // lost.
                _ => fs::rename(&unfinished, &path),
            });
        drop(fs::remove_file(&unfinished));
        made?;
        self.mark();
        read_secret(&path)?.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Tells those who make backups that there is nothing to save (<https://bford.info/cachedir/>).
    fn mark(&self) {
        let path = self.root.join("CACHEDIR.TAG");
        if let Ok(mut file) = OpenOptions::new().write(true).create_new(true).open(path) {
            // It works without.
            drop(file.write_all(b"Signature: 8a477f597d28d172789f06886806bc55\n"));
        }
    }
}

fn read_secret(path: &Path) -> io::Result<Option<[u8; 16]>> {
    let mut secret = [0; 16];
    match File::open(path).and_then(|mut file| file.read_exact(&mut secret)) {
        Ok(()) => Ok(Some(secret)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is in a folder; nothing if there is none.
fn list(path: &Path) -> io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(path) {
        Ok(entries) => entries.collect(),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(Vec::new()),
            _ => Err(error),
        },
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    private_folder(DirBuilder::new().recursive(true)).create(path)
}

const FORM: &str = "v1";
const UNFINISHED: &str = "unfinished";
const KEY_DIGITS: usize = 32;
/// 256 folders.
const FOLDER_DIGITS: usize = 2;
