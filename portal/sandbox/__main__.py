"""`python -m portal.sandbox`: serve the stand-in vendors on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from portal.sandbox.server import serve


def main() -> None:
    """Read the arguments and serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m portal.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=5055, help="port, 0 for a free one (default: 5055)")
    parser.add_argument("--data-dir", type=Path, default=Path("var/sandbox"), help="where its SQLite file lives")
    parser.add_argument("--clients", type=int, default=1200, help="clients of the demo practice on the first start")
    parser.add_argument("--seed", type=int, default=7, help="which made-up clients")
    parser.add_argument("--mail-port", type=int, help="where its mailbox takes mail (default: nowhere)")
    args = parser.parse_args()
    serve(args.host, args.port, args.data_dir, args.clients, args.seed, args.mail_port)


if __name__ == "__main__":
    main()
