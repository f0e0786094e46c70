"""A plausible record of a comparison, as aphorism-bench writes one: six models under every scenario."""

import math
import random

MODELS = ["iterative", "fork", "thread", "prefork", "threadpool", "event"]
SCENARIOS = ["steady", "connect", "pipeline", "think", "delay", "cpu", "slowloris", "hog", "burst", "reload", "kill"]
STEADY = [1, 16, 64, 256, 1000]
ERRORS = ["refused", "unconnected", "reset", "lost", "turned_away", "wrong", "late"]
PERCENTILES = [0, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.7, 99.9, 99.95, 99.99,
               100]

# CPU microseconds of an answer under steady load and with a connection per question; KiB of a connection
COST = {"iterative": (5.8, 14.5, 0), "fork": (5.7, 76, 210), "thread": (4.9, 25, 12.5), "prefork": (5.4, 15, 190),
        "threadpool": (5.3, 16, 0.4), "event": (3.4, 14.4, 0.13)}
SPEED = {"connect": 0.3, "pipeline": 9, "think": 0.2, "delay": 0.05, "cpu": 0.02, "slowloris": 0.9, "hog": 0.8,
         "burst": 0.1, "reload": 0.9, "kill": 0.9}


def figure(name, value, spread):
    return {name: value, name + "_low": value * (1 - spread), name + "_high": value * (1 + spread)}


def cell(dice, model, scenario, connections):
    steady, connect, memory = COST[model]
    starves = model == "iterative" and connections > 1 and scenario != "connect"
    cpu = connect if scenario == "connect" else steady / SPEED.get(scenario, 1) ** 0.9
    rate = 1.3e6 / cpu * (0.55 if connections == 1 else 1) * dice.uniform(0.97, 1.03)
    p50 = max(18, connections / rate * 1e6) if not starves else 55
    tail = {"event": 1.2, "iterative": 1.1}.get(model, 1.6) * (3 if scenario in ("reload", "kill", "burst") else 1)
    curve = [p50 * 0.6 * math.exp(tail * 0.5 * -math.log10(1 - min(p, 99.997) / 100)) for p in PERCENTILES]
    errors = {kind: 0 for kind in ERRORS}
    if scenario == "kill":
        errors["reset"] = {"thread": 64, "threadpool": 16, "event": 32}.get(model, 1)
    if scenario == "slowloris" and model == "threadpool":
        errors["late"] = 48

    def at(percentile):
        return curve[PERCENTILES.index(percentile)]

    return {
        "model": model, "scenario": scenario, "connections": connections,
        "pipeline": 16 if scenario == "pipeline" else 1, "rounds": 5, "seconds": 5.0, "answers": int(rate * 5),
        "rate": 20000.0 if scenario == "burst" else 0.0, **figure("answers_per_second", rate, 0.02),
        "p50_us": at(50), "p90_us": at(90), "p99_us": at(99), "p999_us": at(99.9), "max_us": at(100),
        **figure("tail_us", at(99), 0.1),
        "service_p50_us": at(50), "service_p99_us": at(99),
        "never_served": connections - 1 if starves else 0,
        "longest_wait_us": 5000000 if starves else int(at(100)), "fairness": 1 / connections if starves else 0.98,
        "errors": errors, "unasked": 0, "saturated": scenario == "pipeline" and model == "event", "has_cost": True,
        **figure("cpu_us_per_answer", cpu, 0.03), "system_share": 0.82, "context_switches_per_answer": 1.02,
        "processes": connections + 2 if model == "fork" else 3,
        "threads": connections + 2 if model == "thread" else 3,
        "rss_bytes": 12000000, "pss_bytes": int(1.9e6 + connections * memory * 1024),
        "bytes_per_connection": memory * 1024, "curve_us": curve,
    }


def record(models=MODELS, scenarios=SCENARIOS, **more):
    dice = random.Random(1)
    cells = [cell(dice, model, scenario, connections)
             for scenario in scenarios
             for connections in (STEADY if scenario == "steady" else [64])
             for model in models]
    return {
        "schema_version": 1, "version": "0.1.0", "server": "aphorismd 0.1.0", "machine": "A Plausible CPU @ 2.50GHz",
        "kernel": "Linux 6.1.0", "cpus": 2, "memory_bytes": 8 << 30, "seed": 42, "date": "2025-07-01T12:00:00Z",
        "command": "aphorism-bench compare --seed 42", "complete": True, "percentiles": PERCENTILES, "cells": cells,
        **more,
    }


if __name__ == "__main__":
    import json
    print(json.dumps(record(), indent=1))
