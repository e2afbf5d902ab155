"""`python -m toolkit` and the installed command: ^C ends it without a traceback even while it is still loaded."""

import sys


def main() -> None:
    """Load the command line and run it."""
    try:
        from toolkit.cli.app import main as run_command

        run_command()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
