"""The pure parts of the page scripts, run by node where it is installed (it is not needed to run the service)."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from services.web.endpoints import STATIC_DIR

NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Los_Angeles"])
def test_the_pure_parts_of_the_page_scripts_do_what_their_tests_say(tmp_path: Path, zone: str) -> None:
    assert NODE is not None
    # The browser knows these files as modules by the script tag; node needs to be told.
    shutil.copytree(STATIC_DIR / "js", tmp_path / "js")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    shutil.copy(Path(__file__).with_name("scripts.test.mjs"), tmp_path)
    done = subprocess.run(
        [NODE, "--test", "scripts.test.mjs"],
        cwd=tmp_path,
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
