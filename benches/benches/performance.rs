//! The rows of this crate that need no other process: exchanges and growth, each beside its floor.
//!
//! `cargo bench -p dlms-benches` measures; `cargo test --benches` runs each row once, to see that it works.

use dlms_benches::{exchanges, growth};

fn main() -> anyhow::Result<()> {
    let once = !std::env::args().any(|argument| argument == "--bench");
    println!("{}", exchanges::table(once.then_some(1))?);
    println!("{}", growth::table(once.then_some(1_000))?);
    Ok(())
}
