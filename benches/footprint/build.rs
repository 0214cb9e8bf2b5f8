//! Shows the linker where things go on the boards of the emulator.

use std::env;

fn main() {
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default() + "/link";
    let target = env::var("TARGET").unwrap_or_default();
    let board = if target.starts_with("thumb") { "arm" } else { "riscv" };
    println!("cargo:rustc-link-search={folder}/{board}");
    println!("cargo:rustc-link-arg-bins=-T{folder}/image.x");
    println!("cargo:rerun-if-changed=link");
    println!("cargo:rustc-check-cfg=cfg(thumb1)");
    if target.starts_with("thumbv6m") {
        println!("cargo:rustc-cfg=thumb1");
    }
}
