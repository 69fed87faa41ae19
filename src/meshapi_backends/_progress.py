"""Progress bars, drawn by tqdm: `progress=True`."""

from typing import Any

from meshapi_core.flows import Progress


class Bar:
    """A progress bar on the standard error stream, or in the output of a notebook's cell.

    Args:
        unit: as in `OpenBar`.

    Raises:
        ModuleNotFoundError: tqdm is not installed.
    """

    def __init__(self, unit: str) -> None:
        self._bar: Any = _tqdm_class()(**_look_of(unit))

    def __call__(self, progress: Progress) -> None:
        """Show how far the work has come."""
        self._bar.total = progress.total
        # Its rate, and the time that is left, are of this run alone.
        self._bar.initial = progress.recorded
        self._bar.n = progress.done
        self._bar.set_description_str(progress.what, refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the bar as it is, and go to the next line. Harmless twice."""
        self._bar.close()


def _tqdm_class() -> Any:
    try:
        from tqdm.auto import tqdm
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "tqdm":
            raise
        raise ModuleNotFoundError(
            "progress=True needs tqdm, which is not installed:"
            " pip install tqdm; or pass a function as on_progress=",
            name="tqdm",
        ) from None
    base: Any = tqdm
    # Otherwise tqdm starts a thread that looks after bars that are not told for a while.
    return type("tqdm", (base,), {"monitor_interval": 0})


def _look_of(unit: str) -> dict[str, Any]:
    if not unit:
        return {"bar_format": "{desc} [{elapsed}]"}
    if unit == "B":
        return {"unit": unit, "unit_scale": True, "unit_divisor": 1024}
    return {"unit": f" {unit}"}
