#!/usr/bin/env python3
"""A small correct supervised daemon, standard library only, in the style of supervise (daemontools) in one program.

Follows: supervise(8) (at most one start a second), systemd.service(5) `Restart=on-failure`, flock(2).
Driven:  monitor.py [--detach] [--monitor] [--interval SECONDS] --pidfile FILE        (--interval: 1)
         monitor.py --defect NAME …     has one thing wrong; --list prints the names

The monitor takes the lock, a flock on the pidfile, and its children inherit it: it is held from the first start to
the end. The child writes its own pid into the pidfile, so between a crash and the restart that names a dead process.

Where it may differ from other correct daemons: every death by a signal (SIGKILL too) and every exit status but 0 is
restarted; a start comes one interval after the last *start*, so the first restart of a young child is not at once;
`--detach` makes the monitor a session leader; the pidfile is removed by whoever ends last; the monitor keeps a pipe to
its child and one to itself; the child ignores SIGHUP; after SIGTERM to the daemon alone (exit 0) the monitor ends.
"""
import argparse
import fcntl
import os
import select
import signal
import sys
import time

STOP = {signal.SIGTERM, signal.SIGINT}
DEFECTS = {
    "no-throttle": "A crash loop restarts as fast as the machine can fork.",
    "clean-exit-restarted": "SIGTERM to the daemon, which exits 0, brings a new daemon.",
    "term-orphans": "SIGTERM to the monitor ends the monitor only; the daemon runs on.",
    "term-in-throttle-lost": "SIGTERM to the monitor while it waits to restart does not stop it: a new daemon comes.",
    "restart-pid-not-updated": "After a restart the pidfile still names the dead daemon.",
    "gives-up": "The first crash ends the monitor as well.",
    "lock-dropped-after-restart": "After a restart nobody holds the lock: a second start succeeds.",
    "lock-free-in-throttle": "While it waits to restart nobody holds the lock: a second start succeeds.",
    "fd-per-restart": "The monitor has one descriptor more after each restart.",
    "zombie-per-restart": "Each crashed daemon stays as a zombie under the monitor.",
    "child-keeps-stdio": "Detached, the daemon under the monitor still holds the starter's stdout and stderr.",
    "monitor-keeps-stdio": "Detached, the monitor still holds the starter's stdout and stderr.",
}


def fill_stdio():
    fd = os.open(os.devnull, os.O_RDWR)
    while fd <= 2:
        fd = os.open(os.devnull, os.O_RDWR)
    os.close(fd)


def null_stdio():
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def close_inherited():
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                pass


def say(text):
    print(f"monitor.py: {text}", file=sys.stderr, flush=True)


class Pidfile:
    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.fd = -1

    def acquire(self):
        """Returns what went wrong, or None."""
        while True:
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            except OSError as error:
                return f"cannot open pidfile {self.path}: {error.strerror}"
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return f"{self.path}: already running as pid {os.read(fd, 32).decode().strip() or '?'}"
            self.fd = fd
            if self.still_named():
                return None
            os.close(fd)

    def still_named(self):
        try:
            return os.path.samestat(os.fstat(self.fd), os.lstat(self.path))
        except FileNotFoundError:
            return False

    def write(self):
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)

    def remove(self):
        if self.still_named():
            os.unlink(self.path)


def serve(pidfile, ready, write=True, monitor=None):
    """The daemon proper. Its signals are blocked already."""
    for number in STOP | {signal.SIGHUP}:
        signal.signal(number, signal.SIG_DFL)
    if write:
        pidfile.write()
    ready()
    while signal.sigwait(STOP | {signal.SIGHUP}) == signal.SIGHUP:
        pass
    if os.getppid() != monitor:  # else that does it
        pidfile.remove()
    return 0


