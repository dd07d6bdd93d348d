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
LINE = re.compile(r"^vectors (\w+) ([\w-]+): ran (\d+) passed (\d+)", re.MULTILINE)


def run(language: str) -> tuple[int, int, bool]:
    """How many ran, how many passed, and whether the runner itself is content."""
    done = subprocess.run(COMMANDS[language], cwd=ROOT, capture_output=True, text=True)
    ran = passed = 0
    found = LINE.findall(done.stdout)
    for name, kind, count, good in found:
        print(f"vectors {name} {kind}: ran {count} passed {good}")
        ran, passed = ran + int(count), passed + int(good)
    content = done.returncode == 0 and {kind for _, kind, _, _ in found} == {"agent-config", "sas"}
    if not content:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
    return ran, passed, content


def main() -> int:
    """Every language has to run something, run the same number, and pass it all."""
    results = {language: run(language) for language in COMMANDS}
    counts = ", ".join(f"{name} {good}/{ran}" for name, (ran, good, _) in results.items())
    ok = all(content and ran == good > 0 for ran, good, content in results.values())
    print(f"vectors: {counts} passed" + ("" if ok else ": FAILED"))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
