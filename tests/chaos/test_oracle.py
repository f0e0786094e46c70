"""The judge is judged: by the examples of the protocol, and by the other model, that of the system tests."""

import random

import pytest

import protocol_model
from oracle import TOO_BUSY, TOO_LONG, TOO_SLOW, UNKNOWN, answers, wrong
from protocol_model import THREE

EXAMPLES = {
    b"Beautiful is better than?": b"Ugly.",
    b"Beautiful is better than?Explicit is better than?": b"Ugly.Implicit.",
    b"\r\n Simple is better than?\n": b"Complex.",
    b"What is your quest?": UNKNOWN,
    b"?": UNKNOWN,
    b"Simple is better th": b"",
    b"x" * 4095 + b"?": UNKNOWN,
    b"x" * 4096: b"",
    b"x" * 4096 + b"?": TOO_LONG,
    b"??" + b"x" * 5000 + b"?Simple is better than?": UNKNOWN * 2 + TOO_LONG,
}


@pytest.mark.parametrize("sent", EXAMPLES)
def test_examples(sent):
    assert answers(sent, THREE) == EXAMPLES[sent]


def test_it_agrees_with_the_other_model(seed):
    for sent in protocol_model.transcripts(seed, 300, THREE, 100):
        for limit in (0, 3):
            expected, _ = protocol_model.converse(sent, THREE, 100, limit)
            assert answers(sent, THREE, 100, limit) == expected


def test_what_is_wrong(seed):
    sent, right = b"Simple is better than?Explicit is better than?Beau", b"Complex.Implicit."
    for length in range(len(right) + 1):
        assert wrong(sent, right[:length], THREE) is None
    changed = random.Random(seed).randrange(len(right))
    for got in (b"Implicit.", b"Complex.Complex.", right + b".", right + TOO_SLOW, TOO_BUSY,
                right[:changed] + b"\0" + right[changed + 1:]):
        assert wrong(sent, got, THREE)
    assert wrong(sent, right + TOO_SLOW, THREE, last_words=(TOO_SLOW,)) is None
    assert wrong(sent, b"Complex." + TOO_SLOW, THREE, last_words=(TOO_SLOW,)) is None
    assert wrong(b"Simple is better than?", b"Complex." + TOO_SLOW, THREE, last_words=(TOO_SLOW,))
    assert wrong(sent, TOO_BUSY, THREE, last_words=(TOO_BUSY,)) is None
    assert wrong(sent, b"Complex." + TOO_BUSY, THREE, last_words=(TOO_BUSY,))
    other = {b"Simple is better than?": b"One."}
    assert wrong(sent, b"One." + UNKNOWN, THREE, other) is None
    assert wrong(sent, b"One.Implicit.", THREE, other)
