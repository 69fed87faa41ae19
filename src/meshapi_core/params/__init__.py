"""What is sent, checked all the way down before any byte goes out.

encoding        keywords, dicts and Structs to JSON
plain_values    what JSON can hold, and what is refused
explanations    which field is wrong, what was expected, what was given
unknown_names   names that are misspelt
wrong_names     names that are refused: what was meant, and where else they belong
arguments       those that a method or a class does not take
advice          what to do with a value that is refused
field_paths     what a field is called in a message
"""

# Where it was up to 0.2.0, and where pickles of then look for it.
from meshapi_core.errors import InvalidParamsError, ParamsWarning

__all__ = ["InvalidParamsError", "ParamsWarning"]
