//! `dlms serve`: a simulated meter.

use crate::args::ServeArgs;
use crate::failure::{Failure, Result};

pub(crate) async fn run(_args: &ServeArgs, _json: bool) -> Result<()> {
    Err(Failure::bug("not wired"))
}
