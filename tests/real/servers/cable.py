"""A cable between two network interfaces, which delays, loses and cuts what it is told to.

usage: cable.py INTERFACE INTERFACE SOCKET

Listens at the Unix socket SOCKET for lines such as `delay=0.05 loss=0.02 cut=0`: seconds one way,
the part of the packets that is lost, and whether nothing passes. It answers `ok` when that holds;
what was not named goes back to none of it. For kernels without netem.
"""

import heapq
import itertools
import random
import selectors
import socket
import sys
import time

EVERY_PROTOCOL = 3
MARKED_OUTGOING = 4


class Cable:
    def __init__(self, names):
        self.ends = [end(name) for name in names]
        self.travelling = []  # (time of arrival, number, end, packet)
        self.numbers = itertools.count()
        self.dice = random.Random(1)
        self.tell("")

    def tell(self, line):
        words = dict(word.split("=") for word in line.split())
        self.delay = float(words.pop("delay", 0))
        self.loss = float(words.pop("loss", 0))
        self.cut = words.pop("cut", "0") == "1"
        if words:
            raise ValueError(f"unknown: {words}")
        if self.cut:
            self.travelling.clear()

    def take(self, index):
        """Takes what has arrived at one end, to give it to the other."""
        for _ in range(64):
            try:
                packet, origin = self.ends[index].recvfrom(65536)
            except BlockingIOError:
                return
            if origin[2] == MARKED_OUTGOING or self.cut or self.dice.random() < self.loss:
                continue
            arrival = (time.monotonic() + self.delay, next(self.numbers), 1 - index, packet)
            heapq.heappush(self.travelling, arrival)

    def give(self):
        """Gives away what is due; returns how long until the next packet is."""
        while self.travelling:
            wait = self.travelling[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, index, packet = heapq.heappop(self.travelling)
            try:
                self.ends[index].send(packet)
            except OSError as error:
                print(f"{len(packet)} bytes lost: {error}", flush=True)
        return None


def end(name):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
    packets.bind((name, 0))
    packets.setblocking(False)
    return packets


def main(first, second, path):
    cable = Cable([first, second])
    orders = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    orders.bind(path)
    orders.listen()
    waiter = selectors.DefaultSelector()
    for index, packets in enumerate(cable.ends):
        waiter.register(packets, selectors.EVENT_READ, index)
    waiter.register(orders, selectors.EVENT_READ, None)
    while True:
        for key, _ in waiter.select(cable.give()):
            if key.data is not None:
                cable.take(key.data)
                continue
            client, _ = orders.accept()
            with client, client.makefile("rw") as lines:
                cable.tell(lines.readline())
                lines.write("ok\n")


main(*sys.argv[1:])
