#!/bin/sh
# Makes the environment $1 hold what requirements/$2.lock says and the project itself, editable.
#
# The Makefile calls it at each start, so an environment that is up to date must cost next to nothing: what was
# installed is told from the digest that the last installation left in $1/.$2. The dev environment holds all that the
# demo needs, so it serves for both.
set -eu

venv=$1
name=$2
lock=requirements/$name.lock

# The digest of what an installation of the lock $1 depends on.
digest() {
    cat "requirements/$1.lock" pyproject.toml requirements/install.sh | cksum
}

current() {
    [ -x "$venv/bin/python" ] && [ -f "$venv/.$1" ] && [ "$(cat "$venv/.$1")" = "$(digest "$1")" ]
}

if current "$name" || { [ "$name" = demo ] && current dev; }; then
    exit 0
fi

if ! command -v "$PYTHON" >/dev/null 2>&1; then
    echo "Orbits needs Python 3.11 or newer, and there is no '$PYTHON' on the PATH." >&2
    echo "Install it, or name another one: make PYTHON=/path/to/python3.12 ..." >&2
    exit 1
fi
# Written for any Python since 2.7, so that an old one gets the message and no traceback.
"$PYTHON" - <<'PYTHON_VERSION' || exit 1
import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "Orbits needs Python 3.11 or newer; %s is %d.%d.\n"
        "Name another one: make PYTHON=/path/to/python3.12 ...\n"
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )
    sys.exit(1)
PYTHON_VERSION

# Absent, half made, or of a Python that is too old.
if ! "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    echo "Making $venv"
    "$PYTHON" -m venv --clear "$venv" || {
        echo "Could not make a virtual environment. On Debian and Ubuntu it takes the package python3-venv." >&2
        exit 1
    }
fi
# One made by another tool may have no pip.
"$venv/bin/python" -c 'import pip' 2>/dev/null || "$venv/bin/python" -m ensurepip >/dev/null

pip() {
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input --quiet "$@"
}

rm -f "$venv/.demo" "$venv/.dev"
echo "Installing $lock; once for each change of it, some minutes on a slow line"
# Wheels alone: a source package would be built by a backend that no lock pins. What is never imported need not be
# compiled, which takes longer than all the rest: Python compiles the others when it first imports them.
pip install --no-compile --require-hashes --only-binary :all: --no-deps --requirement "$lock"
pip install --no-deps --no-build-isolation --editable .
digest "$name" >"$venv/.$name"
