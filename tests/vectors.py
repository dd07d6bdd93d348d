"""Run the shared vectors in Rust, C and Python; the last line has the counts. See `make vectors`.

TWINGUARD_VECTORS names a folder with files of the same names and shape to run instead.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CARGO = os.environ.get("CARGO", "cargo")
COMMANDS = {
    "rust": [
        *(CARGO, "test", "--quiet", "-p", "twinguard-core"),
        *("--test", "agent_vectors", "--test", "sas_vectors", "--", "--nocapture"),
    ],
    "c": [str(ROOT / ".build/vectors"), str(ROOT / "tests/vectors")],
    "python": [sys.executable, str(ROOT / "tests/python/vectors.py")],
}
KINDS = {"agent-config", "sas"}
LINE = re.compile(r"^vectors (\w+) ([\w-]+): ran (\d+) passed (\d+)", re.MULTILINE)


def run(language: str) -> tuple[dict[str, tuple[int, int]], bool]:
    """How many of each kind ran and passed, and whether the runner itself is content."""
    done = subprocess.run(COMMANDS[language], cwd=ROOT, capture_output=True, text=True)
    found = LINE.findall(done.stdout)
    for name, kind, count, good in found:
        print(f"vectors {name} {kind}: ran {count} passed {good}")
    kinds = {kind: (int(count), int(good)) for _, kind, count, good in found}
    content = done.returncode == 0 and len(found) == len(KINDS) and kinds.keys() == KINDS
    if not content:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    return kinds, content


def is_same(results: dict[str, dict[str, tuple[int, int]]]) -> bool:
    """Every language has to run the same number of each kind; a line says where not."""
    same = True
    for kind in sorted(KINDS):
        counts = {language: kinds.get(kind, (0, 0))[0] for language, kinds in results.items()}
        if len(set(counts.values())) != 1:
            print(
                f"vectors {kind}: the languages ran different numbers: {counts}",
                file=sys.stderr,
            )
            same = False
    return same


def main() -> int:
    """Every language has to run something, run the same number, and pass it all."""
    found = {language: run(language) for language in COMMANDS}
    if folder := os.environ.get("TWINGUARD_VECTORS"):
        # The runners have working directories of their own.
        os.environ["TWINGUARD_VECTORS"] = str(Path(folder).resolve())
    results = {language: kinds for language, (kinds, _) in found.items()}
    counts, passed = [], all(content for _, content in found.values())
    for language, kinds in results.items():
        ran, good = (sum(numbers) for numbers in zip(*kinds.values())) if kinds else (0, 0)
        counts.append(f"{language} {good}/{ran}")
        passed = passed and ran == good > 0
    ok = is_same(results) and passed
    print(f"vectors: {', '.join(counts)} passed" + ("" if ok else ": FAILED"))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
