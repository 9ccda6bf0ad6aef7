"""Compiled kernels on disk, and the threads that run them.

A kernel's source is written to a cache folder under a name that is the hash of what it is compiled from; numba keeps
the machine code next to it. The folder is ``THALWEG_CACHE`` or the platform's cache folder of the user, and can be
deleted at any time. Several processes may compile the same kernel at once: files are renamed into place.
"""

import importlib.util
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from threading import Lock

import platformdirs
import torch

from thalweg.integrate import lanes
from thalweg.storage.store import atomic

_LOADING = Lock()
CHUNKS = 4  # pieces of work for each thread, so that one slow piece does not delay all


def folder():
    """The folder of compiled kernels."""
    return Path(os.environ.get("THALWEG_CACHE") or platformdirs.user_cache_dir("thalweg"))


def compiled(source, name):
    """The compiled function ``name`` of a generated source.

    Raises:
        OSError: when the cache folder cannot be written.
    """
    digest = sha256((source + Path(lanes.__file__).read_text()).encode()).hexdigest()[:32]
    module_name = f"thalweg_kernel_{digest}"
    with _LOADING:
        if module_name not in sys.modules:
            path = folder() / f"{module_name}.py"
            try:
                if not path.exists():
                    with atomic(path) as temporary:
                        temporary.write_text(source)
            except OSError as error:
                raise OSError(
                    f"{path}: cannot store compiled kernels ({error}); set the environment variable THALWEG_CACHE "
                    "to a writable folder"
                ) from error
            spec = importlib.util.spec_from_file_location(module_name, path)
            module = importlib.util.module_from_spec(spec)
            sys.modules[module_name] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[module_name]
                raise
    return getattr(sys.modules[module_name], name)


@cache
def _pool(threads):
    return ThreadPoolExecutor(threads, thread_name_prefix="thalweg")


os.register_at_fork(after_in_child=_pool.cache_clear)


def together(items, task):
    """Call ``task(first, last)`` over pieces of ``range(items)``, in as many threads as torch has.

    Items are independent, so the results do not depend on the number of threads.
    """
    threads = torch.get_num_threads()
    pieces = min(items, threads * CHUNKS)
    if threads == 1 or pieces <= 1:
        task(0, items)
        return
    bounds = [items * piece // pieces for piece in range(pieces + 1)]
    for done in [_pool(threads).submit(task, a, b) for a, b in pairwise(bounds)]:
        done.result()
