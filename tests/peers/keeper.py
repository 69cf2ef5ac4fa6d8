#!/usr/bin/env python3
"""A daemon, and with --keep one that is restarted whatever it died of, as by daemon(8) -P FILE -r of FreeBSD.

The pidfile names the keeper then, which is the one to be signalled. The lock is on the pidfile's directory, and each
daemon has a new pipe to the keeper as its standard output.
"""

import fcntl
import os
import signal
import sys

DELAY_S = 1
STOP = {signal.SIGTERM, signal.SIGINT}


def take(path):
    directory = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"{path}: already running")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}")
    os.write(fd, b"%d\n" % os.getpid())
    os.close(fd)


def serve():
    signal.sigwait(STOP)


def keep():
    while True:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(writer, 1)
            serve()
            os._exit(0)
        os.close(writer)
        # Not waited for in vain: SIGCHLD of a child that has ended already is pending.
        if signal.sigwait(STOP | {signal.SIGCHLD}) in STOP:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
            return
        os.waitpid(child, 0)
        os.close(reader)
        if signal.sigtimedwait(STOP, DELAY_S):
            return


def main():
    path = sys.argv[sys.argv.index("--pidfile") + 1]
    # Before the pidfile tells whom to signal. SIGCHLD needs a handler, or it is not kept pending.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP | {signal.SIGCHLD})
    take(path)
    keep() if "--keep" in sys.argv else serve()
    os.unlink(path)


main()
