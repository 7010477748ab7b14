#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over our sources. A file whose preprocessed text was clean before is not looked at
# again; the memory of that is in ~/.cache/ravelin-tidy and may be deleted.
# usage: tidy.sh all|changed BUILD_DIR
set -euo pipefail
cd "$(dirname "$0")/../.."
which=$1 build=$2

[[ -f $build/build.ninja ]] || scripts/build --compiler clang --no-pch --configure "$build"
# Generated headers, without compiling the rest.
ninja -C "$build" -t targets all 2>/dev/null |
    sed -n 's/^\([^:]*\.pb\.h\): .*/\1/p' | xargs -r ninja -C "$build" >&2

rooms=(dataplane pipelines controlplane)
if [[ $which == changed ]]; then
    base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD)
    mapfile -t files < <({ git diff --name-only "$base" -- "${rooms[@]}"
                           git ls-files --others --exclude-standard -- "${rooms[@]}"; } |
                             grep '\.cc$' | sort -u)
else
    mapfile -t files < <(git ls-files -- "${rooms[@]}" | grep '\.cc$')
fi
((${#files[@]})) || exit 0
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 /usr/bin/python3 scripts/lib/tidy_one.py "$build"
