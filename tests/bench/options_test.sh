#!/usr/bin/env bash
# options_test.sh PROGRAM FOLDER BENCH: what each option of the bench does. PROGRAM takes FOLDER for the bench's own; a
# script stands in for PyTorch, which writes down what it is asked.
set -euo pipefail
program=$1 folder=$2 bench=$3
rm -rf "$folder"
mkdir -p "$folder/here"
cd "$folder/here"
unset EVENKEEL_TORCH_PYTHON
seconds=0.003

cat >"$folder/cases.json" <<'TEXT'
[
  {"name": "small line", "group": "linear", "layer": "Linear", "input": [4, 8], "out": 3},
  {"name": "small row", "group": "conv", "layer": "conv", "input": [2, 3, 16], "out": 4, "kernel": [3]},
  {"name": "tiny net", "group": "step", "layer": "tiny", "input": [4, 1, 32]}
]
TEXT
cat >"$folder/torch" <<'TEXT'
#!/usr/bin/env bash
echo "$0 $1" >>asked
while IFS= read -r line; do
  echo "$line" >>asked
  case $line in
    *'"version"'*) echo "\"of $(basename "$0")\"" ;;
    *'"peak"'*) echo 1048576 ;;
    *) echo '{"ms": [1000, 1000]}' ;;
  esac
done
TEXT
chmod +x "$folder/torch"
cp "$folder/torch" "$folder/other_torch"

fail() { echo "FAILED: $*" >&2; exit 1; }
run() { "$program" --seconds "$seconds" "$@" >output 2>errors || fail "exit code $? of: $*: $(cat errors)"; }
# has FILE TEXT...: every text stands in the file. lacks: none does.
has() { local text; for text in "${@:2}"; do grep -qF -- "$text" "$1" || fail "no \"$text\" in $1: $(cat "$1")"; done; }
lacks() { local text; for text in "${@:2}"; do ! grep -qF -- "$text" "$1" || fail "\"$text\" in $1: $(cat "$1")"; done; }

# refused <text> <options>...: a code other than 0, nothing timed, and the text on standard error.
refused() {
  local text=$1 code=0
  "$program" --seconds "$seconds" "${@:2}" >output 2>errors || code=$?
  ((code > 0 && code < 128)) || fail "exit code $code of: ${*:2}"
  lacks output GFLOP/s
  has errors "$text"
}

run --help
for option in --cases --only --threads --seconds --against --python --out --memory; do has output "$option"; done
refused "not expected: --nonsense" --nonsense

# Without options: all cases of the bench's own list, with one thread and with two.
run
has output "small line" "small row" "tiny net" "1 thread " "2 threads  "

run --only conv
has output "small row" "input grad"
lacks output "small line" "tiny net"
run --only line step
has output "small line" "tiny net"
lacks output "small row"
refused 'got "nonsense"' --only nonsense
refused 'got "nonsense"' --only conv nonsense

echo '[{"name": "another", "group": "activation", "layer": "ReLU", "input": [2, 3]}]' >list
run --cases list
has output another
lacks output "small"
refused "--cases: " --cases none
# bad_list <text> <list>
bad_list() {
  echo "$2" >list
  refused "$1" --cases list
}
bad_list "[bench] expected a list of cases in list, got [json" '[{"name": '
bad_list "[bench] expected a list of cases in list, got one object" '{"name": "a"}'
bad_list "[bench] expected a list of cases in list, got none" '[]'
bad_list "with a name, a group, a layer and an input" '[{"name": "a", "group": "conv", "input": [1]}]'
bad_list "layers that the bench knows" '[{"name": "a", "group": "conv", "layer": "cnov", "input": [2, 3, 8]}]'
bad_list "layers that the bench knows" '[{"name": "a", "group": "step", "layer": "conv", "input": [2, 3, 8]}]'
bad_list "layers that the bench knows" '[{"name": "a", "group": "optimiser", "layer": "Lion", "input": [2]}]'
bad_list "a case with all options" '[{"name": "a", "group": "linear", "layer": "Linear", "input": [2, 3]}]'
bad_list "with a name, a group, a layer and an input" '[{"name": "a", "group": "linear", "layer": "Linear", "input": "wide", "out": 3}]'
for list in cases net_shapes; do refused 'got "nonsense"' --cases "$bench/$list.json" --only nonsense; done

run --only line --threads 3
has output "3 threads"
lacks output "1 thread " "2 threads  "
for bad in 0 257 many; do refused "--threads: " --only line --threads "$bad"; done
for bad in 0 -1 long; do seconds=$bad refused "--seconds: " --only line; done

run --memory
has output "tiny net" Evenkeel
lacks output "small" GFLOP/s
refused "[bench] expected blocks or training steps" --memory --only line

# Beside PyTorch.
refused "--against: " --against jax
refused "got neither" --against torch
refused "[bench] expected to start $folder/none" --against torch --python "$folder/none"
refused "[bench] expected an answer" --against torch --python /bin/false
refused "--out requires --against" --only line --out out

seconds=0.006 run --only line --against torch --python "$folder/torch" --threads 3
has output "1000.0000 ms" "PyTorch of torch" runs/bench
has asked "$folder/torch_side.py" '"small line"' '"forward"' '"train"' '"threads":3' '"seconds":0.002'
lacks asked '"small row"' '"threads":1' '"peak"'
[[ -s runs/bench/against_torch.md ]] || fail "no results in runs/bench"
rm -r runs asked

export EVENKEEL_TORCH_PYTHON=$folder/other_torch
run --only line --against torch --out out
has output "PyTorch of other_torch" out/against_torch.md
for file in against_torch.json against_torch.md against_torch.svg summary.md; do [[ -s out/$file ]] || fail "no out/$file"; done
[[ ! -e runs ]] || fail "results in runs too"
run --only line --against torch --python "$folder/torch"
has output "PyTorch of torch"
touch file
refused file --only line --against torch --out file/out

rm asked
run --against torch
[[ -s $folder/results/against_torch.md ]] || fail "no results in the bench's folder"
rm -r "$folder/results"
run --threads 1 --against torch
[[ -s runs/bench/against_torch.md && ! -e $folder/results ]] || fail "results of one thread in the bench's folder"
run --against torch
has asked '"small row"' '"threads":1' '"peak"'
has output "1.0 MB"

# Other cases leave that comparison alone.
before=$(cksum "$folder/results"/*)
echo '[{"name": "another", "group": "activation", "layer": "ReLU", "input": [2, 3]}]' >other_list.json
run --against torch --cases other_list.json
[[ $(cksum "$folder/results"/*.*) == "$before" ]] || fail "other cases in place of the bench's own results"
has "$folder/results/other_list/against_torch.md" another
echo "every option does what it says"
