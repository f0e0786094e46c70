"""The aphorism protocol, version 1, written down a second time: what must come back for given bytes."""

import random

WHITE = b" \t\r\n"
UNKNOWN = b"Error: unknown aphorism."
TOO_LONG = b"Error: question too long."
TOO_SLOW = b"Error: too slow."
TOO_BUSY = b"Error: too busy."

THREE = {
    b"Beautiful is better than?": b"Ugly.",
    b"Explicit is better than?": b"Implicit.",
    b"Simple is better than?": b"Complex.",
}


def converse(data, table, max_length=4096, max_questions=0):
    """The answers to everything in data, and whether the server ends the conversation by itself."""
    out, at, asked = [], 0, 0
    while True:
        while at < len(data) and data[at] in WHITE:
            at += 1
        end = data.find(b"?", at, at + max_length)
        if end < 0:
            too_long = len(data) - at > max_length
            return b"".join(out) + (TOO_LONG if too_long else b""), too_long
        out.append(table.get(data[at:end + 1], UNKNOWN))
        at = end + 1
        asked += 1
        if asked == max_questions:
            return b"".join(out), True


def text(table):
    """The table as the file that the daemon reads."""
    return b"# made for a test\n\n" + b"".join(b"%s %s\n" % pair for pair in table.items())


def transcript(rng, table, max_length):
    """What one client may send: known and unknown questions, white space, now and then half or too much."""
    known = list(table)
    parts = []
    for _ in range(rng.randint(0, 12)):
        parts.append(white(rng))
        kind = rng.random()
        if kind < 0.65:
            parts.append(rng.choice(known))
        elif kind < 0.75:
            parts.append(rng.choice(known)[rng.randint(1, 3):])
        elif kind < 0.95:
            parts.append(noise(rng, rng.randint(0, 40)) + b"?")
        elif kind < 0.97:
            parts.append(b"x" * (max_length - 1) + b"?")
        else:
            parts.append(b"x" + noise(rng, max_length + rng.randint(0, 300)) + b"?")
    if rng.random() < 0.3:
        parts.append(b"h" + noise(rng, rng.randint(0, 40)))
    parts.append(white(rng))
    return b"".join(parts)


def white(rng):
    return bytes(rng.choices(WHITE, k=rng.choice((0, 0, 1, 2, 5))))


def noise(rng, length):
    return rng.randbytes(length).replace(b"?", b"!")


def cuts(rng, data):
    """The same bytes in pieces of 1, 2, 7, a random number of, and all bytes."""
    for size in (1, 2, 7):
        yield str(size), [data[i:i + size] for i in range(0, len(data), size)]
    pieces, at = [], 0
    while at < len(data):
        size = rng.choice((1, 3, 20, 100, 1000))
        pieces.append(data[at:at + size])
        at += size
    yield "random", pieces
    yield "all", [data] if data else []


def transcripts(seed, count, table, max_length):
    rng = random.Random(seed)
    return [transcript(rng, table, max_length) for _ in range(count)]
