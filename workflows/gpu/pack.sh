#!/usr/bin/env bash
# Makes the folder that travels to a GPU machine: workflows/gpu/pack.sh --data DATA [--slide SLIDE] [--init MODEL]
# See README.md beside this file. The Python that has wsi-edt is .venv's, or $PYTHON.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
exec "${PYTHON:-$here/../../.venv/bin/python}" "$here/pack.py" "$@"
