//! The compiler's run-time library in its smallest form: an octet at a time, a bit at a time. The one that comes with the
//! toolchain is made for speed and takes 4 KB more. (An image for a real meter may do the same, as C's newlib-nano does.)

#[cfg(target_arch = "riscv32")]
mod riscv;
#[cfg(thumb1)]
mod thumb1;
#[cfg(all(target_arch = "arm", not(thumb1)))]
mod thumb2;
