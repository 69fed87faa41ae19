"""Side by side with peers and with the floor, in one command: `python bench/run.py`.

- `table` says what is measured, by whom, and what must hold: a new row goes there.
- `environments` makes what the contenders run in, `servers` what they talk to.
- `rounds` runs the contenders of a row in turns; `contender` is what runs in their processes.
- `cases/` is what is measured, by subject; `peers/` how each library is asked for it.
- `figures` makes medians and ratios of it, `report` a page, `pictures` draws.
"""
