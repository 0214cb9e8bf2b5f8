//! `dlms demo`: the tour.

use crate::args::DemoArgs;
use crate::failure::{Failure, Result};

pub(crate) async fn run(_args: &DemoArgs) -> Result<()> {
    Err(Failure::bug("not wired"))
}
