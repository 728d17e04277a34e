#!/usr/bin/env bash
# Makes FOLDER/arch-route-mini.gguf: base weights, data, two runs side by side, their mean, its temperature, the export.
#     ./recipe.sh FOLDER
# Interrupted, it goes on from the last checkpoint when it is started again. README.md says what it needs.
set -euo pipefail
[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"

[ -e "$out/base.gguf" ] || { python base.py "$out/base" && python export.py "$out/base" "$out/base.gguf" --vocabulary "$out/base"; }
python build_data.py --out "$out/data"
for file in "$out"/data/*.jsonl; do
  node tokens.mjs "$out/base.gguf" "$file" "${file%.jsonl}.tokens"
done

# For speed on a CPU: see train.py.
export OMP_WAIT_POLICY=passive MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184
runs=()
for seed in 1 2; do
  python train.py "$out/base" "$out/data/train.tokens" "$out/run$seed" --seed "$seed" --threads 1 > "$out/run$seed.log" &
  runs+=($!)
done
for run in "${runs[@]}"; do wait "$run"; done

python mix.py "$out/mixed" "$out/run1=0.4" "$out/run2=0.4" "$out/base=0.2"
python evaluate.py "$out/mixed" "$out"/data/val_*.tokens --calibrated "$out/final"
python export.py "$out/final" "$out/arch-route-mini.gguf" --vocabulary "$out/base"
