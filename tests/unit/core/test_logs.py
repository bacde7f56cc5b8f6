"""What reaches the log of an error: its class and its place."""

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from services.core.logs import configure_logging
configure_logging("test")
def fails():
    words = "张三的电话是13800138000"
    raise ValueError(words)
try:
    fails()
except ValueError:
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=True)
    structlog.get_logger().exception("own")
"""


def test_an_error_is_logged_with_class_and_place_and_without_its_message_or_values() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["error"]["kind"] for line in lines] == ["ValueError", "ValueError"]
    assert all(line["error"]["place"].endswith(":7") for line in lines)
    assert "13800138000" not in done.stderr
    assert "Traceback" not in done.stderr
