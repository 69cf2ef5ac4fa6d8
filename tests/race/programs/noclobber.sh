#!/bin/sh
# A daemon as shell scripts are: whoever creates the pidfile is the only one. It can be read before it is written.
pidfile=$1
if ! (set -C && echo $$ >"$pidfile") 2>/dev/null; then
    echo "noclobber.sh: already running" >&2
    exit 1
fi
trap 'rm -f "$pidfile"; exit' TERM
while :; do
    sleep 1
done
