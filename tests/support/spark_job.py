"""One Spark job for all that tests/spark.rs asks: sensors merged, an archive read in two runs, the shared vectors. Starting Spark takes longer
than all of it.

    spark_job.py WORK    which has sensors/*, captures/*, first.txt, dgawatch, vectors.json
"""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import merge
import replay_archive
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F


def rows(spark: SparkSession, folder: Path) -> list[dict[str, Any]]:
    """What a merge wrote, times as reports write them."""
    frame = spark.read.parquet(f"file://{folder}/sources")
    for column in ("first_seen", "last_seen"):
        frame = frame.withColumn(column, F.date_format(column, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'"))
    return as_json(frame)


def as_json(frame: DataFrame) -> list[dict[str, Any]]:
    """Rows as the members of JSON objects."""
    rows = frame.orderBy("family", "list_day", "source").select(F.to_json(F.struct("*"))).collect()
    return [json.loads(row[0]) for row in rows]


def moved(case: int, value: Any) -> Any:
    """A case's records among those of others: addresses and days of its own, in the same order."""
    if isinstance(value, str) and value.startswith("192."):
        return f"{10 + case}" + value[3:]
    return value


def of_vectors(spark: SparkSession, path: Path) -> list[dict[str, Any]]:
    """The vectors judged by Spark, all at once."""
    evidence, lists, servers = [], [], []
    for number, case in enumerate(json.loads(path.read_text())):
        def placed(row: dict[str, Any], number: int = number) -> dict[str, Any]:
            day = date.fromordinal(date.fromisoformat(row["list_day"]).toordinal() + 10 * number)
            return {**{name: moved(number, value) for name, value in row.items()}, "list_day": day}

        lists += [{"sensor": "all", **placed(row)} for row in case["lists"]]
        for sensor in case["sensors"]:
            servers += [{"sensor": sensor["sensor"], "server": moved(number, server)} for server in sensor["servers"]]
            for row in sensor["sources"]:
                times = {name: datetime.fromisoformat(row[name].replace("Z", "+00:00")) for name in ("first_seen", "last_seen")}
                evidence.append({"sensor": sensor["sensor"], "network": None, **placed(row), **times})
    columns = lambda schema: [column.split()[0] for column in schema.split(",")]
    frame = lambda given, schema: spark.createDataFrame([tuple(map(row.get, columns(schema))) for row in given], schema)
    judging, described = frame(evidence, merge.EVIDENCE), frame(lists, merge.LISTS)
    united = merge.union(judging).persist()
    rules = merge.as_rows(spark, merge.rules_of(described, united))
    judged = merge.judge(united, rules, frame(servers, merge.SERVERS), merge.is_masked(judging))
    wanted = ["source", "family", "list_day", "verdict", "role", "reader", "set_aside", "names_needed", "names", "known_collisions"]
    return as_json(judged.select(wanted))


def main() -> None:
    """Runs everything, and leaves results.json."""
    work = Path(sys.argv[1])
    spark = merge.session("dgawatch test")
    spark.sparkContext.setLogLevel("ERROR")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    results: dict[str, Any] = {"vectors": of_vectors(spark, work / "vectors.json")}
    frames = merge.read_all(spark, [str(folder) for folder in sorted((work / "sensors").iterdir())])
    results["sensors"] = {"summary": merge.merge(spark, frames, str(work / "merged"), {}), "rows": rows(spark, work / "merged")}
    usual = ["--dgawatch", str(work / "dgawatch"), "--output", str(work / "archive"), "--arguments", "--family conficker --family placebo:conficker-b"]
    for run, captures in (("first", f"@{work}/first.txt"), ("second", str(work / "captures"))):
        parsed = replay_archive.arguments().parse_args([*usual, captures])
        results[run] = {"summary": replay_archive.archive(spark, parsed), "started": len((work / "started").read_text().splitlines())}
    results["second"]["rows"] = rows(spark, work / "archive/report")
    (work / "results.json").write_text(json.dumps(results))
    spark.stop()


if __name__ == "__main__":
    main()
