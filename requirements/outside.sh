#!/bin/sh
# Puts the programs of others with which the tests drive the offline AWS below the environment $1: the AWS CLI in
# $1/outside, which needs other versions of our libraries than we do, and the CDK CLI in $1/cdk.
#
# Called before each run of the tests, so what is up to date costs next to nothing: each folder holds the digest of what
# was installed into it. What cannot be installed is said, and its tests are skipped, with the reason that stands in
# $1/NAME.failed.
set -eu

venv=$1

digest() {
    cat "$@" requirements/outside.sh | cksum
}

aws_cli() {
    "$venv/bin/python" -m venv --clear "$venv/outside"
    "$venv/outside/bin/python" -m pip --disable-pip-version-check --no-input --quiet --retries 1 install \
        --no-compile --require-hashes --only-binary :all: --no-deps --requirement requirements/outside.lock
}

cdk_cli() {
    rm -rf "$venv/cdk"
    mkdir -p "$venv/cdk"
    cp requirements/cdk/package.json requirements/cdk/package-lock.json "$venv/cdk"
    sh requirements/npm.sh "$venv" ci --prefix "$venv/cdk" --omit=optional --no-audit --no-fund --fetch-retries=1 \
        >/dev/null
}

# Installs $2 into $venv/$1, unless it holds what the files named after that say.
provide() {
    name=$1 install=$2
    shift 2
    wanted=$(digest "$@")
    if [ -f "$venv/$name/.installed" ] && [ "$(cat "$venv/$name/.installed")" = "$wanted" ]; then
        return
    fi
    echo "Installing $*"
    if "$install" 2>"$venv/$name.failed"; then
        rm -f "$venv/$name.failed"
        echo "$wanted" >"$venv/$name/.installed"
    else
        echo "These tests are left out, because $* could not be installed:" >&2
        cat "$venv/$name.failed" >&2
    fi
}

provide outside aws_cli requirements/outside.lock
provide cdk cdk_cli requirements/cdk/package.json requirements/cdk/package-lock.json
