"""Sends to a machine what is permitted and what is refused, until its standard input ends.

    stream.py ADDRESS     then a line of JSON: what was sent, and how many echoes were lost

Every 10 ms: one datagram to the echo on a connection that stays, one on a new connection, and one to the
port that is refused.
"""

import contextlib
import json
import select
import socket
import sys
import time

STEP, PATIENCE = 0.01, 1.0


def connection(to):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.connect(to)
    one.setblocking(False)
    return one


def main():
    address = sys.argv[1]
    lasting, refused = connection((address, 7)), connection((address, 9))
    waiting, sent, echoed = [], 0, 0
    ending, quiet = False, 0.0
    while not ending or (quiet < PATIENCE and echoed < sent):
        if not ending:
            fresh = connection((address, 7))
            for one in (lasting, fresh):
                one.send(b"permitted")
                sent += 1
            refused.send(b"refused")
            # An answer may be late; a socket that is closed would hear none.
            waiting = waiting[-200:] + [fresh]
        time.sleep(STEP)
        quiet += STEP
        for one in (lasting, *waiting):
            with contextlib.suppress(BlockingIOError):
                while one.recv(100):
                    echoed, quiet = echoed + 1, 0.0
        ending = ending or bool(select.select([sys.stdin], [], [], 0)[0])
    print(json.dumps({"sent": sent, "lost": sent - echoed}))


if __name__ == "__main__":
    main()
