"""Measure everything side by side: `python bench/run.py`.

    python bench/run.py                     all of it; writes bench/RESULTS.md and bench/plots/
    python bench/run.py --quick             under two minutes, to see that it runs
    python bench/run.py --only create tls   the rows of these names, or that begin with them
    python bench/run.py --only tls --update measured anew in what the last whole run has written
    python bench/run.py --list              the rows there are

Makes the environments that it needs at first, which takes some minutes. What `--quick` and `--only`
measure is printed, and written below `.venv-bench/last/`.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

    from bench.command import main

    sys.exit(main())
