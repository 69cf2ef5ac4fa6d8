#!/usr/bin/env python3
"""A daemon that answers each line with itself, to be tested from Rust: echod.py PIDFILE SOCKET"""
import fcntl, os, signal, socket, sys

pidfile, path = sys.argv[1:]
lock = open(pidfile, "a", buffering=1)
ready, report = os.pipe()
if os.fork():  # The command waits here until the daemon works, or has died.
    os.close(report)
    sys.exit(0 if os.read(ready, 1) else 1)
os.setsid()
try:
    fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Dropped by the kernel, whatever the end. The file stays.
except OSError:
    sys.exit(f"{pidfile}: already running as pid {open(pidfile).read().strip()}")
lock.truncate(0)
print(os.getpid(), file=lock)
signal.signal(signal.SIGTERM, lambda *_: (os.unlink(path), sys.exit(0)))
server = socket.create_server(path, family=socket.AF_UNIX)
os.chdir("/")
for stream in (0, 1, 2):
    os.dup2(os.open(os.devnull, os.O_RDWR), stream)
os.write(report, b"!")
while True:
    client, _ = server.accept()
    client.sendall(client.recv(4096))
    client.close()
