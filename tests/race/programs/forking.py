"""A daemon that locks a guard file, and has its work done by a child that os.fork makes."""
import fcntl, os, signal, sys

pidfile = sys.argv[1]
guard = os.open(pidfile + ".guard", os.O_RDWR | os.O_CREAT, 0o644)
try:
    fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit("forking.py: already running")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
worker = os.fork()
if worker == 0:
    os._exit(0)
os.waitpid(worker, 0)
with open(pidfile + ".new", "w") as new:
    new.write(f"{os.getpid()}\n")
os.rename(pidfile + ".new", pidfile)
signal.sigwait([signal.SIGTERM])
os.unlink(pidfile)
