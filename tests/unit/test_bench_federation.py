# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the benchmark between relays says of its numbers."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from bench.between import Errand, Load
from bench.federation import ROWS, table
from bench.spec import Server
from bench.summary import summarise


def couple(rate: float, cpu: float) -> dict[str, Any]:
    return summarise({"burst": [{"messages_per_s": rate, "cpu_ms_per_message": cpu, "others_cores": 0.5}] * 3})


def test_each_couple_is_compared_with_the_last() -> None:
    head, _, rate, cpu, others = table({"one": couple(200.0, 4.0), "two": couple(50.0, 4.0), "last": couple(100.0, 8.0)})
    assert head == "| | one | two | last |"
    assert rate == "| delivered, 20 senders to 20 people, messages/s | 200.0 **2×** | 50.0 **0.5×** | 100.0 |"
    assert cpu.endswith("| 4.00 **2×** | 4.00 **2×** | 8.00 |")
    assert others.endswith("| 0.50 | 0.50 | 0.50 |")


def test_every_row_belongs_to_one_number() -> None:
    assert len({(row.case, row.key) for row in ROWS}) == len(ROWS)


def test_latency_is_that_of_the_first_sent_and_the_first_that_could_be_fetched() -> None:
    pairs = [
        SimpleNamespace(sent_at=[10.0, 10.1], watcher=SimpleNamespace(times=[10.2, 10.5])),
        SimpleNamespace(sent_at=[10.0, 10.2], watcher=SimpleNamespace(times=[10.1, 11.0])),
    ]
    load = Load(cast("Any", pairs), {"messages": 2})
    load.acknowledged_at = 10.4
    found = load.numbers()
    assert found["messages_per_s"] == pytest.approx(4.0)
    assert found["acknowledged_per_s"] == pytest.approx(10.0)
    assert found["p50_ms"] == pytest.approx(400.0)
    assert found["p90_ms"] == pytest.approx(800.0)


def test_an_errand_is_the_same_behind_a_pipe() -> None:
    servers = [Server(f"127.0.0.{number}", 993, 465, [number]) for number in (1, 2)]
    errand = Errand(servers[0], servers[1], [("a@one.test", "x")], [("b@two.test", "y")], {"messages": 3})
    assert Errand.from_json(errand.to_json()) == errand
