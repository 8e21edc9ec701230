"""One capture of an archive: read by dgawatch on an executor, its evidence put where the merge finds it.

What is done is told by receipts: a small file a capture, written last and as a whole. Evidence that no receipt names does not count, so a
task may be killed at any time, run twice, or be run again.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Optional

import hadoop_files as files

# Octets that are read at once.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Shard:
    """A capture to be read."""

    path: str
    size: int
    modified: int

    def key(self, arguments: list[str]) -> str:
        """What its receipt is called: another file, a changed one, or other families are another."""
        return hashlib.sha256(json.dumps([self.path, self.size, self.modified, arguments]).encode()).hexdigest()[:40]


@dataclass(frozen=True)
class Settings:
    """What all shards have in common."""

    dgawatch: str
    """The program, a path that each executor has."""
    arguments: list[str]
    """Arguments of `replay` beside those for output."""
    output: str
    """Where receipts and evidence go."""


def fault(settings: Settings) -> Optional[str]:
    """Why the program cannot be run like this on any shard, if it cannot: told before a petabyte is read in vain."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            command = _command(settings, "probe", Path(folder))
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except OSError as error:
        return f"{settings.dgawatch} cannot be run on the executors: {error.strerror}"
    said = done.stderr.decode(errors="replace").strip()
    return f"`{' '.join(command)}` is no way to run dgawatch: {said}" if done.returncode == 2 else None


def _command(settings: Settings, attempt: str, evidence: Path) -> list[str]:
    command = [settings.dgawatch, "replay", "--format", "json", "--quiet", "--threads", "1", "--sensor", attempt]
    return [*command, "--parquet", str(evidence), *settings.arguments, "-"]


def replay(shard: Shard, settings: Settings, scratch: Optional[str]) -> Optional[dict[str, str]]:
    """Reads a capture and leaves evidence and receipt.

    Nothing is returned then, damaged captures included. Where there is no result, which one and why: it is for the next run to try again.
    """
    attempt = uuid.uuid4().hex
    try:
        with tempfile.TemporaryDirectory(prefix="dgawatch-", dir=scratch) as folder:
            receipt = _run(shard, settings, attempt, Path(folder))
            files.put(Path(folder) / "evidence", f"{settings.output}/shards/{attempt}")
            kept = Path(folder) / "receipt.json"
            kept.write_text(json.dumps(receipt) + "\n")
            files.put(kept, f"{settings.output}/receipts/{shard.key(settings.arguments)}.json")
    except (files.Unreadable, OSError) as error:
        return {"path": shard.path, "error": str(error)}
    return None


def _run(shard: Shard, settings: Settings, attempt: str, folder: Path) -> dict[str, Any]:
    evidence = folder / "evidence"
    evidence.mkdir()
    command = _command(settings, attempt, evidence)
    with open(folder / "report.json", "wb") as report, open(folder / "complaints", "wb") as complaints:
        program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=report, stderr=complaints)
        try:
            with files.opened(shard.path) as capture:
                digest = _feed(capture, program.stdin)
        except BaseException:
            program.kill()
            raise
        finally:
            _close(program.stdin)
            code = program.wait()
    said = (folder / "complaints").read_text(errors="replace").strip().splitlines()
    return _receipt(shard, attempt, digest, _report(folder / "report.json", code, said))


def _feed(capture: IO[bytes], program: IO[bytes]) -> str:
    """Hands a capture over; its digest, which is that of all octets, also where the program has seen enough."""
    digest, wanted = hashlib.sha256(), True
    while True:
        try:
            block = capture.read(_BLOCK)
        except OSError as error:
            raise files.Unreadable(f"cannot be read: {error.strerror}") from error
        if not block:
            return digest.hexdigest()
        digest.update(block)
        if wanted:
            try:
                program.write(block)
            except BrokenPipeError:
                wanted = False


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        pass


def _report(path: Path, code: int, said: list[str]) -> dict[str, Any]:
    """What the program found. With code 1 it must say what is wrong with the capture: else nothing is known of it."""
    ended = f"dgawatch ended with code {code}" if code >= 0 else f"dgawatch was ended by signal {-code}"
    why = said[-1] if said else "it said nothing"
    try:
        report = json.loads(path.read_bytes())
        [capture] = report["captures"]
    except (ValueError, KeyError, TypeError) as error:
        raise files.Unreadable(f"{ended}: {why}") from error
    if code != 0 and (code != 1 or capture["error"] is None):
        raise files.Unreadable(f"{ended}: {why}")
    return report


def _receipt(shard: Shard, attempt: str, digest: str, report: dict[str, Any]) -> dict[str, Any]:
    [capture] = report["captures"]
    return {
        "path": shard.path,
        "sha256": digest,
        "attempt": attempt,
        "packets": capture["packets"],
        "octets": capture["bytes"],
        "first_packet": capture["first_packet"],
        "last_packet": capture["last_packet"],
        "error": capture["error"],
        "matches_not_kept": report["matches_not_kept"],
    }


def choose(found: list[dict[str, Any]], keep_damaged: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The receipts that count, and what to tell of the others. Of captures with the same octets the one with the first path counts."""
    first: dict[str, dict[str, Any]] = {}
    duplicates = []
    for receipt in sorted(found, key=lambda receipt: receipt["path"]):
        known = first.setdefault(receipt["sha256"], receipt)
        if known is not receipt:
            duplicates.append({"path": receipt["path"], "same_as": known["path"]})
    damaged = [receipt for receipt in first.values() if receipt["error"] is not None]
    counted = [receipt for receipt in first.values() if receipt["error"] is None or keep_damaged]
    told = [{"path": one["path"], "error": one["error"], "packets": one["packets"], "counted": keep_damaged} for one in damaged]
    return counted, {"failed_shards": told, "duplicates": duplicates}


def summary_of(counted: list[dict[str, Any]], told: dict[str, Any], unread: list[dict[str, str]]) -> dict[str, Any]:
    """What the summary says of captures."""
    total = lambda name: sum(receipt[name] for receipt in counted)
    times = lambda name: [receipt[name] for receipt in counted if receipt[name] is not None]
    return {
        "captures": len(counted),
        "packets": total("packets"),
        "octets": total("octets"),
        "first_packet": min(times("first_packet"), default=None),
        "last_packet": max(times("last_packet"), default=None),
        "matches_not_kept": total("matches_not_kept"),
        **told,
        "unread_shards": unread,
    }
