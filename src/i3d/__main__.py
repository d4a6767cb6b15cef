"""`python -m i3d` is the `i3d` command."""

from i3d.cli import main

if __name__ == "__main__":
    main()
