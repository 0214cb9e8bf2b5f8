//! `dlms listen`: notifications.

use crate::args::ListenArgs;
use crate::failure::{Failure, Result};

pub(crate) async fn run(_args: &ListenArgs, _json: bool) -> Result<()> {
    Err(Failure::bug("not wired"))
}
