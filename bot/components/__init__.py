"""Custom Rasa graph components of the dialogue layer.

What both runtimes need (services/understanding) lies beside this project, wherever Rasa was started.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
