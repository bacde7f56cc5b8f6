"""The commands of `huiying`, one file per group."""
