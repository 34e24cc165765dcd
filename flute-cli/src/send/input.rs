// SPDX-License-Identifier: MPL-2.0

//! The files to send: those that are there, one after the other, or those that are written, as they are completed.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{self, TryRecvError};
use std::thread::{self, Thread};
use std::time::Duration;

use anyhow::Context;
use flute_folder::source::{FoundFile, Next, Selection, Watcher, find, other_name};
use flute_proto::sender::{FileSource, Source};

use super::SendArguments;

/// Bytes of a file that is read into memory at most.
const MAX_READ: u64 = 64 << 10;

/// Changes that a watcher tells ahead of the session.
const AHEAD: usize = 16;

/// A file that can be sent.
#[derive(Debug)]
pub(super) struct InputFile {
    /// Content-Location, without the prefix.
    pub(super) name: String,
    pub(super) source: Box<dyn Source>,
}

/// What is next.
#[derive(Debug)]
pub(super) enum Change {
    /// A file is to be sent, and what is to be told about its name.
    File(InputFile, Option<String>),
    /// The file of this name is there no more.
    Gone(String),
    /// A file cannot be sent, and why.
    Unreadable(String),
    /// Files cannot be watched any more.
    Failed(String),
}

/// Where files come from.
#[derive(Debug)]
pub(super) enum Input {
    /// These files of selections.
    Listed { selections: Vec<Selection>, files: VecDeque<(usize, FoundFile)>, unreadable: VecDeque<String> },
    /// What threads tell that watch folders.
    Watched(mpsc::Receiver<Change>),
}

impl Input {
    /// Looks at what is there, or begins to watch it. The calling thread is unparked when a watched folder changes.
    pub(super) fn open(arguments: &SendArguments) -> anyhow::Result<Self> {
        let mut selections = Vec::new();
        for path in arguments.paths() {
            let location = path.to_str().with_context(|| format!("{} is no UTF-8: rename it", path.display()))?;
            selections.push(Selection::new(location, arguments.rules(), arguments.ignored())?);
        }
        match arguments.watch() {
            Some(settle_time) => Self::watch(selections, settle_time),
            None => Self::list(selections),
        }
    }

    fn list(selections: Vec<Selection>) -> anyhow::Result<Self> {
        let (mut files, mut unreadable) = (VecDeque::new(), VecDeque::new());
        let mut names = HashSet::new();
        for (index, selection) in selections.iter().enumerate() {
            let found = find(selection, true)?;
            unreadable.extend(found.unreadable);
            for file in found.files {
                if names.insert(file.name.clone()) {
                    files.push_back((index, file));
                } else {
                    let path = selection.folder().join(&file.relative);
                    let reason = "another file has this name already: send them in sessions of their own";
                    unreadable.push_back(format!("{}: {reason}", path.display()));
                }
            }
        }
        Ok(Self::Listed { selections, files, unreadable })
    }

    fn watch(selections: Vec<Selection>, settle_time: Duration) -> anyhow::Result<Self> {
        let (changes, receiver) = mpsc::sync_channel(AHEAD);
        for selection in selections {
            let folder = selection.folder().display().to_string();
            let watcher = Watcher::new(selection, settle_time).with_context(|| format!("watching {folder}"))?;
            let (changes, session) = (changes.clone(), thread::current());
            let name = "flute-watch".to_owned();
            thread::Builder::new()
                .name(name)
                .spawn(move || tell_changes(watcher, &changes, &session))
                .context("starting a thread")?;
        }
        Ok(Self::Watched(receiver))
    }

    /// Bytes of all files, if they are known.
    pub(super) fn total(&self) -> Option<u64> {
        let Self::Listed { selections, files, .. } = self else { return None };
        let length = |(index, file): &(usize, FoundFile)| {
            let path = selections[*index].folder().join(&file.relative);
            path.metadata().map_or(0, |metadata| metadata.len())
        };
        Some(files.iter().map(length).sum())
    }

    /// The next change; `None` if there is none now.
    pub(super) fn next(&mut self) -> Option<Change> {
        let (selections, files, unreadable) = match self {
            Self::Watched(changes) => {
                return match changes.try_recv() {
                    Ok(change) => Some(change),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => Some(Change::Failed("nothing is watched any more".to_owned())),
                };
            }
            Self::Listed { selections, files, unreadable } => (selections, files, unreadable),
        };
        if let Some(reason) = unreadable.pop_front() {
            return Some(Change::Unreadable(reason));
        }
        let (index, found) = files.pop_front()?;
        let selection = &selections[index];
        let path = selection.folder().join(&found.relative);
        let source = selection.open(&found.relative);
        Some(match source.and_then(|(file, metadata)| source_of(&file, metadata.len(), &path)) {
            Ok(source) => {
                let about_name = other_name(&path, &found.relative, &found.name);
                Change::File(InputFile { name: found.name, source }, about_name)
            }
            Err(error) => Change::Unreadable(format!("{}: {error}", path.display())),
        })
    }

    /// Whether nothing more can come.
    pub(super) fn is_exhausted(&self) -> bool {
        match self {
            Self::Listed { files, unreadable, .. } => files.is_empty() && unreadable.is_empty(),
            Self::Watched(_) => false,
        }
    }
}

/// A short file is read, so that no writer can change it any more; a long one is read as it is sent.
fn source_of(file: &File, length: u64, path: &Path) -> io::Result<Box<dyn Source>> {
    if length > MAX_READ {
        return Ok(Box::new(FileSource::open(path)?));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(MAX_READ).read_to_end(&mut bytes)?;
    Ok(Box::new(bytes))
}

/// Tells what happens in a folder until the receiving end is gone.
fn tell_changes(mut watcher: Watcher, changes: &mpsc::SyncSender<Change>, session: &Thread) {
    loop {
        let change = match next_change(&mut watcher) {
            Ok(Some(change)) => change,
            Ok(None) => continue,
            Err(error) => Change::Failed(error.to_string()),
        };
        let is_last = matches!(change, Change::Failed(_));
        let is_heard = changes.send(change).is_ok();
        session.unpark();
        if is_last || !is_heard {
            return;
        }
    }
}

/// Waits if there is nothing.
fn next_change(watcher: &mut Watcher) -> io::Result<Option<Change>> {
    Ok(match watcher.next_change()? {
        Next::File(found) => {
            let source = source_of(&found.file, found.length, &found.path);
            if !watcher.confirm(&found)? {
                return Ok(None);
            }
            Some(match source {
                Ok(source) => {
                    let about_name = other_name(&found.path, &found.relative, &found.name);
                    Change::File(InputFile { name: found.name, source }, about_name)
                }
                Err(error) => Change::Unreadable(format!("{}: {error}", found.path.display())),
            })
        }
        Next::Gone(name) => Some(Change::Gone(name)),
        Next::Complaint(text) => Some(Change::Unreadable(text)),
        Next::Wait(time) => {
            watcher.wait(time)?;
            None
        }
    })
}
