"""Backup and restore of an installation while it runs: one file, without the keys that its contents are sealed with."""
