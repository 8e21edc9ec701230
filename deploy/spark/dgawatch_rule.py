"""The rule that turns evidence of several sensors into one verdict a source, family and list day.

A port of src/ledger/{rule,askers,role,evidence,verdict}.rs, in plain Python: merge.py computes the parameters of lists with it, and tests
hold both merge.py and the Rust code against it (tests/vectors/verdicts.json). Needs the standard library alone.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Optional

# False verdicts that are allowed a list day, and the clients among which they are counted.
ALLOWED = 0.01
CLIENTS = 1e6

# Verdicts rest on no fewer names than this; of families whose hosts draw names, on one more.
LEAST = 3

# From so many askers on a name can be told to be somebody's; names of a list that can be at most: so many, or a hundredth.
ENOUGH_ASKERS = 5
FEW_ASIDE = 5
SHARE_ASIDE = 100

# Of whoever has more names, all are told to be its own: the others are enough.
FEW_TO_SET_ASIDE = 64

# Sources with names of a placebo from which chance is measured.
ENOUGH_TO_MEASURE = 20

# Messages that want recursion, or do not, are counted up to so many.
MOST_MESSAGES = 255

PLACEBO = "placebo:"

# What evidence is kept by: family, list day, source.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Rule:
    """What verdicts on one list rest on."""

    list: int
    """Names of the list."""
    needed: int
    """Distinct names that make a verdict on a client where chance is as assumed."""
    needed_of_crowd: int
    """The same on a resolver or forwarder."""
    habit: Optional[str] = None
    """`sample`: hosts draw names; `all`: they ask for all; None: not known."""
    drawn: int = 0
    """Names that a host draws (`sample`)."""
    pace: float = 0.0
    """Seconds from one of these to the next (`sample`)."""
    measured: Optional[int] = None
    """Distinct names that make a verdict on a client where a placebo measured chance."""

    @property
    def needed_of_client(self) -> int:
        """Distinct names that make a verdict on a client."""
        return self.needed if self.measured is None else self.measured


def _poisson(mu: float, k: int) -> float:
    return math.exp(k * math.log(mu) - mu - math.lgamma(k + 1))


def poisson_tail(mu: float, k: int) -> float:
    """P(X >= k) of a Poisson variable of mean `mu`."""
    if k == 0:
        return 1.0
    if mu <= 0.0:
        return 0.0
    if k < mu:
        return 1.0 - min(1.0, math.fsum(_poisson(mu, n) for n in range(k)))
    part = _poisson(mu, k)
    total, n = part, k
    while part > total * 1e-16 and n < k + 2_000:
        n += 1
        part *= mu / n
        total += part
    return min(1.0, total)


def threshold(mu: float, sources: float, allowed: float = ALLOWED) -> int:
    """The fewest distinct names that give at most `allowed` false verdicts of so many sources."""
    enough = (k for k in range(1, 10_000) if sources * poisson_tail(mu, k) <= allowed)
    return next(enough, 10_000)


def usual_needed(names: int, habit: Optional[str]) -> int:
    """Distinct names that make a verdict on a client where nobody measured chance: a client asks for 300 registered sites a day of
    350 million, and 0.35 % of a generator's names exist for other reasons."""
    least = LEAST + 1 if habit == "sample" else LEAST
    return max(threshold(300.0 * 0.0035 * names / 3.5e8, CLIENTS), least)


def rule_of(row: dict[str, Any]) -> Rule:
    """The rule in a row of `lists`. Where a placebo told that sensor of chance, the union measures again."""
    names, habit = row["names"], row["habit"]
    needed = usual_needed(names, habit) if row["measured"] else row["names_needed"]
    return Rule(
        list=names,
        needed=needed,
        needed_of_crowd=row["names_needed_of_crowd"],
        habit=habit,
        drawn=row["habit_names"] or 0,
        pace=row["habit_pace"] or 0.0,
    )


