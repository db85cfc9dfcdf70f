#!/bin/sh
# Makes the missing system packages and Python environments of `make run` and `make local`.
#
#   local/setup.sh [environment ...]      emulator functions engine local (default: all four)
#                                         web: Chromium and TypeScript, for the review page's tests
#
# Each environment is made by uv from its lock file with hashes, and made again only when the lock file has changed.
# Exit code 3: something is missing that this user cannot install; the command to run is printed.
set -eu

cd "$(dirname "$0")/.."
wanted=${*:-emulator functions engine local}
log=.venvs/setup.log
mkdir -p .venvs

# fonts-urw-base35: for PDFs without embedded fonts; fonts-wqy-microhei: the same in Chinese, Japanese and Korean.
poppler_packages="poppler-utils poppler-data fonts-urw-base35 fonts-wqy-microhei"
tesseract_packages="tesseract-ocr"
for language in osd eng kor ara rus ukr vie deu fra jpn heb frk; do
    tesseract_packages="$tesseract_packages tesseract-ocr-$language"
done

say() { printf 'setup: %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
wants() { case " $wanted " in *" $1 "*) true ;; *) false ;; esac; }

# ── System packages ──────────────────────────────────────────────────────────────────────────────────────────────────

programs=""
packages=""
if wants functions; then programs="$programs pdftoppm pdfinfo" packages="$packages $poppler_packages"; fi
if wants engine; then programs="$programs tesseract" packages="$packages $tesseract_packages"; fi
# Some tests have no other use than with these, and are skipped without them.
if wants development; then packages="$packages strace busybox-static tesseract-ocr-chi-sim"; fi
if wants web; then programs="$programs chromium" packages="$packages chromium"; fi
# Node.js may have come another way than by apt; its npm would be refused then.
if wants web && ! has npm; then programs="$programs npm" packages="$packages npm"; fi

missing_programs() { for program in $programs; do has "$program" || printf '%s ' "$program"; done; }

# A package that cannot be had (an offline machine) is tried once, not at every start.
system_stamp=".venvs/.system-$(printf '%s' "$packages" | cksum | tr ' ' '-')"
install_system_packages() {
    [ -n "$packages" ] || return 0
    [ -e "$system_stamp" ] && [ -z "$(missing_programs)" ] && return 0
    if has apt-get; then
        install_with_apt
    elif [ -n "$(missing_programs)" ] && [ "$(uname -s)" = Darwin ]; then
        say "missing: $(missing_programs)- please run: brew install poppler tesseract tesseract-lang"
        exit 3
    fi
    # Without a language pack or a font less is recognized; without the programs nothing is.
    if [ -n "$(missing_programs)" ]; then
        say "missing: $(missing_programs)- please install poppler's and Tesseract's programs."
        exit 3
    fi
    : >"$system_stamp"
}

install_with_apt() {
    # shellcheck disable=SC2016,SC2086  # dpkg's own variables; a list of words
    installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package} ' $packages 2>/dev/null || true) "
    absent=""
    for package in $packages; do
        case "$installed" in *" installed:$package "*) ;; *) absent="$absent $package" ;; esac
    done
    [ -n "$absent" ] || return 0
    command="apt-get install -y --no-install-recommends$absent"
    if [ "$(id -u)" -eq 0 ]; then
        say "installing$absent"
        (apt-get update && DEBIAN_FRONTEND=noninteractive $command) >>"$log" 2>&1 ||
            say "apt-get could not install all of them (see $log)."
    else
        say "missing:$absent - please run: sudo sh -c 'apt-get update && $command'"
        [ -z "$(missing_programs)" ] || exit 3
    fi
}

# ── Python environments ──────────────────────────────────────────────────────────────────────────────────────────────

lock_of() { printf 'locks/%s.txt' "$1"; }
is_ready() {
    [ -x ".venvs/$1/bin/python" ] && [ -r ".venvs/$1/.lock-sum" ] || return 1
    read -r synced <".venvs/$1/.lock-sum"
    [ "$synced" = "$(cksum <"$(lock_of "$1")")" ]
}

