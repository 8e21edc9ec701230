"""Captures read by a program that behaves well or badly, without Spark: python3 -m unittest test_shard."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Optional

import hadoop_files as files
import shard

# Does what the first line of the capture says: in place of dgawatch.
PROGRAM = f"""#!{sys.executable}
import json, os, signal, sys
if "--nonsense" in sys.argv:
    print("error: no such flag", file=sys.stderr)
    sys.exit(2)
behaviour = sys.stdin.buffer.readline().decode().strip()
if behaviour == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if behaviour != "early":
    sys.stdin.buffer.read()
folder = sys.argv[sys.argv.index("--parquet") + 1]
os.makedirs(folder + "/evidence/list_day=2009-03-31", exist_ok=True)
open(folder + "/evidence/list_day=2009-03-31/a.parquet", "w").write(sys.argv[sys.argv.index("--sensor") + 1])
error = "cut off" if behaviour == "damaged" else None
capture = dict(path="-", packets=7, bytes=70, first_packet="2009-03-31T00:00:00Z", last_packet=None, error=error)
if behaviour == "panic":
    print("thread panicked", file=sys.stderr)
    sys.exit(101)
print("nothing" if behaviour == "mute" else json.dumps(dict(captures=[capture], matches_not_kept=0)))
if behaviour == "full":
    print("no space left", file=sys.stderr)
sys.exit(1 if behaviour in ("damaged", "full") else 0)
"""


class Shards(unittest.TestCase):
    """One capture each."""

    def setUp(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = Path(self._folder.name)
        program = self.folder / "program"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        for part in ("out/shards", "out/receipts", "scratch"):
            (self.folder / part).mkdir(parents=True)
        self.settings = shard.Settings(str(program), [], str(self.folder / "out"))

    def replay(self, behaviour: str, path: Optional[str] = None) -> tuple[Optional[dict[str, str]], Optional[dict[str, Any]]]:
        """What is returned, and the receipt."""
        capture = self.folder / behaviour
        capture.write_bytes(behaviour.encode() + b"\n" + bytes(3 << 20))
        one = shard.Shard(path or str(capture), 1, 2)
        failed = shard.replay(one, self.settings, str(self.folder / "scratch"))
        receipt = self.folder / "out/receipts" / f"{one.key([])}.json"
        self.assertEqual(os.listdir(self.folder / "scratch"), [])
        return failed, json.loads(receipt.read_text()) if receipt.exists() else None

    def test_good_and_damaged(self) -> None:
        """Both have a receipt, which says where the evidence is; the digest is of all octets, whatever the program read."""
        for behaviour, error in (("good", None), ("damaged", "cut off"), ("early", None)):
            failed, receipt = self.replay(behaviour)
            self.assertIsNone(failed)
            self.assertEqual((receipt["error"], receipt["packets"]), (error, 7))
            self.assertEqual(receipt["sha256"], hashlib.sha256((self.folder / behaviour).read_bytes()).hexdigest())
            evidence = self.folder / "out/shards" / receipt["attempt"] / "evidence/list_day=2009-03-31/a.parquet"
            self.assertEqual(evidence.read_text(), receipt["attempt"])

    def test_no_result(self) -> None:
        """Without a receipt, it is named and the next run tries again."""
        for behaviour, why in (
            ("panic", "dgawatch ended with code 101: thread panicked"),
            ("killed", "dgawatch was ended by signal 9: it said nothing"),
            ("mute", "dgawatch ended with code 0: it said nothing"),
            ("full", "dgawatch ended with code 1: no space left"),
        ):
            failed, receipt = self.replay(behaviour)
            self.assertIsNone(receipt, behaviour)
            self.assertEqual(failed, {"path": str(self.folder / behaviour), "error": why})
        failed, receipt = self.replay("good", path="/nowhere/a.pcap")
        self.assertEqual((failed["error"], receipt), ("cannot be opened: No such file or directory", None))
        failed, receipt = self.replay("good", path=str(self.folder))
        self.assertEqual((failed["error"], receipt), ("cannot be opened: Is a directory", None))

    def test_wrong_use(self) -> None:
        """Is told before anything is read."""
        self.assertIsNone(shard.fault(self.settings))
        wrong = shard.Settings(self.settings.dgawatch, ["--nonsense"], self.settings.output)
        self.assertIn("error: no such flag", shard.fault(wrong))
        missing = shard.Settings("/nowhere/dgawatch", [], self.settings.output)
        self.assertIn("No such file", shard.fault(missing))

    def test_another_capture_has_another_receipt(self) -> None:
        """By path, size, time and arguments."""
        one = shard.Shard("/a", 1, 2)
        keys = {one.key([]), one.key(["--family"]), shard.Shard("/b", 1, 2).key([]), shard.Shard("/a", 2, 2).key([]), shard.Shard("/a", 1, 3).key([])}
        self.assertEqual((len(keys), one.key([])), (5, shard.Shard("/a", 1, 2).key([])))

    def test_files_are_whole(self) -> None:
        """What is put is replaced, and nothing else stays."""
        (self.folder / "a/b").mkdir(parents=True)
        (self.folder / "a/b/c").write_text("new")
        files.put(self.folder / "a", str(self.folder / "out/shards/x"))
        files.put(self.folder / "a", str(self.folder / "out/shards/x"))
        self.assertEqual(os.listdir(self.folder / "out/shards/x/b"), ["c"])


class Receipts(unittest.TestCase):
    """Which captures count."""

    def receipt(self, path: str, digest: str, error: Optional[str] = None) -> dict[str, Any]:
        """One of them."""
        times = {"first_packet": f"2009-{path}", "last_packet": None if error else f"2010-{path}"}
        return {"path": path, "sha256": digest, "attempt": path, "packets": 2, "octets": 3, "error": error, "matches_not_kept": 1, **times}

    def test_choice(self) -> None:
        """Captures of the same octets count once, damaged ones when asked to; in whichever order."""
        found = [self.receipt("c", "1"), self.receipt("a", "1"), self.receipt("b", "2"), self.receipt("d", "3", "cut"), self.receipt("e", "3", "cut")]
        for given in (found, found[::-1]):
            counted, told = shard.choose(given, False)
            self.assertEqual([receipt["path"] for receipt in counted], ["a", "b"])
            self.assertEqual(told["failed_shards"], [{"path": "d", "error": "cut", "packets": 2, "counted": False}])
            self.assertEqual(told["duplicates"], [{"path": "c", "same_as": "a"}, {"path": "e", "same_as": "d"}])
            counted, told = shard.choose(given, True)
            self.assertEqual([receipt["path"] for receipt in counted], ["a", "b", "d"])
            summary = shard.summary_of(counted, told, [{"path": "f", "error": "gone"}])
            self.assertEqual((summary["captures"], summary["packets"], summary["matches_not_kept"]), (3, 6, 3))
            self.assertEqual((summary["first_packet"], summary["last_packet"]), ("2009-a", "2010-b"))
            self.assertEqual(summary["unread_shards"], [{"path": "f", "error": "gone"}])
        self.assertEqual(shard.summary_of([], {}, [])["first_packet"], None)


if __name__ == "__main__":
    unittest.main()
