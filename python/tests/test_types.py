# SPDX-License-Identifier: MPL-2.0
"""The types that are announced are those of the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run(*command: str) -> None:
    folder = Path(__file__).parent.parent
    result = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_package_and_its_tests_have_right_types() -> None:
    run("mypy")


def test_the_stubs_say_what_is_there() -> None:
    run("mypy.stubtest", "flute", "--mypy-config-file", "pyproject.toml")
