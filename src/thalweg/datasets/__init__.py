"""Readers of datasets into the canonical form: one file each, with its settings.

A module of a dataset that becomes a domain has ``SETTINGS``, a subclass of :class:`thalweg.schema.Settings` with ``kind``, the
module's name, and ``dataset``, its name in config/datasets.yaml, or ``folder`` of a user's own files; and
``build(folder, **settings) -> (Domain, table)``, which receives the other settings, periods as two strings like
2001-12-31. It may have ``has_network(settings)``, which returns, before the data are read, whether its sampled places are
on one river. A reader of gridded forcing has
``GRIDDED = True``; one of catchments with published scores has ``PUBLISHED_TESTS``, their test periods.
"""

from thalweg import registry

DATASET = "name in config/datasets.yaml"


def reader(kind):
    """The module that reads a kind of dataset: of the file ``kind`` here, or ``package.module`` elsewhere.

    Raises:
        RegistryError: if there is no such module, or it has no SETTINGS or build.
    """
    module = registry.load("dataset", kind)
    for part in ("SETTINGS", "build"):
        if not hasattr(module, part):
            raise registry.RegistryError(
                f"dataset {kind!r}: {module.__file__} has no {part}; a dataset reader needs SETTINGS and build"
            )
    return module


def settings_of(kind):
    """The settings class of a kind of domain; see :func:`reader`."""
    return reader(kind).SETTINGS
