"""Parameters, checked at every depth before any byte is sent.

encoding        keywords, dicts and Structs to JSON
plain_values    values that JSON can hold; all others are refused
explanations    which field is wrong, what was expected, what was given
unknown_names   names that look misspelt
wrong_names     names that are refused: what was meant, or where it belongs
arguments       arguments that a method or a class does not take
advice          what to do about a value that is refused
field_paths     how a message names a field
"""

# Up to 0.2.0 these were defined here, and pickles of those versions look for them here.
from meshapi_core.errors import InvalidParamsError, ParamsWarning

__all__ = ["InvalidParamsError", "ParamsWarning"]
