"""Merges the evidence of several sensors on Apache Spark: one verdict a source, family and list day, and how many sources there are.

    spark-submit merge.py --output OUT SENSOR_DIR...

Each SENSOR_DIR is what `dgawatch replay --parquet DIR` wrote. OUT gets `sources` (Parquet: one row a source, family and list day, as
docs/REPORT.md has them), `lists` (Parquet) and `summary.json`. Paths may be local or of any file system that Hadoop knows.
The rule is that of the sensor: dgawatch_rule.py, here as expressions that Spark evaluates without Python.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, Optional

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

import dgawatch_rule as rule
import hadoop_files as files

_PLACES = "array<int>"

EVIDENCE = (
    f"sensor string, family string, list_day date, source string, network string, matches bigint, responses bigint,"
    f"names {_PLACES}, collisions {_PLACES}, first_seen timestamp, last_seen timestamp, port int, transport string,"
    f"recursive int, iterative int, most int, server string, role string"
)
LISTS = (
    "sensor string, family string, list_day date, names int, names_needed int, names_needed_of_crowd int, measured boolean,"
    "habit string, habit_names int, habit_pace double, masking string"
)
SERVERS = "sensor string, server string"
SKETCHES = "sensor string, family string, hour timestamp, scope string, sketch binary"

_RULES = (
    "family string, list_day date, list int, needed int, needed_of_client int, needed_of_crowd int, habit string, drawn int, pace double"
)

_LIST = ["family", "list_day"]
_KEY = [*_LIST, "source"]


class Frames(NamedTuple):
    """What sensors wrote."""

    evidence: DataFrame
    lists: DataFrame
    servers: DataFrame
    sketches: DataFrame


def read_all(spark: SparkSession, folders: list[str]) -> Frames:
    """The rows that sensors wrote into some folders, which may be patterns."""
    kinds = (("evidence", EVIDENCE), ("lists", LISTS), ("servers", SERVERS), ("sketches", SKETCHES))
    return Frames(*(_read(spark, folders, kind, schema) for kind, schema in kinds))


def _read(spark: SparkSession, folders: list[str], kind: str, schema: str) -> DataFrame:
    """Days and families stand in the rows too, so their folders are not looked at."""
    paths = [files.qualified(f"{folder.rstrip('/')}/{kind}") for folder in folders]
    known = files.existing(spark, paths)
    if not known:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).option("recursiveFileLookup", True).option("pathGlobFilter", "*.parquet").parquet(*known)


def union(evidence: DataFrame) -> DataFrame:
    """Evidence added up: one row a source, family and list day, whichever sensors saw it."""
    servers = evidence.select("server").where("server is not null").distinct()
    servers = servers.withColumn("server_key", F.udf(rule.address_key, T.BinaryType(), useArrow=False)("server"))
    latest = F.max(F.struct("last_seen", "port", (F.col("transport") == "tcp").alias("is_tcp"), "transport"))
    places = lambda column: F.array_sort(F.array_distinct(F.flatten(F.collect_list(column))))
    messages = lambda column: F.least(F.sum(column), F.lit(rule.MOST_MESSAGES)).cast("int").alias(column)
    rows = evidence.join(F.broadcast(servers), "server", "left").groupBy(_KEY).agg(
        F.count_distinct("sensor").cast("int").alias("sensors"),
        F.max("network").alias("network"),
        F.sum("matches").alias("matches"),
        F.sum("responses").alias("responses"),
        places("names").alias("names"),
        F.size(places("collisions")).alias("known_collisions"),
        F.min("first_seen").alias("first_seen"),
        latest.alias("latest"),
        messages("recursive"),
        messages("iterative"),
        F.max("most").alias("most"),
        F.min(F.when(F.col("server").isNotNull(), F.struct("server_key", "server")))["server"].alias("server"),
    )
    rows = rows.withColumn("distinct_names", F.size("names"))
    return rows.select("*", "latest.last_seen", "latest.port", "latest.transport").drop("latest")


def rules_of(lists: DataFrame, rows: DataFrame) -> dict[tuple[str, str], rule.Rule]:
    """The rule of each list, by family and day; measured where a placebo tells what chance does. There are few lists."""
    if lists.select("masking").distinct().count() > 1:
        raise SystemExit("sensors stand for sources in different ways (--prefix, --pseudonymise): they must share the key")
    rules: dict[tuple[str, str], rule.Rule] = {}
    for row in lists.drop("sensor", "masking").distinct().collect():
        key = (row["family"], row["list_day"].isoformat())
        found = rule.rule_of(row.asDict())
        if rules.setdefault(key, found) != found:
            raise SystemExit(f"sensors judge {key[0]} of {key[1]} by different lists: merge those of one version of dgawatch")
    placebos = rows.where(F.col("family").startswith(rule.PLACEBO)).groupBy(_LIST)
    more = F.sum(F.when(F.col("distinct_names") > 1, 1).otherwise(0))
    for row in placebos.agg(F.count("*").alias("all"), more.alias("more")).collect():
        day = row["list_day"].isoformat()
        target = (row["family"].removeprefix(rule.PLACEBO), day)
        if target in rules:
            placebo = rules[(row["family"], day)]
            rules[target] = rule.measure(rules[target], placebo.list, row["all"], row["more"])
    return rules


def as_rows(spark: SparkSession, rules: dict[tuple[str, str], rule.Rule]) -> DataFrame:
    """Rules as rows."""
    rows = [
        (family, date.fromisoformat(day), r.list, r.needed, r.needed_of_client, r.needed_of_crowd, r.habit, r.drawn, r.pace)
        for (family, day), r in sorted(rules.items())
    ]
    return spark.createDataFrame(rows, _RULES)


def impure_names(rows: DataFrame) -> DataFrame:
    """Of each list the names that most askers ask for without anything else of it, where they are few enough to be set aside."""
    asked = rows.select(*_LIST, "list", F.explode("names").alias("name"), (F.col("distinct_names") >= F.col("needed")).alias("many"))
    askers = asked.groupBy(*_LIST, "list", "name").agg(
        F.count("*").alias("all"), F.sum(F.col("many").cast("int")).alias("of_many")
    )
    visited = askers.where((F.col("all") >= rule.ENOUGH_ASKERS) & (2 * F.col("of_many") < F.col("all")))
    of_list = visited.groupBy(*_LIST, "list").agg(F.collect_list("name").alias("impure"))
    bound = F.greatest(F.floor(F.col("list") / rule.SHARE_ASIDE), F.lit(rule.FEW_ASIDE))
    return of_list.where(F.size("impure") <= bound).drop("list")


def _reader() -> Column:
    """`dgawatch_rule.is_reader` of a row that has its rule."""
    names, distinct, most = F.col("list").cast("double"), F.col("distinct_names"), F.col("most")
    unseen = F.greatest(names - distinct, F.lit(3.0))
    hosts = F.log(unseen / names) / F.log1p(-F.col("drawn") / names)
    sampling = most * F.col("pace") / 10.0 > 5.0 * hosts + 5.0
    messages = F.greatest("matches", "responses")
    asking_all = (5 * most >= 4 * F.col("list")) & (messages < 3 * distinct)
    return F.when(F.col("habit") == "sample", sampling).when(F.col("habit") == "all", asking_all).otherwise(False)


def _role(masked: bool) -> Column:
    if masked:
        return F.lit("unknown")
    return (
        F.when(F.col("iterative") > F.col("recursive"), "resolver")
        .when(F.col("answers").isNull(), "client")
        .when(F.col("forwards").isNotNull(), "forwarder")
        .otherwise("resolver")
    )


def is_masked(evidence: DataFrame) -> bool:
    """Whether sources are networks; sensors must agree."""
    kinds = {row[0] for row in evidence.select(F.col("role") == "unknown").distinct().collect()}
    if len(kinds) > 1:
        raise SystemExit("some sensors have addresses for sources, others networks (--prefix): merge those that mask alike")
    return True in kinds


def judge(rows: DataFrame, rules: DataFrame, servers: DataFrame, masked: bool) -> DataFrame:
    """Rows of `union` with their verdicts and what these rest on. `servers` were seen to answer."""
    rows = rows.join(F.broadcast(rules), _LIST)
    answers = servers.select(F.col("server").alias("source")).distinct().withColumn("answers", F.lit(True))
    # Servers that ask themselves: resolvers and forwarders, few beside clients.
    upstream = rows.where("server is not null").select(*_LIST, "server").distinct()
    forwards = upstream.join(rows.select(*_LIST, F.col("source").alias("server")), [*_LIST, "server"])
    forwards = forwards.withColumn("forwards", F.lit(True))
    rows = rows.join(F.broadcast(impure_names(rows)), _LIST, "left").join(F.broadcast(answers), "source", "left")
    rows = rows.join(F.broadcast(forwards), [*_LIST, "server"], "left")
    few = (F.col("distinct_names") <= rule.FEW_TO_SET_ASIDE) & F.col("impure").isNotNull()
    aside = F.when(few, F.size(F.array_intersect("names", "impure"))).otherwise(0)
    needed = F.when(F.col("role").isin("resolver", "forwarder"), F.col("needed_of_crowd")).otherwise(F.col("needed_of_client"))
    rows = rows.withColumns({"role": _role(masked), "reader": _reader(), "set_aside": aside})
    rows = rows.withColumn("names_needed", needed)
    telling = F.col("distinct_names") - F.col("known_collisions") - F.col("set_aside")
    infected = (telling >= F.col("names_needed")) & ~F.col("reader")
    return rows.withColumn("verdict", F.when(infected, "infected").otherwise("suspect"))


_REPORTED = [
    "source", "family", "list_day", "network", "sensors", "matches", "responses", "distinct_names", "names", "known_collisions",
    "first_seen", "last_seen", "port", "transport", "verdict", "names_needed", "set_aside", "reader", "role",
]  # fmt: skip


def lists_of(judged: DataFrame) -> DataFrame:
    """What there is of each list."""
    count = lambda condition: F.sum(F.when(condition, 1).otherwise(0)).cast("int")
    impure = F.max(F.coalesce(F.size("impure"), F.lit(0)))
    return judged.groupBy(_LIST).agg(
        F.max("list").alias("names"),
        F.max("needed_of_client").alias("names_needed"),
        impure.alias("set_aside"),
        F.count("*").alias("sources"),
        count(F.col("verdict") == "infected").alias("infected"),
        F.sum("matches").alias("matches"),
        F.sum("responses").alias("responses"),
    )


def families_of(sources: DataFrame) -> list[dict[str, Any]]:
    """Sources of each family, each once."""
    infected = F.max((F.col("verdict") == "infected").cast("int"))
    one = sources.groupBy("family", "source").agg(
        infected.alias("infected"), F.sum("matches").alias("matches"), F.sum("responses").alias("responses")
    )
    total = one.groupBy("family").agg(
        F.sum("matches").alias("matches"),
        F.sum("responses").alias("responses"),
        F.count("*").alias("sources"),
        F.sum("infected").alias("infected"),
    )
    networks = one.withColumn("counted", F.col("source")).where(~F.col("source").contains(":"))
    of_v6 = one.where(F.col("source").contains(":")).withColumn("counted", F.udf(rule.counted_as, useArrow=False)("source"))
    counted = networks.unionByName(of_v6).groupBy("family").agg(
        F.count_distinct("counted").alias("seen"), F.count_distinct(F.when(F.col("infected") > 0, F.col("counted"))).alias("sure")
    )
    rows = total.join(counted, "family").orderBy("family").collect()
    return [
        {
            "family": row["family"], "matches": row["matches"], "responses": row["responses"], "sources": row["sources"],
            "infected": row["infected"], "suspect": row["sources"] - row["infected"],
            "distinct": {"seen": row["seen"], "infected": row["sure"]},
        }
        for row in rows
    ]  # fmt: skip


# The standard error of a sketch of 2^12 registers that is a union, and what its interval of 95 % reaches to.
SKETCH_ERROR = 1.04 / math.sqrt(1 << 12)
_Z = 1.959964


def sketched(sketches: DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Distinct sources by family and scope as the sketches of all hours and sensors say together. Sums would count some twice."""
    estimate = F.hll_sketch_estimate(F.hll_union_agg("sketch", F.lit(False)))
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in sketches.groupBy("family", "scope").agg(estimate.alias("best")).orderBy("family", "scope").collect():
        best, reach = float(row["best"]), _Z * SKETCH_ERROR
        found.setdefault(row["family"], {})[row["scope"]] = {"low": best * (1 - reach), "best": best, "high": best * (1 + reach)}
    return found


