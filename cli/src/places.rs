//! Where the command keeps things: the base directories of the XDG specification.

use std::path::PathBuf;

use crate::failure::{Failure, Result};

/// `~/.config/dlms`
pub(crate) fn config() -> Result<PathBuf> {
    base("XDG_CONFIG_HOME", ".config")
}

/// `~/.local/state/dlms`
pub(crate) fn state() -> Result<PathBuf> {
    base("XDG_STATE_HOME", ".local/state")
}

fn base(variable: &str, below_home: &str) -> Result<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    std::env::var_os(variable)
        .and_then(|path| absolute(path.into()))
        .or_else(|| Some(std::env::home_dir()?.join(below_home)))
        .map(|base| base.join("dlms"))
        .ok_or_else(|| Failure::usage(format!("neither HOME nor {variable} is set")))
}
