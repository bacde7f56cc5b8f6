"""Faults over time: the case desk's workers on real servers, killed, misled about the time and cut off, and what must
be true afterwards. `make soak SECONDS=240`; a short form of each part runs with the other tests."""
