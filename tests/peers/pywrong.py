#!/usr/bin/env python3
"""`pydaemon.py` with exactly one thing wrong.

Driven:  pywrong.py --defect NAME [--detach] --pidfile FILE      (--list prints the names)

Each defect is a class that overrides the one step it spoils, so everything else is pydaemon's. The
first line of its docstring is what somebody watching from outside can see.
"""
import fcntl
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
from pydaemon import Daemon, Failure, options  # noqa: E402


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def recorded(fd):
    try:
        return int(os.pread(fd, 32, 0))
    except ValueError:
        return 0


# -- detaching ------------------------------------------------------------------------------------


class StdioKept(Daemon):
    """Detached, it still holds the starter's descriptors 0-2: `ssh host daemon` never returns."""

    def null_stdio(self):
        pass


class StderrKept(Daemon):
    """Detached, stdin and stdout are /dev/null, but stderr is still the starter's."""

    def null_stdio(self):
        keep = os.dup(2)
        super().null_stdio()
        os.dup2(keep, 2)
        os.close(keep)


class CwdKept(Daemon):
    """Detached, its working directory is the one it was started in, which cannot be unmounted."""

    def change_directory(self):
        pass


class NoSetsid(Daemon):
    """Detached, it stays in the starter's session and process group, and keeps its terminal."""

    def new_session(self):
        pass


class TtyTaken(Daemon):
    """Started on a terminal that is nobody's, it comes out owning it as its controlling terminal."""

    def fork_again(self):
        if os.isatty(0):
            os.close(os.open(os.ttyname(0), os.O_RDWR))  # as a session leader, and without O_NOCTTY

    def await_status(self, reader, child):
        return os.read(reader, 1)[0]


class FdLeak(Daemon):
    """Detached, a descriptor above 2 that the starter happened to have is still open."""

    def close_inherited(self):
        pass


# -- startup --------------------------------------------------------------------------------------


class EarlyExit(Daemon):
    """The foreground command succeeds at once; the pidfile appears half a second later."""

    def await_status(self, reader, child):
        return 0

    def acquire(self):
        time.sleep(0.5)
        return super().acquire()


class PidfileLate(Daemon):
    """Ready is reported while the pidfile is still empty; the pid is written half a second later."""

    def write_pid(self):
        os.ftruncate(self.fd, 0)

    def serve(self):
        time.sleep(0.5)
        super().write_pid()
        super().serve()


class FailureExits0(Daemon):
    """A start that fails (no such directory, say) says so, and exits 0."""

    def fail(self, failure):
        status = super().fail(failure)
        return status if "already running" in str(failure) else 0


class ParentHangs(Daemon):
    """The daemon is up and well, and the foreground command never returns."""

    def await_status(self, reader, child):
        while True:
            signal.pause()


class DiesAfterReady(Daemon):
    """Reports ready, then is gone (status 1) before anyone can use it."""

    def serve(self):
        self.release()
        os._exit(1)


# -- the pidfile ----------------------------------------------------------------------------------


class ParentPid(Daemon):
    """The pidfile names the process that was started, not the daemon."""

    def content(self):
        pid = self.launcher if self.detach else os.getppid()
        return f"{pid}\n".encode()


class PidGarbage(Daemon):
    """The pidfile holds `pid=N`, which is no number."""

    def content(self):
        return b"pid=" + super().content()


class PidTail(Daemon):
    """Over a longer stale pidfile, the rest of the old content stays: `4242` + `123456789` = `424256789`."""

    def write_pid(self):
        os.pwrite(self.fd, f"{os.getpid()}".encode(), 0)


class WorldWritable(Daemon):
    """The pidfile is mode 0666: anyone may have root's init script kill anything."""

    def write_pid(self):
        os.fchmod(self.fd, 0o666)
        super().write_pid()


class PidfileLeft(Daemon):
    """After SIGTERM the pidfile is still there and names a dead process."""

    def release(self):
        os.close(self.fd)


class ForeignUnlinked(Daemon):
    """Its pidfile is replaced by another's; stopping removes that one, by name."""

    def release(self):
        os.unlink(self.pidfile)
        os.close(self.fd)


class Litter(Daemon):
    """Every start leaves one more temporary file beside the pidfile."""

    def write_pid(self):
        with open(f"{self.pidfile}.{os.getpid()}.tmp", "w"):
            pass
        super().write_pid()


class StaleRefused(Daemon):
    """A pidfile left by a crash (unlocked, its pid dead) stops it from ever starting again."""

    def open_pidfile(self):
        if os.path.exists(self.pidfile):
            fd = os.open(self.pidfile, os.O_RDONLY)
            self.refuse(fd)
        return super().open_pidfile()


class ReusedPidRefused(Daemon):
    """A stale, unlocked pidfile whose number is now another program's process stops it."""

    def write_pid(self):
        pid = recorded(self.fd)
        if pid > 0 and alive(pid):
            self.refuse(self.fd)
        super().write_pid()


