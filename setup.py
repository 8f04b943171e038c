"""From pip to CMake: builds the extension module `_scheduler` as CMakeLists.txt describes it.

What the environment may say:
    CMAKE_ARGS           further arguments of CMake's configure step, as on a command line
    SCHEDULER_BUILD_DIR  directory of a CMake build to go on with; without it each build is new
"""

import os
import shlex
import shutil
import sys
from pathlib import Path
from subprocess import check_call

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent


class CMakeBuild(build_ext):
    def build_extension(self, ext: Extension) -> None:
        target_dir = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        build_dir = os.environ.get("SCHEDULER_BUILD_DIR")
        if not build_dir:
            build_dir = os.path.join(self.build_temp, "cmake")
            shutil.rmtree(build_dir, ignore_errors=True)

        arguments = [
            f"-DCMAKE_BUILD_TYPE={'Debug' if self.debug else 'Release'}",
            f"-DPython_EXECUTABLE={sys.executable}",
            "-DPython_FIND_STRATEGY=LOCATION",
        ]
        if ninja := shutil.which("ninja"):
            arguments += ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"]
        arguments += shlex.split(os.environ.get("CMAKE_ARGS", ""))

        check_call(["cmake", "-S", str(ROOT), "-B", build_dir, *arguments])
        check_call(["cmake", "--build", build_dir, "--target", ext.name, "--parallel"])
        install = ["cmake", "--install", build_dir, "--component", "module", "--strip"]
        check_call([*install, "--prefix", str(target_dir)])


setup(ext_modules=[Extension("_scheduler", sources=[])], cmdclass={"build_ext": CMakeBuild})
