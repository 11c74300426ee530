#!/usr/bin/env bash
# Test the lowest and the newest versions that pyproject.toml allows, each in a fresh environment, without a browser:
#     bash tests/bounds.sh                 both; about 12 GB and half an hour
#     bash tests/bounds.sh lowest-direct   one end (the other is `highest`), and what follows goes to pytest
set -euo pipefail
cd "$(dirname "$0")/.."

ends=(lowest-direct highest)
if [ $# -gt 0 ]; then
    ends=("$1")
    shift
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/uv"
"$folder/uv/bin/pip" install --quiet uv
uv="$folder/uv/bin/uv"

for end in "${ends[@]}"; do
    environment="$folder/$end"
    "$uv" venv --quiet --python "${PYTHON:-python3}" "$environment"
    "$uv" pip compile --quiet --resolution "$end" --extra test --python "$environment" pyproject.toml -o "$folder/$end.txt"
    echo "== $end"
    grep -v '^ *#' "$folder/$end.txt"
    "$uv" pip install --quiet --python "$environment" -r "$folder/$end.txt"
    "$environment/bin/python" -m pytest -q -n 0 -m "not browser" "$@"
done
