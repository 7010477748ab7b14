#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over our sources. A file whose preprocessed text was clean before is not looked at
# again; the memory of that is in ~/.cache/ravelin-tidy and may be deleted.
# Those changed last come first; after MINUTES no further one is begun, and how many were left is said.
# usage: tidy.sh all|changed BUILD_DIR [MINUTES]
set -euo pipefail
cd "$(dirname "$0")/../.."
which=$1 build=$2 minutes=${3:-600}

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
    mapfile -t files < <(git log --format= --name-only -- "${rooms[@]}" | cat - <(git ls-files -- "${rooms[@]}") |
                             grep '\.cc$' | awk '!seen[$0]++' | while read -r f; do [[ ! -f $f ]] || echo "$f"; done)
fi
((${#files[@]})) || exit 0
left=$(mktemp)
trap 'rm -f "$left"' EXIT
good=true
printf '%s\n' "${files[@]}" |
    RAVELIN_TIDY_UNTIL=$(($(date +%s) + minutes * 60)) RAVELIN_TIDY_LEFT=$left \
        xargs -P "$(nproc)" -n 1 /usr/bin/python3 scripts/lib/tidy_one.py "$build" || good=false
if [[ -s $left ]]; then
    echo "clang-tidy: $(wc -l < "$left") of ${#files[@]} files left for scripts/lint without --minutes, those longest unchanged"
fi
$good
