"""The version of the distribution, written once: packaging and the wire header read it here."""

__version__ = "0.2.0"
