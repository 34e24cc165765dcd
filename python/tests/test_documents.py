# SPDX-License-Identifier: MPL-2.0
"""The examples of the documentation run and print what they say."""

from __future__ import annotations

import doctest
from pathlib import Path
from types import ModuleType

import pytest

from flute import errors, network, receiver, sender


@pytest.mark.parametrize("module", [errors, network, receiver, sender], ids=lambda module: str(module.__name__))
def test_docstrings(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.failed == 0 and results.attempted > 0


def test_every_class_has_one() -> None:
    for module in (network, receiver, sender):
        assert all(getattr(module, name).__doc__ for name in module.__all__)


def test_the_readme() -> None:
    path = Path(__file__).parent.parent / "README.md"
    results = doctest.testfile(str(path), module_relative=False)
    assert results.failed == 0 and results.attempted > 10
