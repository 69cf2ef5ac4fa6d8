#!/usr/bin/env python3
"""A daemon that answers each line with itself, to be tested from Rust: echod.py PIDFILE SOCKET"""
import fcntl, os, pathlib, signal, socket, sys

lock, path = open(sys.argv[1], "a"), sys.argv[2]
ready, report = os.pipe()
if os.fork():  # The command waits here until the daemon works, or has died.
    os.close(report)
    sys.exit(0 if os.read(ready, 1) else 1)
os.setsid()
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Dropped by the kernel, whatever the end. The file stays.
except OSError:
    sys.exit(f"{lock.name}: already running as pid {open(lock.name).read().strip()}")
pathlib.Path(lock.name).write_text(f"{os.getpid()}\n")
signal.signal(signal.SIGTERM, lambda *_: (os.unlink(path), sys.exit(0)))
server = socket.create_server(path, family=socket.AF_UNIX)
os.chdir("/")
for stream in (0, 1, 2):
    os.dup2(os.open(os.devnull, os.O_RDWR), stream)
os.write(report, b"!")
while True:
    with server.accept()[0] as client: client.sendall(client.recv(4096))
