#!/bin/sh
# A daemon that keeps others away as shell scripts often do: noclobber(sh) makes the pidfile, kill -0 tells whether one
# that is there is stale. Correct but for its races.
#
#     sh noclobber.sh --pidfile FILE
set -u
[ "${1-}" = --pidfile ] && [ $# -eq 2 ] || { echo "usage: noclobber.sh --pidfile FILE" >&2; exit 2; }
pidfile=$2

take() {
    (set -o noclobber && echo "$$" >"$pidfile") 2>/dev/null
}

if ! take; then
    read -r owner <"$pidfile"
    if kill -0 "$owner" 2>/dev/null; then
        echo "noclobber.sh: already running as pid $owner" >&2
        exit 1
    fi
    rm -f "$pidfile"
    take || { echo "noclobber.sh: $pidfile was taken by another start" >&2; exit 1; }
fi

trap 'kill "$work"; rm -f "$pidfile"; exit 0' TERM INT HUP
sleep infinity &
work=$!
wait "$work"
rm -f "$pidfile"
