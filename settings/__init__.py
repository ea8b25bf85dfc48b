"""The only reader of Pulumi configuration: frozen models, and every check that needs no AWS.

Owns what a stack file may say and what each mistake costs. Refuses to own what is built from it (components/) and
whether a change of weights is safe now, which only AWS can tell.

Mistakes in fields and between them are told together; a rule between fields ends where it needs one that is wrong
(partial.py). Nothing has been created when a mistake is reported.
"""

from settings.models import Settings
from settings.reading import SettingsError, load, parse, read

__all__ = ["Settings", "SettingsError", "load", "parse", "read"]
