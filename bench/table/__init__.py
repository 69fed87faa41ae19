"""Everything that is measured, and what must hold: to add a row, add it here.

A row names its case, a function in `cases/`, and its contenders; `bench.rows` says what the words
mean. The goals are those of the project: each is judged in `RESULTS.md`.
"""

from bench.table.bulk import BULK
from bench.table.calls import CREATE
from bench.table.core import CORE
from bench.table.process import IMPORT, MEMORY, TRANSFERS
from bench.table.realtime import REALTIME
from bench.table.streams import STREAMS

SECTIONS = {
    "Calls": CREATE,
    "Many calls": BULK,
    "Streams": STREAMS,
    "The core alone": CORE,
    "Import": IMPORT,
    "Memory": MEMORY,
    "Large bodies": TRANSFERS,
    "Realtime": REALTIME,
}

ROWS = [row for rows in SECTIONS.values() for row in rows]
