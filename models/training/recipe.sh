#!/usr/bin/env bash
# Makes FOLDER/arch-route-mini.gguf: base weights, data, two runs side by side, their mean, its calibration, the export.
#     ./recipe.sh FOLDER [data|train]
# Interrupted, it goes on from the last checkpoint when it is started again. `data` needs the network and Node, `train` neither: FOLDER
# may be moved to a machine with a GPU in between. README.md says what it needs.
set -euo pipefail
step=${2:-all}
[[ $# -ge 1 && $step =~ ^(all|data|train)$ ]] || { echo "usage: $0 FOLDER [data|train]" >&2; exit 2; }
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"

if [ $step != train ]; then
  [ -e "$out/base.gguf" ] || { python base.py "$out/base" && python export.py "$out/base" "$out/base.gguf" --vocabulary "$out/base"; }
  python build_data.py --out "$out/data"
  for file in "$out"/data/*.jsonl; do
    node tokens.mjs "$out/base.gguf" "$file" "${file%.jsonl}.tokens"
  done
fi

if [ $step != data ]; then
  # For speed: on a CPU see train.py; on a GPU memory that grows, as nearly every batch has another shape.
  export OMP_WAIT_POLICY=passive MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184 PYTORCH_ALLOC_CONF=expandable_segments:True
  runs=()
  # Bash hides Ctrl-C from what runs in the background.
  trap 'kill "${runs[@]}" 2> /dev/null || true' EXIT
  for seed in 1 2; do
    python train.py "$out/base" "$out/data/train.tokens" "$out/run$seed" --seed "$seed" --threads 1 >> "$out/run$seed.log" 2>&1 &
    runs+=($!)
  done
  for run in "${runs[@]}"; do wait "$run"; done
  runs=()

  python mix.py "$out/mixed" "$out/run1" "$out/run2"
  python evaluate.py "$out/mixed" "$out"/data/val_*.tokens --calibrated "$out/final"
  python export.py "$out/final" "$out/arch-route-mini.gguf" --vocabulary "$out/base"
fi
