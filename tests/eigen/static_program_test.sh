#!/usr/bin/env bash
# static_program_test.sh PROGRAM SOURCES COMPILER: the preset `static` links no shared library, and the program that it
# makes without HDF5 is small, depends on nothing and learns.
set -euo pipefail
program=$1 sources=$2 compiler=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

(cd "$sources" && cmake --preset static -B "$work/build" -DCMAKE_CXX_COMPILER="$compiler") >"$work/log" ||
  { cat "$work/log"; fail "the preset does not configure"; }
ninja -C "$work/build" -t commands next_value >"$work/commands"
grep -q 'blas_eigen\.cpp' "$work/commands" || fail "the preset does not build blas_eigen.cpp"
link=$(tail -n 1 "$work/commands")
[[ $link == *" -static -s -Wl,--gc-sections "* ]] || fail "the preset does not link statically: $link"
for unwanted in openblas hdf5; do
  grep -i "$unwanted" "$work/commands" && fail "the preset uses $unwanted"
done
link=$(ninja -C "$work/build" -t commands fashion_mnist | tail -n 1)
[[ $link == *libhdf5.a* && $link != *.so* ]] || fail "a program with HDF5 does not link statically: $link"

cmake -G Ninja -S "$sources" -B "$work/wrong" -DEVENKEEL_BLAS=MKL >"$work/log" 2>&1 && fail "EVENKEEL_BLAS=MKL was taken"
grep -qF 'expected OpenBLAS or Eigen, got "MKL"' "$work/log" || { cat "$work/log"; fail "no clear error"; }

readelf --program-headers --wide "$program" >"$work/headers"
grep -qE 'INTERP|DYNAMIC' "$work/headers" && fail "the program is not static"
size=$(stat --format %s "$program")
echo "$size bytes"
((size <= 4000000)) || fail "the program is larger than 4 MB"

"$program" | tee "$work/output"
grep -q 'BLAS Eigen 3' "$work/output" || fail "the program does not use Eigen"
awk '/^values/ { error = $7 + 0; lines += 1 } END { exit !(lines == 10 && error > 0 && error < 0.05) }' "$work/output" ||
  fail "the program has not learnt"
