"""Reads an archive of captures with dgawatch on Apache Spark, and merges what was found to one report.

    spark-submit replay_archive.py --dgawatch /usr/bin/dgawatch --output OUT CAPTURES...

CAPTURES are files, folders or patterns, local or of any file system that Hadoop knows; `@FILE` names a file that lists them, one a line.
Each capture is a task: an executor reads it once, hands it to `dgawatch replay`, and leaves evidence in OUT/shards and a receipt in
OUT/receipts. What has a receipt is not read again. OUT/report has what merge.py writes; its summary names captures that are damaged, that
hold what another one holds, or that could not be read. Exit code 1 where some could not be read: run it again.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

import hadoop_files as files
import merge
import shard

# Tasks of one job, at most: of more captures some share one.
MOST_TASKS = 100_000

RECEIPT = (
    "path string, sha256 string, attempt string, packets bigint, octets bigint, first_packet string, last_packet string,"
    "error string, matches_not_kept bigint"
)


def shards_of(spark: SparkSession, given: list[str]) -> list[shard.Shard]:
    """The captures that arguments name, each once."""
    patterns: list[str] = []
    for argument in given:
        listed = files.read_text(spark, argument[1:]).splitlines() if argument.startswith("@") else [argument]
        patterns += [line.strip() for line in listed if line.strip()]
    found = {path: shard.Shard(path, size, time) for pattern in patterns for path, size, time in files.captures(spark, pattern)}
    return [found[path] for path in sorted(found)]


def receipts(spark: SparkSession, output: str) -> dict[str, dict[str, Any]]:
    """All receipts, by their names. Some hundred octets each."""
    rows = spark.read.schema(RECEIPT).option("pathGlobFilter", "*.json").json(files.qualified(f"{output}/receipts"))
    rows = rows.withColumn("key", F.regexp_extract(F.input_file_name(), r"([0-9a-f]+)\.json$", 1))
    return {row["key"]: row.asDict() for row in rows.collect()}


def run(spark: SparkSession, todo: list[shard.Shard], settings: shard.Settings) -> list[dict[str, str]]:
    """Reads captures on the executors; those that gave no result, and why."""
    if not todo:
        return []
    fault = spark.sparkContext.parallelize([settings], 1).map(shard.fault).collect()[0]
    if fault is not None:
        raise SystemExit(fault)

    def each(shards: Iterable[shard.Shard]) -> Iterator[dict[str, str]]:
        # Spark removes this folder with the executor, whatever became of the task.
        scratch = SparkFiles.getRootDirectory()
        for one in shards:
            failed = shard.replay(one, settings, scratch)
            if failed is not None:
                yield failed

    tasks = spark.sparkContext.parallelize(todo, min(len(todo), MOST_TASKS))
    return sorted(tasks.mapPartitions(each).collect(), key=lambda failed: failed["path"])


def of_attempts(frame: DataFrame, attempts: DataFrame) -> DataFrame:
    """The rows of the attempts that count."""
    return frame.join(F.broadcast(attempts), "sensor", "left_semi")


def archive(spark: SparkSession, options: argparse.Namespace) -> dict[str, Any]:
    """Reads what is not read yet and merges all of it; the summary."""
    output = files.absolute(options.output)
    settings = shard.Settings(options.dgawatch, shlex.split(options.arguments), output)
    for folder in ("shards", "receipts"):
        files.make_folder(spark, f"{output}/{folder}")
    shards = {one.key(settings.arguments): one for one in shards_of(spark, options.captures)}
    done = receipts(spark, output)
    todo = [one for key, one in shards.items() if key not in done]
    print(f"{len(shards)} captures, {len(shards) - len(todo)} of them read before", file=sys.stderr)
    unread = run(spark, todo, settings)
    done = receipts(spark, output)
    files.remove_children(spark, f"{output}/shards", {receipt["attempt"] for receipt in done.values()})
    counted, told = shard.choose([done[key] for key in shards if key in done], options.keep_damaged)
    attempts = spark.createDataFrame([(receipt["attempt"],) for receipt in counted], "sensor string")
    frames = merge.read_all(spark, [f"{output}/shards/*"])
    chosen = merge.Frames(*(of_attempts(frame, attempts) for frame in frames))
    return merge.merge(spark, chosen, f"{output}/report", shard.summary_of(counted, told, unread))


def arguments() -> argparse.ArgumentParser:
    """What the command line takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dgawatch", required=True, metavar="PROGRAM", help="the program, a path that each executor has")
    parser.add_argument("--output", required=True, metavar="OUT", help="folder that all executors can write to")
    parser.add_argument("--arguments", default="", metavar="TEXT", help="more arguments of `dgawatch replay`, as `--family conficker-b`")
    parser.add_argument("--keep-damaged", action="store_true", help="count what damaged captures hold before the damage")
    parser.add_argument("captures", nargs="+", metavar="CAPTURES", help="files, folders, patterns, or @FILE with a list of them")
    return parser


def main(given: Optional[list[str]] = None) -> int:
    """Runs the program."""
    options = arguments().parse_args(given)
    summary = archive(merge.session("dgawatch archive"), options)
    for one in summary["failed_shards"] + summary["unread_shards"]:
        print(f"{one['path']}: {one['error']}", file=sys.stderr)
    json.dump(summary["families"], sys.stdout, indent=1)
    print()
    return 1 if summary["unread_shards"] else 0


if __name__ == "__main__":
    sys.exit(main())
