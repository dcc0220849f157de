#!/usr/bin/env bash
# Builds the simulator alone, as pip does where gRPC is not, and runs what it can do.
#   tests/sim_only.sh [PYTHON]     a compiler and Python's headers are enough
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${1:-python3}" -m venv "$work/venv"
lab=$work/venv/bin/python
[[ -x $lab ]] || lab=$work/venv/Scripts/python  # Windows
# Libraries that are there are not looked for; build folders of a full build are left alone.
"$lab" -m pip install --quiet --disable-pip-version-check "$here" "pytest>=8" "pytest-timeout>=2.3" \
  "hypothesis>=6.100" --config-settings "build-dir=$work/build" \
  --config-settings cmake.define.CMAKE_DISABLE_FIND_PACKAGE_gRPC=ON \
  --config-settings cmake.define.CMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON
cd "$here"
"$lab" -m pytest -p no:cacheprovider tests/test_sim_only.py tests/test_golden.py
