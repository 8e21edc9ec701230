"""Holds dgawatch_rule.py against what the Rust code says: python3 -m unittest test_rule."""

from __future__ import annotations

import json
import random
import unittest
from pathlib import Path
from typing import Any

import dgawatch_rule as rule

VECTORS = Path(__file__).resolve().parents[2] / "tests/vectors/verdicts.json"


def cases() -> list[dict[str, Any]]:
    """The shared vectors."""
    return json.loads(VECTORS.read_text())["cases"]


def rules(case: dict[str, Any]) -> dict[tuple[str, str], rule.Rule]:
    """The rules of the lists of a case."""
    return {(row["family"], row["list_day"]): rule.rule_of(row) for row in case["lists"]}


def records(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of all sensors of a case."""
    return [{"sensor": sensor["sensor"], **row} for sensor in case["sensors"] for row in sensor["sources"]]


def servers(case: dict[str, Any]) -> set[str]:
    """Whoever answered at any sensor."""
    return {server for sensor in case["sensors"] for server in sensor["servers"]}


class Verdicts(unittest.TestCase):
    """Whole cases."""

    def test_vectors(self) -> None:
        """Sensors together know what one knows that sees what they see, in whichever order their records come."""
        self.assertGreater(len(cases()), 5)
        for case in cases():
            given = records(case)
            for seed in range(3):
                random.Random(seed).shuffle(given)
                judged = rule.judge(given, rules(case), servers(case))
                self.assertEqual(len(judged), len(case["merged"]), case["name"])
                for expected in case["merged"]:
                    got = dict(judged[(expected["family"], expected["list_day"], expected["source"])])
                    got["known_collisions"] = len(got["collisions"])
                    key = ("source", "family", "list_day")
                    wanted = {name: value for name, value in expected.items() if name not in key}
                    self.assertEqual({name: got[name] for name in wanted}, wanted, (case["name"], expected["source"]))

    def test_without_a_sensor(self) -> None:
        """The vectors do tell: without the records of a sensor verdicts are others."""
        changed = 0
        for case in cases():
            fewer = [record for record in records(case) if record["sensor"] != "sensor-0"]
            judged = rule.judge(fewer, rules(case), servers(case))
            keys = [((row["family"], row["list_day"], row["source"]), row["verdict"]) for row in case["merged"]]
            changed += sum(key in judged and judged[key]["verdict"] != verdict for key, verdict in keys)
        self.assertGreater(changed, 10)


class Parts(unittest.TestCase):
    """Formulas, with the numbers that the tests of src/ledger/rule.rs have."""

    def test_names_needed(self) -> None:
        """As computed from the length of a list."""
        self.assertEqual([rule.usual_needed(250, "all"), rule.usual_needed(50_000, "sample"), rule.usual_needed(25_000_000, None)], [3, 4, 6])
        self.assertEqual(rule.threshold(300.0 * 0.0035 * 25e6 / 3.5e8 * 1e4, 1e3), 871)
        of_c = rule.Rule(50_000, 4, 10, "sample", 500, 10.0)
        self.assertEqual(rule.measure(of_c, 50_000, 20, 0).measured, 6)
        self.assertEqual(rule.measure(of_c, 50_000, 19, 0), of_c)

    def test_readers(self) -> None:
        """Who expands lists."""
        of_b, of_c = rule.Rule(250, 3, 3, "all"), rule.Rule(50_000, 4, 10, "sample", 500, 10.0)
        for distinct, most, messages, b, c in (
            (500, 1, 500, False, False),
            (40, 40, 40, False, True),
            (50_000, 30_000, 50_000, True, True),
            (31_600, 60, 40_000, False, False),
            (250, 240, 25_000, False, True),
            (250, 240, 500, True, True),
            (250, 90, 250, False, True),
        ):
            found = (rule.is_reader(of_b, distinct, most, messages), rule.is_reader(of_c, distinct, most, messages))
            self.assertEqual(found, (b, c), (distinct, most, messages))

    def test_addresses(self) -> None:
        """In the order of Rust's IpAddr; IPv6 counts by /64."""
        addresses = ["9.0.0.1", "10.0.0.1", "255.255.255.255", "::1", "2001:db8::9", "2001:db8::10"]
        self.assertEqual(sorted(reversed(addresses), key=rule.address_key), addresses)
        self.assertEqual(rule.counted_as("2001:db8:0:1:8000::2"), "2001:db8:0:1::/64")
        self.assertEqual(rule.counted_as("2001:db8::/56"), "2001:db8::/56")


if __name__ == "__main__":
    unittest.main()
