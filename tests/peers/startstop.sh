#!/bin/sh
# An init script that leaves the pidfile to start-stop-daemon(8) of Debian's dpkg, for a program that knows nothing of it.
#
#     sh startstop.sh --pidfile FILE
set -u
[ "${1-}" = --pidfile ] && [ $# -eq 2 ] || { echo "usage: startstop.sh --pidfile FILE" >&2; exit 2; }
PATH=$PATH:/usr/sbin:/sbin
exec start-stop-daemon --start --pidfile "$2" --make-pidfile --background --exec /bin/sleep -- infinity
