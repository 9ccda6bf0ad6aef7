"""The public interface: what ``import thalweg`` offers, with xarray and pandas in and out and units on everything."""
