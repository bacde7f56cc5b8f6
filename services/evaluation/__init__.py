"""Measuring the whole: figures for the command line."""
