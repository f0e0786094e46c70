"""The network is bad: what is lost, late, doubled and out of order on its way changes no answer and holds nobody up."""

import os

import pytest

import badnet
from crowd import COMPLETE, CUT, REFUSED, RESET, Crowd
from harness import LIMIT, ROOT

QUALITY = {"loss": 0.03, "double": 0.03, "delay": 0.005, "jitter": 0.02}
CLIENTS = 200
# One connection at a time takes five times the way there and back: who comes last would wait for minutes.
FEWER = {"iterative": 10}

pytestmark = [
    pytest.mark.skipif(not ROOT, reason="only root may make a network namespace"),
    pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="there is no /dev/net/tun"),
]


def test_bad_network(model, daemon, rng, some):
    settings = {
        "listen": (f"{badnet.SERVER}:0",), "prefork__max_workers": CLIENTS + 10, "prefork__max_spare": CLIENTS,
        "prefork__start_workers": 50, "threadpool__threads": CLIENTS,
        # a packet that is lost three times running is late by more than the default allows
        "timeouts__question": "60s", "timeouts__write": "60s",
    }
    with badnet.bad_network(rng.randrange(1 << 31), **QUALITY) as network:
        with badnet.inside(network.server):
            server = daemon(model, **settings)
        with badnet.inside(network.client):
            crowd = Crowd(server.address, FEWER.get(model, CLIENTS), rng)
        crowd.thread.join(some(60, 10))
        crowd.finish(2 * LIMIT)
        wire = network.end()
    print(dict(crowd.count), f"{crowd.answers} answers, the longest wait {crowd.longest:.2f} s;", wire)
    assert crowd.how_many(CUT, RESET, REFUSED) == 0, crowd.ends[:5]
    assert crowd.count[COMPLETE] >= FEWER.get(model, CLIENTS)
    assert crowd.longest < LIMIT, "somebody was stuck"
    assert min(wire.values()) > 0, f"the network was not bad: {wire}"
