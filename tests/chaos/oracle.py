"""What a wrong answer is: the protocol of version 1, written down independently of the daemon and byte by byte.

The bytes that a client got must be a prefix of what the bytes that it sent are answered with.  A stop, a death and a
reload may cut that short at any point, but may change nothing in it.
"""

from itertools import chain

WHITE = b" \t\r\n"
UNKNOWN = b"Error: unknown aphorism."
TOO_LONG = b"Error: question too long."
TOO_SLOW = b"Error: too slow."
TOO_BUSY = b"Error: too busy."


class Oracle:
    """One connection, as the server should see it."""

    def __init__(self, table, max_length=4096, max_questions=0):
        self.table, self.max_length, self.max_questions = table, max_length, max_questions
        self.question, self.questions, self.over = bytearray(), 0, False

    def hears(self, received):
        """The answers that these bytes complete."""
        return b"".join(filter(None, map(self.hears_one, received)))

    def hears_one(self, byte):
        if self.over or not self.question and byte in WHITE:
            return None
        self.question.append(byte)
        if byte != ord("?"):
            # the next byte, whatever it is, makes it too long; but it has to come
            return self.ends(TOO_LONG) if len(self.question) > self.max_length else None
        if len(self.question) > self.max_length:
            return self.ends(TOO_LONG)
        answer = self.table.get(bytes(self.question), UNKNOWN)
        self.question.clear()
        self.questions += 1
        self.over = self.questions == self.max_questions
        return answer

    def ends(self, last_words):
        self.over = True
        return last_words


def answers(received, table, max_length=4096, max_questions=0):
    """Everything that the server has to say to these bytes."""
    return Oracle(table, max_length, max_questions).hears(received)


def expected(sent, table, last_words=(), **limits):
    """All that may be said to these bytes or to a part of them; all but the first end with last words."""
    whole = answers(sent, table, **limits)
    yield whole
    if TOO_BUSY in last_words:
        yield TOO_BUSY
    if TOO_SLOW in last_words:
        said, oracle = b"", Oracle(table, **limits)
        for byte in sent:
            said += oracle.hears_one(byte) or b""
            if oracle.question and not oracle.over:
                yield said + TOO_SLOW


def wrong(sent, got, *tables, last_words=(), **limits):
    """None, or what is wrong about the bytes that came back.

    Several tables: those between which reloads may have changed, one of which holds for the whole connection.
    last_words: TOO_SLOW, TOO_BUSY, where the daemon may say so.
    """
    right = list(dict.fromkeys(chain.from_iterable(expected(sent, t, last_words, **limits) for t in tables)))
    if any(said.startswith(got) for said in right):
        return None
    best = max(right, key=lambda said: common(said, got))
    at = common(best, got)
    return f"byte {at}: {got[at:at + 60]!r} instead of {best[at:at + 60]!r}, to {sent[:120]!r}"


def common(one, other):
    """How many bytes they have in common at their beginning."""
    both = min(len(one), len(other))
    if one[:both] == other[:both]:
        return both
    return next(i for i in range(both) if one[i] != other[i])
