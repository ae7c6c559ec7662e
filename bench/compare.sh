#!/usr/bin/env bash
# PyTorch against Cnn on the same cores: both in turn, several rounds, ratio of medians (PyTorch's time ÷ ours).
# bench/compare.sh [--rounds R] [--batch B] [--threads T] [--steps N] [--mode train|infer] [--optimizer sgd|adam] [NET...]
# Needs PyTorch's side: torch_bench.py in the folder `bench` of CNN_SHARED (default: shared beside the repository),
# with Debian's python3-torch, python3-numpy and libopenblas0-openmp.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=3 batch=32 threads=2 steps=200 mode=train optimizer=adam
nets=()
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2; shift 2 ;;
    --batch) batch=$2; shift 2 ;;
    --threads) threads=$2; shift 2 ;;
    --steps) steps=$2; shift 2 ;;
    --mode) mode=$2; shift 2 ;;
    --optimizer) optimizer=$2; shift 2 ;;
    -*) echo "There is no option '$1'." >&2; exit 2 ;;
    *) nets+=("$1"); shift ;;
  esac
done
[ ${#nets[@]} -gt 0 ] || nets=(lenet5 vanilla densenet2_20 convnet1_3 densenet4_300 convkeras4_20 lenet2 convkeras12_32 digits dense_digits catdog iorq)

peer="${CNN_SHARED:-../shared}/bench/torch_bench.py"
[ -f "$peer" ] || { echo "PyTorch's side is missing: $peer. Set CNN_SHARED to the folder that holds bench/torch_bench.py." >&2; exit 1; }
/usr/bin/python3 -c 'import torch' 2>/dev/null || { echo "PyTorch is missing: install python3-torch, python3-numpy and libopenblas0-openmp." >&2; exit 1; }
dotnet build -c Release --nologo -v q Cnn.Samples >/dev/null
ours=Cnn.Samples/bin/Release/net10.0/Cnn.Samples.dll

field() { grep -o "\"$1\": *[0-9.]*" | grep -o '[0-9.]*$'; }
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

printf '%-16s %5s %7s %6s %12s %12s %7s %9s %9s\n' net batch threads mode 'PyTorch ms' 'Cnn ms' ratio 'MB' 'Cnn MB'
for net in "${nets[@]}"; do
  theirs_ms=() ours_ms=() theirs_mb=0 ours_mb=0
  for _ in $(seq "$rounds"); do
    line=$(/usr/bin/python3 "$peer" --net "$net" --batch "$batch" --threads "$threads" --steps "$steps" --optimizer "$optimizer" --mode "$mode" 2>/dev/null)
    theirs_ms+=("$(field msPerStepMedian <<< "$line")"); theirs_mb=$(field peakRssMb <<< "$line")
    line=$(dotnet "$ours" bench --net "$net" --batch "$batch" --threads "$threads" --steps "$steps" --warmup 100 --optimizer "$optimizer" --mode "$mode" --json)
    ours_ms+=("$(field msPerStepMedian <<< "$line")"); ours_mb=$(field peakRssMb <<< "$line")
  done
  a=$(printf '%s\n' "${theirs_ms[@]}" | median)
  b=$(printf '%s\n' "${ours_ms[@]}" | median)
  printf '%-16s %5s %7s %6s %12s %12s %7.2f %9s %9s\n' "$net" "$batch" "$threads" "$mode" "$a" "$b" "$(awk "BEGIN { print $a / $b }")" "$theirs_mb" "$ours_mb"
done
