"""Optimisers of torch without its compiler.

Methods of torch's optimisers are wrapped in guards against being compiled, and the guards import the compiler, which
takes 1.4 seconds in every training process. Nothing is compiled here, so the methods are used unwrapped; they give the
same numbers.
"""

from inspect import unwrap

import torch

GUARDED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict", "step")


def _plain(kind):
    methods = {name: unwrap(getattr(kind, name)) for name in GUARDED}
    methods["step"] = torch.no_grad()(methods["step"])
    return type(kind.__name__, (kind,), methods | {"__doc__": kind.__doc__})


Adam, AdamW, Adadelta = map(_plain, (torch.optim.Adam, torch.optim.AdamW, torch.optim.Adadelta))