def merge(spark: SparkSession, frames: Frames, output: str, told: dict[str, Any]) -> dict[str, Any]:
    """Merges what sensors wrote into `output`; the summary, which has what is `told` beside."""
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    output = files.qualified(output)
    rows = union(frames.evidence).persist()
    rules = as_rows(spark, rules_of(frames.lists, rows))
    judged = judge(rows, rules, frames.servers, is_masked(frames.evidence)).persist()
    if judged.count() != rows.count():
        raise SystemExit("there is evidence of lists that no file of `lists` describes: name whole folders, as --parquet wrote them")
    judged.select(_REPORTED).sort(_KEY).write.mode("overwrite").parquet(f"{output}/sources")
    of_lists = lists_of(judged).sort(_LIST).coalesce(1).persist()
    of_lists.write.mode("overwrite").parquet(f"{output}/lists")
    families, sketches = families_of(judged), sketched(frames.sketches)
    for family in families:
        family["sketched"] = sketches.get(family["family"], {})
    lists = [{**row.asDict(), "list_day": row["list_day"].isoformat()} for row in of_lists.collect()]
    summary = {"schema": 1, **told, "families": families, "lists": lists}
    files.write_text(spark, f"{output}/summary.json", json.dumps(summary, indent=1) + "\n")
    for frame in (rows, judged, of_lists):
        frame.unpersist()
    return summary


def session(name: str) -> SparkSession:
    """The session that spark-submit set up, with our modules on the executors."""
    spark = SparkSession.builder.appName(name).getOrCreate()
    here = Path(__file__).resolve().parent
    for module in ("dgawatch_rule.py", "hadoop_files.py", "shard.py"):
        spark.sparkContext.addPyFile(str(here / module))
    return spark


def arguments() -> argparse.ArgumentParser:
    """What the command line takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, metavar="OUT", help="folder to write to; what is there is replaced")
    parser.add_argument("folders", nargs="+", metavar="SENSOR_DIR", help="what `dgawatch replay --parquet` wrote")
    return parser


def main(given: Optional[list[str]] = None) -> int:
    """Runs the program."""
    options = arguments().parse_args(given)
    spark = session("dgawatch merge")
    frames = read_all(spark, options.folders)
    sensors = sorted(row[0] for row in frames.lists.select("sensor").distinct().collect())
    summary = merge(spark, frames, options.output, {"sensors": sensors})
    json.dump(summary["families"], sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