class Monitor:
    def __init__(self, pidfile, options, status_fd, ready):
        self.pidfile, self.status_fd, self.ready = pidfile, status_fd, ready
        self.interval, self.defect, self.detached = options.interval, options.defect, options.detach
        self.ever_ready = False
        self.stopping = False
        self.wake, writer = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.mine = (self.wake, writer)
        for number in STOP | {signal.SIGCHLD, signal.SIGHUP}:
            signal.signal(number, lambda *_: None)

    def main(self):
        restarts = 0
        while True:
            started = time.monotonic()
            pid, pipe = self.spawn(restarts)
            status = self.watch(pid, pipe)
            if self.stopping or (status == 0 and self.defect != "clean-exit-restarted"):
                break
            if not self.ever_ready or self.defect == "gives-up":
                self.pidfile.remove()
                return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1
            say(f"pid {pid} died, {os.waitstatus_to_exitcode(status)}, restarting")
            if self.defect != "no-throttle":
                self.throttle(started + self.interval)
            if self.stopping:
                break
            restarts += 1
        self.pidfile.remove()
        return 0

    def spawn(self, restarts):
        reader, writer = os.pipe()
        # Blocked across the fork: a signal to the child before it is set up must not be lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP | {signal.SIGHUP})
        monitor = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for fd in (reader, *self.mine, *self.status_fd):
                os.close(fd)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os._exit(serve(self.pidfile, lambda: self.child_ready(writer), self.writes(restarts), monitor))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP | {signal.SIGHUP})
        os.close(writer)
        return pid, reader

    def writes(self, restarts):
        if restarts and self.defect == "lock-dropped-after-restart":
            fcntl.flock(self.pidfile.fd, fcntl.LOCK_UN)
        return not (restarts and self.defect == "restart-pid-not-updated")

    def child_ready(self, writer):
        if self.detached and self.defect != "child-keeps-stdio":
            null_stdio()
        os.write(writer, b"R")
        os.close(writer)

    def watch(self, pid, pipe):
        """Returns the wait status of the child once it has ended."""
        watched = [self.wake, pipe]
        while True:
            readable = select.select(watched, [], [])[0]
            if pipe in readable:
                watched.remove(pipe)
                if os.read(pipe, 1):
                    self.on_ready()
            if self.wake in readable:
                self.on_signals(pid)
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
        if pipe in watched and select.select([pipe], [], [], 0)[0] and os.read(pipe, 1):
            self.on_ready()
        if self.defect != "fd-per-restart":
            os.close(pipe)
        if self.defect == "zombie-per-restart":
            died = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            if died.si_status:
                return died.si_status << 8 if died.si_code == os.CLD_EXITED else died.si_status
        return os.waitpid(pid, 0)[1]

    def on_ready(self):
        if not self.ever_ready:
            self.ever_ready = True
            self.ready()

    def on_signals(self, pid):
        for number in os.read(self.wake, 256):
            if number in STOP:
                if self.defect == "term-orphans":
                    os._exit(0)
                self.stopping = True
            if pid and number in STOP | {signal.SIGHUP}:
                os.kill(pid, number)  # not reaped yet, so the pid is still its own

    def throttle(self, until):
        if self.defect == "lock-free-in-throttle":
            fcntl.flock(self.pidfile.fd, fcntl.LOCK_UN)
        while not self.stopping and (left := until - time.monotonic()) > 0:
            if select.select([self.wake], [], [], left)[0]:
                self.on_signals(None)
                if self.defect == "term-in-throttle-lost":
                    self.stopping = False
        if self.defect == "lock-free-in-throttle":
            fcntl.flock(self.pidfile.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def run(options, status_fd=()):
    """Everything after detaching; `status_fd` holds the descriptor on which the starter waits, if one does."""
    pidfile = Pidfile(options.pidfile)
    signal.pthread_sigmask(signal.SIG_SETMASK, STOP | {signal.SIGHUP})
    wrong = pidfile.acquire()
    if wrong:
        say(wrong)
        return 1

    def ready():
        if options.detach and options.defect != "monitor-keeps-stdio":
            null_stdio()
        while status_fd:
            tell(status_fd.pop(), 0)

    if options.monitor:
        return Monitor(pidfile, options, status_fd, ready).main()
    return serve(pidfile, ready)


def tell(fd, status):
    try:
        os.write(fd, bytes([status]))
    except OSError:
        pass  # the starter was killed meanwhile
    os.close(fd)


def detach(options):
    close_inherited()
    options.pidfile = os.path.abspath(options.pidfile)
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        status = os.read(reader, 1)
        if not status:
            say("killed before it was ready")
        return status[0] if status else 1
    os.close(reader)
    os.setsid()
    os.chdir("/")
    status_fd = [writer]
    status = run(options, status_fd)
    while status_fd:
        tell(status_fd.pop(), status)
    return status


def main():
    if sys.argv[1:] == ["--list"]:
        for name, seen in DEFECTS.items():
            print(f"{name:28} {seen}")
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detach", action="store_true")
    parser.add_argument("--monitor", action="store_true")
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--pidfile", required=True, metavar="FILE")
    parser.add_argument("--defect", choices=DEFECTS, metavar="NAME")
    options = parser.parse_args()
    fill_stdio()
    return detach(options) if options.detach else run(options)


if __name__ == "__main__":
    sys.exit(main())