find_python() { # 3.11 or newer; the versions with a wheel of every package come first
    for candidate in python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return 0
        fi
    done
    printf '3.13' # uv fetches it
}

find_uv() {
    if uv --version >/dev/null 2>&1; then
        uv=uv
    else
        uv=.venvs/uv/bin/uv
        [ -x "$uv" ] || make_uv
    fi
}

make_uv() {
    if ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
        if has apt-get; then
            programs="python3" packages="python3 python3-venv"
            install_with_apt
            [ -z "$(missing_programs)" ] || exit 3
        else
            say "Python 3 with its venv module is missing - please install it."
            exit 3
        fi
    fi
    say "installing uv"
    {
        rm -rf .venvs/uv
        python3 -m venv .venvs/uv && .venvs/uv/bin/python -m pip install --require-hashes -r locks/local.uv.txt
    } >>"$log" 2>&1 || { say "uv could not be installed (see $log)."; exit 3; }
}

make_environment() { # name
    [ -x ".venvs/$1/bin/python" ] || "$uv" venv --allow-existing --python "$python" ".venvs/$1"
    # Several environments of the functions start at once: bytecode made beforehand is not made by each of them.
    compile=$([ "$1" = functions ] && printf '%s' --compile-bytecode || true)
    # shellcheck disable=SC2086  # empty or one word
    "$uv" pip sync --require-hashes $compile --python ".venvs/$1/bin/python" "$(lock_of "$1")"
    cksum <"$(lock_of "$1")" >".venvs/$1/.lock-sum"
}

make_environments() {
    unready=""
    for name in $wanted; do [ "$name" = web ] || is_ready "$name" || unready="$unready $name"; done
    [ -n "$unready" ] || return 0
    find_uv
    python=$(find_python)
    say "installing the Python environments:$unready"
    children=""
    for name in $unready; do
        (set -e; make_environment "$name") >".venvs/setup-$name.log" 2>&1 &
        children="$children $!:$name"
    done
    failed=""
    for child in $children; do wait "${child%%:*}" || failed="$failed ${child#*:}"; done
    for name in $failed; do
        say "the environment $name could not be made (see .venvs/setup-$name.log):"
        tail -n 3 ".venvs/setup-$name.log" >&2
    done
    [ -z "$failed" ] || exit 3
}

# The review page's: TypeScript, by npm from its lock file with hashes. Nothing that a package brings is run.
make_web_environment() {
    wants web || return 0
    sum=$(cksum <locks/web/package-lock.json)
    [ -r .venvs/web/.lock-sum ] && read -r synced <.venvs/web/.lock-sum && [ "$synced" = "$sum" ] && return 0
    say "installing the environment: web"
    mkdir -p .venvs/web
    cp locks/web/package.json locks/web/package-lock.json .venvs/web
    (cd .venvs/web && npm ci --ignore-scripts --no-audit --no-fund) >.venvs/setup-web.log 2>&1 || {
        say "the environment web could not be made (see .venvs/setup-web.log):"
        tail -n 3 .venvs/setup-web.log >&2
        exit 3
    }
    printf '%s\n' "$sum" >.venvs/web/.lock-sum
}

# ── One setup at a time ──────────────────────────────────────────────────────────────────────────────────────────────

# The system lets go of the lock when its holder ends, however that is: nothing of it can be left behind. Linux has
# flock; macOS has not, and has perl.
take_turn() {
    exec 9>.venvs/.lock
    try_lock && return 0
    say "another setup is at work here: waiting for it"
    wait_for_lock
}
try_lock() { lock_with -n "LOCK_EX | LOCK_NB"; }
wait_for_lock() { lock_with "" LOCK_EX; }
lock_with() {
    # shellcheck disable=SC2086  # empty or one word
    if has flock; then
        flock $1 9
    elif has perl; then
        perl -e 'use Fcntl ":flock"; open(my $lock, ">&=", 9) or exit 1; exit !flock($lock, '"$2"');'
    elif has python3; then
        python3 -c "from fcntl import *; flock(9, $2)" 2>/dev/null
    fi
}

take_turn
install_system_packages
make_environments
make_web_environment
