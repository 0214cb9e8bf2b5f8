# Sourced by .ci/run and test: runs a named step and prints how long it took; the first that fails ends the script.
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"

step() {
    local name=$1 start=$SECONDS status=0
    shift
    printf '\n=== %s\n' "$name"
    "$@" || status=$?
    printf '=== %s: %s after %d s (%d s in total)\n' "$name" \
        "$([ $status -eq 0 ] && echo done || echo "FAILED ($status)")" $((SECONDS - start)) "$SECONDS"
    [ $status -eq 0 ] || exit $status
}

# The targets that the build without an allocator is for.
embedded_targets=(thumbv7em-none-eabihf thumbv6m-none-eabi)
# The target of the meter that runs in the emulator.
emulated_target=thumbv7m-none-eabi
# What sizes are measured on besides.
measured_target=riscv32imc-unknown-none-elf

embedded_toolchain() {
    local installed target
    command -v rustup >/dev/null || return 0
    installed=$(rustup target list --installed)
    for target in "${embedded_targets[@]}" "$emulated_target" "$measured_target"; do
        grep -qx "$target" <<<"$installed" || rustup target add "$target" || return
    done
}
