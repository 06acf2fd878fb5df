#!/usr/bin/env bash
# All that a GPU is wanted for, in one command of at most 570 s: workflows/gpu/run.sh [RESULTS] [--smoke] [--stages a,b]
# See README.md beside this file. The Python that has torch is `python3`, or $PYTHON.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONUNBUFFERED=1
# run.py keeps the time; this is for the case that it hangs itself.
limit=600
for word in "$@"; do [ "$word" = --smoke ] && limit=3600; done
exec timeout --kill-after=20 "$limit" "${PYTHON:-python3}" "$here/run.py" "$@"
