//! The model in the memory of a process, and when to read it anew.

use super::{
    file::{self, FileError},
    model::Model,
};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

/// What judges where nothing was learned: the base model alone.
static UNTAUGHT: LazyLock<Arc<Model>> = LazyLock::new(|| Arc::new(Model::empty(0, 0)));

/// The model that judges now. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LiveModel(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    /// `None`: no file's.
    path: Option<PathBuf>,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    stamp: Option<Stamp>,
    model: Option<Arc<Model>>,
}

/// By this a changed file shows: every save makes another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl LiveModel {
    /// The model of a state directory. Nothing is read before [`LiveModel::refresh`].
    pub fn of(dir: &Path) -> Self {
        LiveModel(Some(Arc::new(Inner { path: Some(dir.join(file::FILE)), state: RwLock::default() })))
    }

    /// A model that is in memory alone.
    pub fn in_memory(model: Model) -> Self {
        let state = State { stamp: None, model: Some(Arc::new(model)) };
        LiveModel(Some(Arc::new(Inner { path: None, state: RwLock::new(state) })))
    }

    /// Changes the model in memory, which a file may replace again. Who judges by it at this moment goes on with the old.
    pub fn change(&self, change: impl FnOnce(&mut Model)) {
        let Some(inner) = &self.0 else { return };
        let mut state = inner.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = &mut state.model {
            change(Arc::make_mut(model));
        }
    }

    /// The model; `None` if there is none, or none that can be read.
    pub fn current(&self) -> Option<Arc<Model>> {
        self.0.as_ref()?.state.read().unwrap_or_else(PoisonError::into_inner).model.clone()
    }

    /// What judges now: the site's model, or where there is none, one that was taught nothing.
    pub fn in_force(&self) -> Arc<Model> {
        self.current().unwrap_or_else(|| Arc::clone(&UNTAUGHT))
    }

    /// Reads the file if it is another than before; says whether it was. A file that is gone leaves no model, a damaged
    /// one leaves the model that was there.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is no model of this version. Each such file is reported once.
    pub fn refresh(&self) -> Result<bool, FileError> {
        let Some(inner) = &self.0 else { return Ok(false) };
        let Some(path) = &inner.path else { return Ok(false) };
        let stamp = match fs::metadata(path) {
            Ok(data) => {
                Some(Stamp { inode: data.ino(), length: data.len(), modified: (data.mtime(), data.mtime_nsec()) })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(FileError::System { path: path.clone(), source }),
        };
        if inner.state.read().unwrap_or_else(PoisonError::into_inner).stamp == stamp {
            return Ok(false);
        }
        let model = stamp.map(|_| file::read(path).map(Arc::new)).transpose();
        let mut state = inner.state.write().unwrap_or_else(PoisonError::into_inner);
        state.stamp = stamp;
        state.model = model?;
        Ok(true)
    }
}
