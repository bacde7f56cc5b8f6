"""Start the sandbox as a process of its own; the key comes from the environment variable SANDBOX_KEY."""

import argparse
import os
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import uvicorn

from services.sandbox.app import create_app
from services.sandbox.data import DEFAULT_SEED


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description="stand-in departmental systems")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    arguments = parser.parse_args()
    key = os.environ.get("SANDBOX_KEY", "")
    if len(key) < 16:
        sys.exit("SANDBOX_KEY is missing or shorter than 16 characters")
    app = create_app(arguments.seed, api_key=key, today=datetime.now(ZoneInfo("Asia/Shanghai")).date())
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
