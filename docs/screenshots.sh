#!/bin/sh
# Pictures of a committed report at 1200 and at 390 pixels, as a reader first sees it.
# Needs Chromium: apt install chromium. Used by `make screenshots`.
set -eu
advisor=${1:-advisor}
run=${2:-reports/runs/handbook-reply}
docs=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The report also writes comparison.json, so it is made from a copy.
cp -R "$run" "$work/run"
"$advisor" report "$work/run" --format html --out "$work/report.html" --quiet
for size in 1200,1250 390,1500; do
  chromium --headless --no-sandbox --hide-scrollbars --window-size="$size" \
    --screenshot="$docs/report-${size%,*}.png" "file://$work/report.html" 2>/dev/null
done
