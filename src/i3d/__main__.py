"""Where the `i3d` command starts, and `python -m i3d`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit; Ctrl-C is no drama even while it is still being imported."""
    try:
        from i3d.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)  # i3d.errors.ExitCode.INTERRUPTED


if __name__ == "__main__":
    main()
