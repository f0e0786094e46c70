"""A server whose faults are known: the instrument is held against it.

usage: stub.py [--port N | --unix PATH] FAULT

Prints `listening on ADDRESS`, then a line `answered N` for each full hundred, and at SIGTERM what it has seen, as JSON.
"""

import argparse
import asyncio
import json
import random
import signal
import socket
import struct
import time

ANSWERS = {b"Beautiful is better than?": b"Ugly.", b"Explicit is better than?": b"Implicit.",
           b"Simple is better than?": b"Complex."}
EVERY = 10                              # one question in so many meets the fault

# of every hundred answers: how many, after how many seconds
DELAYS = [(85, 0.3), (10, 0.6), (5, 1.2)]

seen = {"connections": 0, "questions": 0, "answered": 0, "unfinished": 0, "times": [], "delays": [], "asked": ""}
served = []                             # connections that have asked, in their order
delays = []


def next_delay():
    if not delays:
        delays.extend(delay for count, delay in DELAYS for _ in range(count))
        random.Random(1).shuffle(delays)
    return delays.pop()


class Conversation(asyncio.Protocol):
    def connection_made(self, transport):
        seen["connections"] += 1
        self.transport, self.rest = transport, b""
        if args.fault == "choked":
            loop = asyncio.get_running_loop()
            loop.call_soon(transport.pause_reading)     # not before it has begun to read
            loop.call_later(0.3, transport.resume_reading)
        if args.fault == "busy":
            self.answer(b"Error: too busy.")
            transport.close()

    def data_received(self, data):
        *questions, self.rest = (self.rest + data).split(b"?")
        seen["unfinished"] += not questions
        for question in questions:
            if self.transport.is_closing():
                return
            seen["questions"] += 1
            seen["asked"] += question[:1].decode()
            seen["times"].append(time.monotonic())
            getattr(self, args.fault)(ANSWERS[question + b"?"])

    def answer(self, answer):
        if not self.transport.is_closing():
            self.transport.write(answer)
        seen["answered"] += 1
        if seen["answered"] % 100 == 0:
            print("answered", seen["answered"], flush=True)

    def faulty(self):
        return seen["questions"] % EVERY == 0

    # the faults: each is told the answer that it should give

    none = choked = answer

    def busy(self, answer):
        pass

    def delay(self, answer):
        asyncio.get_running_loop().call_later(next_delay(), self.delayed, answer, time.monotonic())

    def delayed(self, answer, since):
        seen["delays"].append(time.monotonic() - since)
        self.answer(answer)

    def favourite(self, answer):
        """Only the first one that asks gets answers."""
        if self not in served:
            served.append(self)
        if served[0] is self:
            self.answer(answer)

    def hang(self, answer):
        pass

    def wrong(self, answer):
        self.answer(answer if not self.faulty() else b"Implicit." if answer == b"Ugly." else b"Ugly.")

    def unknown(self, answer):
        self.answer(b"Error: unknown aphorism." if self.faulty() else answer)

    def twice(self, answer):
        self.answer(answer * 2 if self.faulty() else answer)

    def endless(self, answer):
        self.answer(b"Ugly" * 50000 if self.faulty() else answer)

    def slow(self, answer):
        self.answer(b"Error: too slow." if self.faulty() else answer)

    def silent(self, answer):
        if not self.faulty():
            self.answer(answer)

    def tardy(self, answer):
        """The right answer, when nobody waits for it any more."""
        if self.faulty():
            asyncio.get_running_loop().call_later(0.7, self.answer, answer)
        else:
            self.answer(answer)

    def lost(self, answer):
        if self.faulty():
            self.transport.close()
        else:
            self.answer(answer)

    def reset(self, answer):
        if self.faulty():
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        else:
            self.answer(answer)

    def pieces(self, answer):
        """A byte at a time."""
        self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in answer:
            self.transport.write(bytes([byte]))
        self.answer(b"")


async def main():
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    if args.unix:
        await loop.create_unix_server(Conversation, args.unix, backlog=1)      # is full at times
        address = "unix:" + args.unix
    else:
        server = await loop.create_server(Conversation, "127.0.0.1", args.port, backlog=1024)
        address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
    print("listening on", address, flush=True)
    await stopped.wait()


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--unix")
parser.add_argument("fault")
args = parser.parse_args()
asyncio.run(main())
print(json.dumps(seen), flush=True)
