"""``python -m twinguard_hub``: become the program."""

import os
import sys

from . import find_twinguard_hub

program = find_twinguard_hub()
os.execv(program, [program, *sys.argv[1:]])
