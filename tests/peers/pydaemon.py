#!/usr/bin/env python3
"""A small correct daemon in the style of PEP 3143 and daemon(7), standard library only.

Follows: PEP 3143 (order of steps, working directory "/", ignored SIGHUP), daemon(7) "SysV Daemons"
(close descriptors, reset signals, two forks, tell the parent through a pipe), flock(2), sd_notify(3).
Driven:  pydaemon.py [--detach] --pidfile FILE

Where it may differ from other correct daemons: the lock is a flock on the pidfile itself; signals are
blocked and taken with sigwait(), so that in /proc SIGTERM is neither caught nor ignored, and blocked in
the threads; two worker threads; not a session leader; SIGTERM is exit status 0; SIGHUP is ignored; the
pidfile is removed on exit.
"""
import fcntl
import os
import signal
import sys
import threading

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


class Failure(Exception):
    """Startup failed; the text goes to stderr."""


class Daemon:
    def __init__(self, pidfile, detach):
        self.pidfile = os.path.abspath(pidfile)  # before any chdir
        self.detach = detach
        self.launcher = os.getpid()
        self.fd = -1
        self.stopping = threading.Event()

    def main(self):
        self.fill_stdio()
        if not self.detach:
            return self.run(lambda: None)
        self.close_inherited()
        reader, writer = os.pipe()
        child = os.fork()
        if child:
            os.close(writer)
            return self.await_status(reader, child)
        os.close(reader)
        self.new_session()
        self.fork_again()
        self.change_directory()
        os.umask(0o022)
        status = self.run(lambda: self.ready(writer))
        self.tell(writer, status)
        return status

    # -- detaching --------------------------------------------------------------------------------

    def fill_stdio(self):
        """Descriptors 0-2 may be closed; nothing of ours may land there."""
        fd = os.open(os.devnull, os.O_RDWR)
        while fd <= 2:
            fd = os.open(os.devnull, os.O_RDWR)
        os.close(fd)

    def close_inherited(self):
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2:
                try:
                    os.close(int(name))
                except OSError:
                    pass  # the descriptor of the listing itself

    def new_session(self):
        os.setsid()

    def fork_again(self):
        """A process that does not lead its session cannot acquire a terminal by opening one."""
        if os.fork():
            os._exit(0)

    def change_directory(self):
        os.chdir("/")

    def await_status(self, reader, child):
        os.waitpid(child, 0)
        status = os.read(reader, 1)
        if not status:
            print("pydaemon: the daemon died before it was ready", file=sys.stderr)
            return 1
        return status[0]

    def tell(self, writer, status):
        try:
            os.write(writer, bytes([status]))
        except OSError:
            pass  # already told, or the parent is gone

    def ready(self, writer):
        self.null_stdio()
        self.tell(writer, 0)
        os.close(writer)

    def null_stdio(self):
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.close(null)

    # -- the daemon -------------------------------------------------------------------------------

    def run(self, ready):
        self.set_signals()
        try:
            self.fd = self.acquire()
            self.write_pid()
        except OSError as error:
            self.release()
            return self.fail(Failure(f"cannot write pidfile {self.pidfile}: {error.strerror}"))
        except Failure as failure:
            return self.fail(failure)
        threads = [threading.Thread(target=self.stopping.wait) for _ in range(2)]
        for thread in threads:
            thread.start()
        ready()
        self.notify(f"READY=1\nMAINPID={os.getpid()}")
        self.serve()
        self.notify("STOPPING=1")
        self.stopping.set()
        for thread in threads:
            thread.join()
        self.release()
        return 0

    def set_signals(self):
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, SIGNALS)

    def serve(self):
        while signal.sigwait(SIGNALS) == signal.SIGHUP:
            pass

    def fail(self, failure):
        print(f"pydaemon: {failure}", file=sys.stderr, flush=True)
        return 1

    def notify(self, state):
        address = os.environ.get("NOTIFY_SOCKET", "")
        if not address:
            return
        import socket  # slow to load, and seldom needed
        if address[0] == "@":
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto(state.encode(), address)
        except OSError:
            pass

    # -- the pidfile ------------------------------------------------------------------------------

    def acquire(self):
        while True:
            fd = self.open_pidfile()
            try:
                self.lock(fd)
            except BlockingIOError:
                self.refuse(fd)
            if self.still_named(fd):
                return fd
            os.close(fd)  # its owner unlinked it between our open and our lock

    def open_pidfile(self):
        try:
            return os.open(self.pidfile, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise Failure(f"cannot open pidfile {self.pidfile}: {error.strerror}") from error

    def lock(self, fd):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def refuse(self, fd):
        owner = os.read(fd, 32).decode(errors="replace").strip() or "?"
        raise Failure(f"{self.pidfile}: already running as pid {owner}")

    def still_named(self, fd):
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self.pidfile, follow_symlinks=False))
        except FileNotFoundError:
            return False

    def write_pid(self):
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, self.content(), 0)

    def content(self):
        return f"{os.getpid()}\n".encode()

    def release(self):
        if self.still_named(self.fd):
            os.unlink(self.pidfile)  # while still holding the lock
        os.close(self.fd)


def options(values, flags):
    """The options of the command line, by name. (argparse takes longer to load than everything else here.)"""
    found = dict.fromkeys(values)
    words = iter(sys.argv[1:])
    for word in words:
        if word in flags:
            found[word] = True
        elif word in values:
            found[word] = next(words, None)
        else:
            sys.exit(f"{sys.argv[0]}: unknown option {word}")
    missing = [name for name in values if found[name] is None]
    if missing:
        sys.exit(f"{sys.argv[0]}: {missing[0]} is missing, or its value")
    return found


if __name__ == "__main__":
    given = options(["--pidfile"], ["--detach"])
    sys.exit(Daemon(given["--pidfile"], "--detach" in given).main())
