"""Where the `i3d` command starts, and `python -m i3d`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line and exit; Ctrl-C is no drama even while it is still being imported."""
    try:
        from i3d.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)  # i3d.errors.ExitCode.INTERRUPTED
    except SystemExit as end:
        if "openvino" not in sys.modules or not isinstance(end.code, int):
            raise
        with suppress(OSError, ValueError):  # closed, or full: the code says so already
            sys.stdout.flush()
            sys.stderr.flush()
        # OpenVINO and Python would take a network apart piece by piece, which takes 60 ms or more;
        # the system does it at once. Nothing is left to be done: files are closed or renamed, and
        # what was registered to run now has.
        os._exit(end.code)


if __name__ == "__main__":
    main()
