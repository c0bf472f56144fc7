#!/usr/bin/env bash
# What a user of the demo meets: a run, an interrupted run that goes on to the bit, and bad input.
# fashion_mnist_test.sh <program> <case>; 77 (a skip) where the data set is not installed.
set -euo pipefail
program=$1
real=/usr/share/datasets/fashion-mnist
[[ -f $real/train-images-idx3-ubyte.gz ]] || { echo "SKIP: no $real"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

# cut <part> <images>: the first images and labels of a part of the real data.
cut_data() {
  local part=$1 count=$2 big_endian
  big_endian=$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' 0 0 $((count / 256)) $((count % 256)))
  { printf "\\x00\\x00\\x08\\x03$big_endian\\x00\\x00\\x00\\x1c\\x00\\x00\\x00\\x1c"
    zcat "$real/$part-images-idx3-ubyte.gz" 2>/dev/null | tail -c +17 | head -c $((count * 784)) || true
  } | gzip -1 >"$work/data/$part-images-idx3-ubyte.gz"
  { printf "\\x00\\x00\\x08\\x01$big_endian"
    zcat "$real/$part-labels-idx1-ubyte.gz" 2>/dev/null | tail -c +9 | head -c "$count" || true
  } | gzip -1 >"$work/data/$part-labels-idx1-ubyte.gz"
}
mkdir "$work/data"
cut_data train 640
cut_data t10k 200

command=("$program" --data "$work/data" --width 2 --batch-size 32)
run() { "${command[@]}" "$@"; }

# refused <text> <options>...: exit code 1, and one line on standard error that holds the text.
refused() {
  local text=$1 code=0
  run --out "$work/refused" "${@:2}" >"$work/stdout" 2>"$work/stderr" || code=$?
  [[ $code == 1 ]] || fail "expected exit code 1, got $code: ${*:2}"
  [[ $(wc -l <"$work/stderr") == 1 ]] || fail "expected one line, got: $(cat "$work/stderr")"
  grep -qF -- "$text" "$work/stderr" || fail "expected \"$text\" in: $(cat "$work/stderr")"
}

case $2 in
  run)
    run --out "$work/run" --epochs 2 >"$work/stdout"
    for file in metrics.jsonl curves.svg confusion.svg checkpoint.h5 weights.h5; do
      [[ -s $work/run/$file ]] || fail "no $file"
    done
    tail -n 1 "$work/stdout" | grep -qE '^test accuracy: [01]\.[0-9]{4}$' || fail "last line: $(tail -n 1 "$work/stdout")"
    run --out "$work/again" --epochs 1 --load "$work/run/weights.h5" --save "$work/saved.h5" --optimizer sgd >/dev/null
    [[ -s $work/saved.h5 ]] || fail "--save wrote nothing"
    ;;
  resume)
    # The first run is not disturbed; the second is interrupted wherever the signal finds it, again and again.
    run --out "$work/whole" --epochs 40 --threads 1 >"$work/whole.txt"
    "${command[@]}" --out "$work/cut" --epochs 40 >"$work/cut.txt" 2>/dev/null &
    for stop in 1 2 3; do
      pid=$!
      while [[ ! -s $work/cut/metrics.jsonl ]] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
      sleep 0.1
      kill -INT $pid 2>/dev/null || true
      wait $pid || fail "an interrupted run ended with exit code $?"
      ((stop > 1)) || grep -q "^stopped after step" "$work/cut.txt" || fail "the run was not interrupted"
      "${command[@]}" --out "$work/cut" --epochs 40 --resume >"$work/cut.txt" 2>/dev/null &
    done
    wait $!
    cmp "$work/whole/weights.h5" "$work/cut/weights.h5" || fail "other weights"
    cmp <(sed 's/,"seconds".*//' "$work/whole/metrics.jsonl") <(sed 's/,"seconds".*//' "$work/cut/metrics.jsonl") ||
      fail "other metrics"
    cmp <(tail -n 1 "$work/whole.txt") <(tail -n 1 "$work/cut.txt") || fail "another accuracy"
    ;;
  refuse)
    refused "not expected: --nonsense" --nonsense
    refused "--epochs" --epochs 0
    refused "--optimizer" --optimizer lion
    refused "weights.h5" --load "$work/no/weights.h5"
    refused "checkpoint.h5" --resume
    # A rate that blows the weights up: the layer where the first NaN or infinity arises is named.
    refused "in layer" --lr 1e30 --epochs 1
    mv "$work/data/t10k-labels-idx1-ubyte.gz" "$work/labels.gz"
    refused "t10k-labels-idx1-ubyte.gz"
    head -c 100 "$work/labels.gz" >"$work/data/t10k-labels-idx1-ubyte.gz"
    refused "t10k-labels-idx1-ubyte.gz"
    ;;
esac
