"""`python -m toolkit` and the installed command: ^C ends it without a traceback even while it is still loaded."""

import gc
import sys


def main() -> None:
    """Load the command line and run it."""
    # Until the command is loaded nothing becomes garbage, and what is left at the end goes with the process: to look
    # for it all the same takes 9 ms.
    gc.disable()
    try:
        from toolkit.cli.app import main as run_command

        run_command()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
