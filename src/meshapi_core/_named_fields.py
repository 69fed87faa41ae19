"""Structs whose constructors say which argument is wrong, and what was probably meant."""

from typing import TYPE_CHECKING, Any

import msgspec

__all__ = ["NamedFields"]


class NamedFields(msgspec.StructMeta):
    """The metaclass of Structs that refuse a wrong argument with an `InvalidParamsError`.

    The error names the class, which the TypeError of msgspec does not. Decoding is not slower,
    because msgspec does not call the class when it decodes.
    """

    if not TYPE_CHECKING:  # checkers derive the constructor from the fields

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
