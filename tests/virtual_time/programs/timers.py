"""Sleeps and times out in the ways of Python; says how long it took, by both clocks."""
import asyncio
import os
import queue
import select
import signal
import subprocess
import threading
import time


def timed(what, act):
    wall, mono = time.time(), time.monotonic()
    act()
    wall, mono = time.time() - wall, time.monotonic() - mono
    print(what, round(mono, 1), abs(wall - mono) < 0.02)


def receive():
    try:
        queue.Queue().get(timeout=60)
    except queue.Empty:
        pass


def child():
    try:
        subprocess.run(["sleep", "1000"], timeout=50)
    except subprocess.TimeoutExpired:
        pass


async def tasks():
    await asyncio.gather(*(asyncio.sleep(n) for n in range(40)))
    try:
        await asyncio.wait_for(asyncio.get_running_loop().create_future(), 20)
    except asyncio.TimeoutError:
        pass


def spin():
    end = time.monotonic() + 70
    while time.monotonic() < end:
        pass


def spin_politely():
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0)


timed("sleep", lambda: time.sleep(100))
timed("select", lambda: select.select([os.pipe()[0]], [], [], 80))
timed("queue", receive)
timed("thread", lambda: threading.Event().wait(90))
timed("child", child)
timed("asyncio", lambda: asyncio.run(tasks()))
timed("signal", lambda: signal.sigtimedwait([signal.SIGUSR1], 30))
timed("spin", spin)
timed("spin politely", spin_politely)
