"""`python -m toolkit` is the command `toolkit`."""

from toolkit.cli.app import main

main()
