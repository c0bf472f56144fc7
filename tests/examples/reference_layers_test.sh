#!/usr/bin/env bash
# reference_layers_test.sh PROGRAM: the four tables of the reference texts come out word for word, and every layer's
# line has cases and differences under the bars.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
output=$("$1")

diff "$folder/reference_tables.txt" <(sed '/^layer /,$d' <<<"$output")
awk '
  /^layer / { inside = 1; next }
  /^\(/ { inside = 0 }
  inside {
    lines += 1
    if (NF < 6 || $(NF - 4) < 6 || $(NF - 3) > 1e-12 || $(NF - 2) > 1e-12 || $(NF - 1) > 1e-5 || $NF > 1e-5) {
      print "over the bar: " $0
      bad = 1
    }
  }
  END {
    print lines " layers under the bars"
    exit bad || lines != 48
  }' <<<"$output"
