"""The library: data, training, prediction and figures for use outside a study; exported by :mod:`thalweg`."""
