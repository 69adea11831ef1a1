#!/bin/sh
# Writes the lock files from the *.in files. UV names the uv program. Versions that still fit are kept;
# `UPGRADE=1` takes the newest, `UPGRADE=name` the newest of one package.
set -eu
cd "$(dirname "$0")"
UV=${UV:-uv}
case $UV in /*) ;; */*) UV=../$UV ;; esac

case ${UPGRADE:-} in
'') set -- ;;
1) set -- --upgrade ;;
*) set -- --upgrade-package "$UPGRADE" ;;
esac

lock() {
    echo "== $1"
    output=$1
    shift
    "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
        --no-emit-index-url --no-emit-find-links --output-file "$output" "$@"
}

lock app.lock "$@" app.in demo.in
lock dev.lock "$@" dev.in
lock models.lock --no-deps "$@" models.in
