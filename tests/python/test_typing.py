"""The types as users see them: stubs equal the binary, the package is complete and strict."""

import os
import pathlib
import subprocess
import sys

import pytest
import twinguard

ROOT = pathlib.Path(__file__).resolve().parent
PACKAGE = pathlib.Path(twinguard.__file__).parent


def check(*command, cwd=ROOT):
    environment = dict(os.environ, MYPY_CACHE_DIR=str(ROOT / ".mypy_cache"))
    result = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.mark.timeout(300)
def test_the_stubs_are_those_of_the_binary():
    check("mypy.stubtest", "twinguard._native", "--allowlist", str(ROOT / "stubtest.txt"))


@pytest.mark.timeout(300)
def test_every_public_name_has_a_type():
    out = check("pyright", "--verifytypes", "twinguard", "--ignoreexternal")
    assert "completeness score: 100%" in out, out


@pytest.mark.timeout(300)
def test_the_package_is_strict():
    check("pyright", "--project", str(PACKAGE.parent))
    check("mypy", "--strict", "--package", "twinguard")


@pytest.mark.timeout(300)
def test_a_users_program_gets_the_types_it_expects():
    check("mypy", "--strict", "typed_program.py")
    check("pyright", "typed_program.py")
