"""The types as users see them: stubs equal the binary, the package is complete and strict."""

import os
import pathlib
import shutil
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


def pyright(*arguments):
    return check("pyright", "--pythonpath", sys.executable, *arguments)


@pytest.mark.timeout(300)
def test_the_stubs_are_those_of_the_binary():
    check("mypy.stubtest", "twinguard._native", "--allowlist", str(ROOT / "stubtest.txt"))


@pytest.mark.timeout(300)
def test_every_public_name_has_a_type(tmp_path, monkeypatch):
    # The check does not follow the link of a development install.
    shutil.copytree(PACKAGE, tmp_path / "twinguard", ignore=shutil.ignore_patterns("*.so"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    out = pyright("--verifytypes", "twinguard", "--ignoreexternal")
    assert "completeness score: 100%" in out, out


@pytest.mark.timeout(300)
def test_the_package_is_strict():
    pyright("--project", str(PACKAGE.parent))
    check("mypy", "--strict", "--package", "twinguard")


@pytest.mark.timeout(300)
def test_a_users_program_gets_the_types_it_expects():
    check("mypy", "--strict", "typed_program.py")
    pyright("typed_program.py")
