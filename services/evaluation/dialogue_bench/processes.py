"""What a process uses, read from Linux's /proc."""

from pathlib import Path


def family(pid: int) -> tuple[int, ...]:
    """The process and all its descendants: Rasa's server may hand the work to a process of its own."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found.extend(int(child) for child in task.read_text().split())
    return tuple(found)


def resident_mb(pid: int) -> float:
    """Resident memory in MB. Raises OSError when the process is gone."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise OSError("the process has ended")


def processor_seconds(pid: int) -> float:
    """Processor time of the threads that it has now, to the nanosecond. Raises OSError when it is gone."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            spent += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:  # a thread that has just ended
            continue
    return spent / 1e9
