"""`python -m local.engine --port N`: the embedded engine, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys

from aiohttp import web

from local.engine.server import Server, Settings


def main() -> None:
    options = _options()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    asyncio.run(_serve(options))
    logging.shutdown()
    # A page being read holds its thread for seconds, and no client waits for it any more.
    os._exit(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.engine", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0: any free port; it is printed")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--api-key", help="the only key that is accepted; without it, any key is")
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="wait so long before each answer")
    parser.add_argument("--canned", action="store_true", help="answer without recognizing, and say so (for benchmarks)")
    parser.add_argument("--test-controls", action="store_true", help="allow tests to set misbehaviour at /behaviour")
    parser.add_argument(
        "--requests-per-minute", type=int, default=0, metavar="N", help="refuse requests over it, or over N/60 a second"
    )
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    settings = Settings(
        options.api_key, options.delay, options.canned, options.test_controls, options.requests_per_minute
    )
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runner = web.AppRunner(Server(settings).application(), shutdown_timeout=1.0, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port)
    try:
        await site.start()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise SystemExit(f"The engine cannot listen at port {options.port}: {reason}. Name another.") from None
    addresses = runner.addresses
    print(f"embedded engine at http://{options.host}:{addresses[0][1]}", flush=True)
    await stopped.wait()
    await runner.cleanup()


if __name__ == "__main__":
    main()