def measure(rule: Rule, placebo_names: int, with_one: int, with_more: int) -> Rule:
    """The rule where `with_one` sources have a name of a placebo of so many names, and `with_more` of these have two."""
    if with_one < ENOUGH_TO_MEASURE:
        return rule
    background = 2.0 * (with_more + 1) / with_one / (placebo_names // rule.list)
    needed = max(threshold(background, CLIENTS), rule.needed)
    return replace(rule, measured=needed)


def is_reader(rule: Rule, distinct: int, most: int, messages: int) -> bool:
    """Whether a source expands lists: its pace implies more hosts than its names do."""
    if rule.habit == "sample":
        unseen = max(rule.list - distinct, 3.0)
        hosts = math.log(unseen / rule.list) / math.log1p(-rule.drawn / rule.list)
        return most * rule.pace / 10.0 > 5.0 * hosts + 5.0
    return rule.habit == "all" and 5 * most >= 4 * rule.list and messages < 3 * distinct


def most_set_aside(names: int) -> int:
    """How many names of a list of so many can be set aside; where more look like it, none is."""
    return max(names // SHARE_ASIDE, FEW_ASIDE)


def role_of(recursive: int, iterative: int, answers: bool, forwards: bool) -> str:
    """What a source is in the DNS; not where sources are networks."""
    if iterative > recursive:
        return "resolver"
    if not answers:
        return "client"
    return "forwarder" if forwards else "resolver"


def address_key(address: str) -> bytes:
    """Sorts addresses by number, IPv4 first."""
    known = ipaddress.ip_address(address)
    return bytes([known.version]) + known.packed


def counted_as(source: str) -> str:
    """What a source counts as among different ones: an IPv6 address as its /64, since a host has many in one."""
    if ":" not in source or "/" in source:
        return source
    return str(ipaddress.ip_network((source, 64), strict=False))


def union(records: Iterable[dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    """Adds records of several sensors up, in any order: one a family, list day and source."""
    parts: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        parts[(record["family"], record["list_day"], record["source"])].append(record)
    return {key: _add_up(of_key) for key, of_key in parts.items()}


def _add_up(parts: list[dict[str, Any]]) -> dict[str, Any]:
    latest = max(parts, key=lambda part: (part["last_seen"], part["port"], part["transport"] == "tcp"))
    servers = [part["server"] for part in parts if part.get("server")]
    return {
        "names": sorted({name for part in parts for name in part["names"]}),
        "collisions": sorted({name for part in parts for name in part["collisions"]}),
        "matches": sum(part["matches"] for part in parts),
        "responses": sum(part["responses"] for part in parts),
        "first_seen": min(part["first_seen"] for part in parts),
        "last_seen": latest["last_seen"],
        "port": latest["port"],
        "transport": latest["transport"],
        "recursive": min(sum(part["recursive"] for part in parts), MOST_MESSAGES),
        "iterative": min(sum(part["iterative"] for part in parts), MOST_MESSAGES),
        "most": max(part["most"] for part in parts),
        "server": min(servers, key=address_key, default=None),
    }


def impure_names(rows: dict[Key, dict[str, Any]], rules: dict[tuple[str, str], Rule]) -> dict[tuple[str, str], set[int]]:
    """The names of each list that most askers ask for without anything else of it."""
    everybody: Counter[tuple[str, str, int]] = Counter()
    of_many: Counter[tuple[str, str, int]] = Counter()
    for (family, list_day, _), row in rows.items():
        for name in row["names"]:
            everybody[(family, list_day, name)] += 1
            of_many[(family, list_day, name)] += len(row["names"]) >= rules[(family, list_day)].needed
    impure: dict[tuple[str, str], set[int]] = defaultdict(set)
    for (family, list_day, name), askers in everybody.items():
        if askers >= ENOUGH_ASKERS and 2 * of_many[(family, list_day, name)] < askers:
            impure[(family, list_day)].add(name)
    return {key: names for key, names in impure.items() if len(names) <= most_set_aside(rules[key].list)}


def measured_rules(rows: dict[Key, dict[str, Any]], rules: dict[tuple[str, str], Rule]) -> dict[tuple[str, str], Rule]:
    """The rules as far as placebos measure what chance does."""
    found = dict(rules)
    for (placebo, list_day), of_placebo in rules.items():
        target = (placebo.removeprefix(PLACEBO), list_day)
        if placebo.startswith(PLACEBO) and target in rules:
            counts = [len(row["names"]) for (family, day, _), row in rows.items() if (family, day) == (placebo, list_day)]
            found[target] = measure(rules[target], of_placebo.list, len(counts), sum(count > 1 for count in counts))
    return found


def judge(
    records: list[dict[str, Any]], rules: dict[tuple[str, str], Rule], servers: Iterable[str]
) -> dict[Key, dict[str, Any]]:
    """Adds records up and judges the sums. `servers` were seen to answer."""
    rows = union(records)
    rules = measured_rules(rows, rules)
    impure = impure_names(rows, rules)
    answered = set(servers)
    masked = any(record["role"] == "unknown" for record in records)
    for (family, list_day, source), row in rows.items():
        rule = rules[(family, list_day)]
        forwards = row["server"] is not None and (family, list_day, row["server"]) in rows
        role = "unknown" if masked else role_of(row["recursive"], row["iterative"], source in answered, forwards)
        _conclude(row, rule, role, impure.get((family, list_day), set()))
    return rows


def _conclude(row: dict[str, Any], rule: Rule, role: str, impure: set[int]) -> None:
    distinct = len(row["names"])
    needed = rule.needed_of_crowd if role in ("resolver", "forwarder") else rule.needed_of_client
    aside = len(impure.intersection(row["names"])) if distinct <= FEW_TO_SET_ASIDE else 0
    reader = is_reader(rule, distinct, row["most"], max(row["matches"], row["responses"]))
    telling = max(distinct - len(row["collisions"]) - aside, 0)
    row.update(
        role=role,
        reader=reader,
        set_aside=aside,
        names_needed=needed,
        verdict="infected" if telling >= needed and not reader else "suspect",
    )
