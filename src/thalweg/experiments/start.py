"""Training that begins at the weights of an earlier model (fine-tuning)."""

import hashlib
from pathlib import Path

from thalweg.basin.domain import DataError, expected_units
from thalweg.experiments.model_file import with_attributes
from thalweg.experiments.models import build_model
from thalweg.learn import checkpoint
from thalweg.learn.scaling import Scaling
from thalweg.storage import installed


class Start:
    """The first member of a model file: the network begins with its weights, and its inputs are scaled as they were.

    Args:
        name: of a model of the package, or path of a model file.
    """

    def __init__(self, name):
        path = Path(installed.weights(name))
        self._tensors, self.header = checkpoint.load(path)
        self.name, self.key = name, hashlib.sha256(path.read_bytes()).hexdigest()
        fold = next(iter(self.header["scaling"]))
        self.scaling, self._member = Scaling(**self.header["scaling"][fold]), f"{fold}/{self.header['seeds'][0]}"

    def check(self, domain):
        """Raise DataError naming the first attribute that the model needs and a domain lacks, or has in another unit."""
        with_attributes(self.header, domain)
        expected_units(
            domain.attributes,
            {name: one["unit"] for name, one in self.header["inputs"]["attributes"].items() if not one.get("computed")},
            f"{domain.name}/attributes",
        )

    def model(self, settings, scaling, domain):
        """A model of the settings with these weights.

        Raises:
            DataError: if its parameters are not those of the file.
        """
        model = build_model(settings, scaling, domain)
        try:
            model.load_state_dict(checkpoint.without_prefix(self._member, self._tensors))
        except RuntimeError as error:
            raise DataError(
                f"{domain.name}: the model has not the form of {self.name}, from which training starts ({error}); choose settings "
                "and a domain whose known parameters are those of the file"
            ) from error
        return model
