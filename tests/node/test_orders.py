"""Orders come by signals, whichever thread the system gives them to."""

import subprocess
import sys

PROGRAM = """
import queue, signal, threading, time
from sekisho.node import orders

told = queue.SimpleQueue()
signal.signal(signal.SIGHUP, lambda *_: told.put(orders.RELOAD))

def interrupted():
    time.sleep(0.5)  # the main thread waits by then; if not, it hears of the signal all the sooner
    signal.pthread_kill(threading.get_ident(), signal.SIGHUP)
    time.sleep(60)

threading.Thread(target=interrupted, daemon=True).start()
print(orders.following(told))
"""


def test_a_signal_that_another_thread_was_given_is_heard() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "reload\n"
