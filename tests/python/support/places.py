"""Where things are: the repository, its tests of Python, and what programs need to import both."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PYTHON_TESTS = ROOT / "tests" / "python"
NATIVE = PYTHON_TESTS / "support" / "native"  # C++ that tests compile

# For the environment of a program that imports `support`, `model`, `storm` or `fuzz`.
PYTHONPATH = os.pathsep.join([str(PYTHON_TESTS), *filter(None, sys.path)])
