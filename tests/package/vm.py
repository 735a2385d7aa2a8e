"""A virtual machine without a system: it answers ARP, echoes UDP on port 7, and counts what comes to port 9.

    vm.py TAP MAC ADDRESS     until it is ended; a line of JSON for each SIGUSR1
"""

import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
ECHO, REFUSED = 7, 9


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Machine:
    def __init__(self, mac, address):
        self.mac = bytes.fromhex(mac.replace(":", ""))
        self.address = socket.inet_aton(address)
        self.seen = {"echoed": 0, "refused": 0}

    def answer(self, frame):
        kind = frame[12:14]
        if kind == b"\x08\x06" and frame[38:42] == self.address and frame[21] == 1:
            peer = frame[22:32]
            return frame[6:12] + self.mac + frame[12:20] + b"\0\2" + self.mac + self.address + peer
        if kind != b"\x08\x00" or frame[23] != 17 or frame[30:34] != self.address:
            return None
        sport, dport, length = struct.unpack("!HHH", frame[34:40])
        if dport == REFUSED:
            self.seen["refused"] += 1
        if dport != ECHO:
            return None
        self.seen["echoed"] += 1
        head = frame[14:24] + b"\0\0" + self.address + frame[26:30]
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        udp = struct.pack("!HHHH", dport, sport, length, 0) + frame[42 : 34 + length]
        return frame[6:12] + self.mac + kind + head + udp


def main():
    tap, mac, address = sys.argv[1:]
    machine = Machine(mac, address)
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", tap.encode(), IFF_TAP | IFF_NO_PI))
    signal.signal(signal.SIGUSR1, lambda *_: print(json.dumps(machine.seen), flush=True))
    # The clock of the host, which has one for all containers.
    print(time.monotonic(), flush=True)
    while True:
        frame = machine.answer(os.read(fd, 65536))
        if frame:
            os.write(fd, frame)


if __name__ == "__main__":
    main()
