"""Starts its arguments again whenever they end, but not more often than every ten seconds: by the clock that the first
argument names. By the wall clock that is wrong: when it is set back by an hour, nothing is started for an hour."""
import subprocess
import sys
import time

clock = {"wall": time.time, "monotonic": time.monotonic}[sys.argv[1]]
while True:
    started = clock()
    subprocess.run(sys.argv[2:])
    while clock() < started + 10:
        time.sleep(max(0, started + 10 - clock()))
