"""Files of any file system that Hadoop knows: on the driver through Spark's own Hadoop, on executors through its shell.

A path without a scheme (`/captures/a.pcap`) is a local one and never goes through Hadoop where it need not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def is_local(path: str) -> bool:
    """Whether a path is one without a scheme."""
    return "://" not in path and not path.startswith("file:")


def absolute(path: str) -> str:
    """The same path wherever a process was started."""
    return os.path.abspath(path) if is_local(path) else path


def qualified(path: str) -> str:
    """The same for Hadoop, whatever its default file system is."""
    return f"file://{absolute(path)}" if is_local(path) else path


# On the driver.


def _at(spark: SparkSession, path: str) -> tuple[Any, Any]:
    hadoop = spark._jvm.org.apache.hadoop.fs
    place = hadoop.Path(qualified(path))
    return place.getFileSystem(spark._jsc.hadoopConfiguration()), place


def existing(spark: SparkSession, paths: list[str]) -> list[str]:
    """Those of some paths or patterns that lead to something."""
    return [path for path in paths if _found(spark, path)]


def _found(spark: SparkSession, pattern: str) -> list[Any]:
    system, place = _at(spark, pattern)
    return list(system.globStatus(place) or [])


def captures(spark: SparkSession, pattern: str) -> list[tuple[str, int, int]]:
    """The files that a path, a folder or a pattern names: path, size, time of their last change. Folders are looked into, hidden files
    are passed over."""
    system, _ = _at(spark, pattern)
    found, waiting = [], _found(spark, pattern)
    if not waiting:
        raise SystemExit(f"{pattern}: there is no such file")
    while waiting:
        status = waiting.pop()
        if status.getPath().getName().startswith((".", "_")):
            continue
        if status.isDirectory():
            waiting.extend(system.listStatus(status.getPath()))
            continue
        path = status.getPath().toUri().getPath() if is_local(pattern) else status.getPath().toString()
        found.append((path, status.getLen(), status.getModificationTime()))
    return sorted(found)


def read_text(spark: SparkSession, path: str) -> str:
    """A text file that the driver reads."""
    return "\n".join(row[0] for row in spark.read.text(qualified(path), wholetext=True).collect())


def write_text(spark: SparkSession, path: str, text: str) -> None:
    """Replaces a text file as a whole."""
    system, place = _at(spark, path)
    beside = place.suffix(".part")
    stream = system.create(beside, True)
    try:
        stream.write(bytearray(text.encode()))
    finally:
        stream.close()
    system.delete(place, False)
    if not system.rename(beside, place):
        raise SystemExit(f"{path}: cannot be written")


def make_folder(spark: SparkSession, path: str) -> None:
    """Makes a folder and those above it."""
    system, place = _at(spark, path)
    system.mkdirs(place)


def remove_children(spark: SparkSession, path: str, but: set[str]) -> int:
    """Removes what is in a folder but for these names; how many it were."""
    system, place = _at(spark, path)
    others = [status.getPath() for status in system.listStatus(place) if status.getPath().getName() not in but]
    return sum(bool(system.delete(other, True)) for other in others)


# On executors, where Python has no Hadoop: about two seconds a call.


class Unreadable(Exception):
    """A capture cannot be read; says why in one sentence."""


def _shell(*arguments: str) -> tuple[list[str], dict[str, str]]:
    from pyspark.find_spark_home import _find_spark_home

    environment = dict(os.environ)
    if "HADOOP_CONF_DIR" not in environment:
        folder = Path(tempfile.gettempdir()) / f"hadoop-without-configuration-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "core-site.xml").write_text("<configuration/>\n")
        environment["HADOOP_CONF_DIR"] = str(folder)
    # Meant for the driver and its like, and not for this.
    for name in ("SPARK_SUBMIT_OPTS", "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET", "_PYSPARK_DRIVER_CONN_INFO_PATH"):
        environment.pop(name, None)
    program = os.path.join(_find_spark_home(), "bin", "spark-class")
    return [program, "org.apache.hadoop.fs.FsShell", *arguments], environment


def _last_line(text: bytes) -> str:
    lines = [line for line in text.decode(errors="replace").splitlines() if line and not line.startswith("WARNING")]
    return lines[-1] if lines else "no reason given"


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """The octets of a file from its beginning.

    Raises Unreadable where it cannot be read, at the latest when the block ends.
    """
    if is_local(path):
        try:
            stream = open(path, "rb")
        except OSError as error:
            raise Unreadable(f"cannot be opened: {error.strerror}") from error
        with stream:
            yield stream
        return
    command, environment = _shell("-cat", path)
    with tempfile.TemporaryFile() as complaints:
        reader = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints)
        try:
            yield reader.stdout
        finally:
            reader.stdout.close()
            code = reader.wait()
        if code != 0:
            complaints.seek(0)
            raise Unreadable(f"cannot be read: {_last_line(complaints.read())}")


def put(local: Path, path: str) -> None:
    """Copies a local file or folder; what is there is replaced. No file is ever seen in part: a shell of Hadoop, and object stores, see
    to that themselves."""
    if not is_local(path):
        command, environment = _shell("-put", "-f", str(local), path)
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode != 0:
            raise OSError(f"{path} cannot be written: {_last_line(done.stderr)}")
    elif local.is_dir():
        shutil.copytree(local, path, copy_function=_copy_whole, dirs_exist_ok=True)
    else:
        _copy_whole(str(local), path)


def _copy_whole(source: str, target: str) -> str:
    shutil.copyfile(source, f"{target}.part")
    os.replace(f"{target}.part", target)
    return target