class EmptyRefused(Daemon):
    """A stale pidfile that is empty or not a number (a crash between create and write) stops it."""

    def open_pidfile(self):
        try:
            with open(self.pidfile, encoding="ascii") as file:
                int(file.read())
        except FileNotFoundError:
            pass
        except ValueError as error:
            raise Failure(f"{self.pidfile}: not a pidfile") from error
        return super().open_pidfile()


# -- the lock, and the second start ---------------------------------------------------------------


class NoLock(Daemon):
    """No lock anywhere: a second start is refused only because the recorded pid is alive."""

    def lock(self, fd):
        pid = recorded(fd)
        if pid > 0 and alive(pid):
            raise BlockingIOError


class TwoRunning(Daemon):
    """No lock and no look: a second start takes the pidfile over, and both run."""

    def lock(self, fd):
        pass


class LockDropped(Daemon):
    """A POSIX lock, lost when the daemon reads its own pidfile and closes it: a second start succeeds."""

    def lock(self, fd):
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write_pid(self):
        super().write_pid()
        with open(self.pidfile, encoding="ascii") as file:
            file.read()


class LockInLauncher(Daemon):
    """A POSIX lock taken before the fork, which does not inherit it: held by nobody once detached."""

    def lock(self, fd):
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def main(self):
        if not self.detach:
            return super().main()
        try:
            os.close(self.acquire())
        except Failure as failure:
            return self.fail(failure)
        self.lock = lambda fd: None
        return super().main()


class LoserTruncates(Daemon):
    """The second start is refused, but by then the winner's pidfile is empty."""

    def open_pidfile(self):
        fd = super().open_pidfile()
        os.ftruncate(fd, 0)
        return fd


class LoserUnlinks(Daemon):
    """The second start is refused, and removes the winner's pidfile on its way out."""

    def fail(self, failure):
        if "already running" in str(failure):
            os.unlink(self.pidfile)
        return super().fail(failure)


class LoserOverwrites(Daemon):
    """The second start is refused, but the winner's pidfile now names the loser."""

    def refuse(self, fd):
        os.ftruncate(fd, 0)
        os.pwrite(fd, self.content(), 0)
        super().refuse(fd)


class SilentRefusal(Daemon):
    """The second start exits 1 and does not say why."""

    def fail(self, failure):
        return 1 if "already running" in str(failure) else super().fail(failure)


class RefusalExits0(Daemon):
    """The second start says that one is running already, and exits 0."""

    def fail(self, failure):
        status = super().fail(failure)
        return 0 if "already running" in str(failure) else status


class RefusalHangs(Daemon):
    """The second start waits for the first to end, for ever."""

    def lock(self, fd):
        fcntl.flock(fd, fcntl.LOCK_EX)


class WinnerKilled(Daemon):
    """The second start does not refuse: it kills the first and takes its place."""

    def refuse(self, fd):
        os.kill(recorded(fd), signal.SIGKILL)
        fcntl.flock(fd, fcntl.LOCK_EX)


# -- stopping -------------------------------------------------------------------------------------


class TermIgnored(Daemon):
    """SIGTERM does nothing; only SIGKILL ends it."""

    def serve(self):
        while True:
            signal.sigwait({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class TermDefault(Daemon):
    """SIGTERM kills it on the spot, and the pidfile stays behind."""

    def serve(self):
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        while True:
            signal.pause()


class SignalsInherited(Daemon):
    """Started with SIGTERM blocked or ignored, it keeps that, and SIGTERM cannot end it."""

    def set_signals(self):
        self.stop = False
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self.on_signal)

    def on_signal(self, _number, _frame):
        self.stop = True

    def serve(self):
        while not self.stop:
            time.sleep(0.05)  # a signal between the test and a pause() would be lost


class ZombieChildren(Daemon):
    """It starts three short-lived children and never reaps them."""

    def serve(self):
        import subprocess  # It takes as long as the rest of a start.

        self.children = [subprocess.Popen(["true"]) for _ in range(3)]
        super().serve()


class WorkersLeft(Daemon):
    """Stopped, it leaves its worker process running."""

    def serve(self):
        import subprocess

        null = subprocess.DEVNULL
        self.worker = subprocess.Popen(
            ["sleep", "600"], start_new_session=True, stdin=null, stdout=null, stderr=null
        )
        super().serve()


def name_of(kind):
    return "".join("-" + c.lower() if c.isupper() else c for c in kind.__name__).lstrip("-")


DEFECTS = {name_of(kind).replace("exits0", "exits-0"): kind for kind in Daemon.__subclasses__()}


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        for name, kind in DEFECTS.items():
            print(f"{name:20} {kind.__doc__.splitlines()[0]}")
        sys.exit(0)
    given = options(["--pidfile", "--defect"], ["--detach"])
    if given["--defect"] not in DEFECTS:
        sys.exit(f"pywrong.py: no defect {given['--defect']}; --list prints them")
    sys.exit(DEFECTS[given["--defect"]](given["--pidfile"], "--detach" in given).main())
