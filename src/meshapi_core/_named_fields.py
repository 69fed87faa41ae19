"""Structs that say which of their arguments is wrong, and what was probably meant."""

from typing import TYPE_CHECKING, Any

import msgspec

__all__ = ["NamedFields"]


class NamedFields(msgspec.StructMeta):
    """Makes classes that refuse a wrong argument by an `InvalidParamsError` that names them.

    msgspec raises a TypeError that does not say of which class. To decode costs nothing more, as
    msgspec does not call the class then.
    """

    if not TYPE_CHECKING:  # checkers know the constructor by the fields

        def __call__(cls, /, *given: Any, **fields: Any) -> Any:  # noqa: N805 - it is a class
            try:
                return super().__call__(*given, **fields)
            except BaseException as exc:
                # Error trackers show the locals of a frame that raises, and some of these are
                # tokens and prompts.
                number, names = len(given), [*fields]
                given = ()
                fields.clear()
                if type(exc) is TypeError:
                    from meshapi_core.params.arguments import fault_of_fields

                    fault = fault_of_fields(cls, number, names)
                    if fault is not None:
                        raise fault from None
                raise
