//! The `dlms` command.

fn main() {}
