"""`python -m memcairn` is `memcairn`."""

from memcairn.cli import main

main()
