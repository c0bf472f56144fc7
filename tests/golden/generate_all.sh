#!/bin/sh
# Redoes every golden file beside this script, then reads them back and checks them. PYTHON: the interpreter to use.
set -eu
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
for script in gen_*.py; do
  "$PYTHON" "$script"
done
"$PYTHON" check_golden.py
