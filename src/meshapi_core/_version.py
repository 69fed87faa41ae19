"""The version of the distribution, written once: packaging and the user agent read it here."""

__version__ = "0.2.0"
