#!/usr/bin/env bash
# Makes tests/interop/.venv with the peers of requirements.txt and prints its Python.
# Does nothing where it is made already, so it works without a network then.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

venv=$PWD/.venv
# Written last: a venv that was left half made is made again.
stamp=$venv/requirements.txt

# Tests of several crates may ask at the same time.
if command -v flock >/dev/null; then
    exec 9>.lock
    flock 9
fi
if ! { [ -x "$venv/bin/python" ] && cmp -s requirements.txt "$stamp"; }; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 5 -r requirements.txt >&2
    cp requirements.txt "$stamp"
fi
echo "$venv/bin/python"
