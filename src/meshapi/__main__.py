"""`python -m meshapi` is the command `meshapi`."""

import sys

from meshapi.cli import main

if __name__ == "__main__":
    sys.exit(main())
