//! `dlms decode`: what octets say.

use crate::args::DecodeArgs;
use crate::failure::{Failure, Result};

pub(crate) fn run(_args: &DecodeArgs, _json: bool) -> Result<()> {
    Err(Failure::bug("not wired"))
}
