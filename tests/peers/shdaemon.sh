#!/bin/sh
#
# A correct foreground daemon in POSIX shell, as run under runit, daemontools or a container's init.
#
# Follows: flock(1) (util-linux) in the form its manual page recommends, on a file of its own that is never removed.
#          `set -o noclobber` alone cannot be right: after a crash, whoever decides that the pidfile is stale removes
#          it by name, and with it that of another start that decided the same a moment earlier.
# Driven:  shdaemon.sh -p FILE        (foreground only)
#
# Where it may differ from other correct daemons: it always has a child, a new `sleep 1` each second; the pidfile is
# not locked itself, FILE.lock is; its comm is that of the script; stdio and working directory are the starter's.
# A limit of sh: signals that were ignored at the start cannot be trapped (POSIX, `trap`).

set -u
pidfile=
while getopts p: option; do
    case $option in
    p) pidfile=$OPTARG ;;
    *) exit 2 ;;
    esac
done
if [ -z "$pidfile" ]; then
    echo "usage: shdaemon.sh -p FILE" >&2
    exit 2
fi

umask 022
child=
finish() {
    trap '' TERM INT HUP
    [ -z "$child" ] || kill "$child" 2>/dev/null
    if [ "$(cat "$pidfile" 2>/dev/null 9>&-)" = "$$" ]; then
        rm -f "$pidfile" 9>&-
    fi
    exit "$1"
}

if ! command -v flock >/dev/null; then
    echo "shdaemon: flock(1) is missing: install util-linux" >&2
    exit 1
fi
exec 9>>"$pidfile.lock" || exit 1
if ! flock -n 9; then
    echo "shdaemon: $pidfile: already running as pid $(cat "$pidfile" 2>/dev/null)" >&2
    exit 1
fi
if [ -d "$pidfile" ]; then
    echo "shdaemon: $pidfile is a directory" >&2
    exit 1
fi
trap 'finish 0' TERM INT
trap : HUP
rm -f "$pidfile.new"
if ! { echo "$$" >"$pidfile.new" && mv -f "$pidfile.new" "$pidfile"; } then
    echo "shdaemon: cannot write $pidfile" >&2
    exit 1
fi

while :; do
    sleep 1 9>&- &
    child=$!
    wait "$child"
done
