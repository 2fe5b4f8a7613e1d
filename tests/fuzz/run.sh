#!/bin/sh
# Fuzzes the targets named, all without names, on stable Rust: the compiler's
# own coverage pass, switched on as cargo-fuzz does, and libFuzzer.
#
#   FUZZ_RUNS=N     inputs of each target, always the same ones; without it, the
#                   numbers below
#   FUZZ_SECONDS=N  for so long instead, on top of what earlier runs found
set -eu
cd "$(dirname "$0")/../.."

if ! command -v "${CXX:-c++}" >/dev/null; then
  echo "skipped: fuzzing (no C++ compiler to build libFuzzer)"
  [ "${CI:-}" != true ]
  exit
fi

host=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-target}/fuzz
# With --target these flags do not reach build scripts.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares" \
  "${CARGO:-cargo}" build -q -p gitops-fuzz --features libfuzzer --profile fuzz \
  --target "$host" --target-dir "$target"
programs=$target/$host/fuzz

# Small real files, where they are beside the checkout.
shared=../shared
if [ ! -d $shared ]; then
  echo "skipped: seeds from $shared (no such folder)"
fi
files=$target/seeds
rm -rf "$files"
mkdir -p "$files/build" "$files/files"
find $shared/seeds $shared/kustomize-cases -name '*.y*ml' -size -5 2>/dev/null | sort |
  awk -v to="$files/files" '{ printf "cp \"%s\" \"%s/%d.yaml\"\n", $0, to, NR }' | sh
# One input is a folder with all its files: see src/build.rs.
find $shared/kustomize-cases -name input -type d 2>/dev/null | sort | while read -r folder; do
  name=$(basename "$(dirname "$folder")")
  (
    cd "$folder"
    find . -type f -size -9 | sed 's|^\./||' | sort | awk '
      /(^|\/)kustomization.ya?ml$/ { first[++n] = $0; next } { rest[++m] = $0 }
      END { for (i = 1; i <= n; i++) print first[i]; for (i = 1; i <= m; i++) print rest[i] }' |
      while read -r file; do
        echo "@@ $file"
        cat "$file"
        echo
      done
  ) >"$files/build/$name"
done

failed=0
fuzz() {
  name=$1 runs=${FUZZ_RUNS:-$2} longest=$3 real=$4
  # The first folder takes what is found.
  corpus=$target/corpus/$name finds=$target/finds/$name log=$target/$name.log
  if [ -n "${FUZZ_SECONDS:-}" ]; then
    how="-max_total_time=$FUZZ_SECONDS"
  else
    rm -rf "$corpus"
    how="-seed=1 -runs=$runs"
  fi
  rm -rf "$finds"
  mkdir -p "$corpus" "$finds"
  seeds=
  for folder in "tests/fuzz/seeds/$name" $real; do
    [ -d "$folder" ] && seeds="$seeds $folder"
  done
  start=$(date +%s)
  # Five seconds and 512 MiB are far beyond what an input of this size may cost.
  # shellcheck disable=SC2086
  if "$programs/fuzz-$name" $how -max_len="$longest" -timeout=5 -rss_limit_mb=512 \
    -dict=tests/fuzz/yaml.dict -artifact_prefix="$finds/" -print_final_stats=1 \
    "$corpus" $seeds >"$log" 2>&1; then
    done=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    cover=$(sed -n 's/.*DONE *cov: \([0-9]*\).*/\1/p' "$log")
    echo "fuzz $name: $done inputs, $cover edges, $(($(date +%s) - start)) s"
  else
    failed=1
    grep -aE 'panicked at|ERROR: libFuzzer' -A 4 "$log" | cut -c 1-500
    echo "FAILED: fuzz $name, see $log; the input is $(ls "$finds"/* 2>/dev/null || echo 'not there')"
  fi
}

for name in ${*:-reader emitter splice build}; do
  case $name in
    reader) fuzz reader 60000 4096 "$files/files" ;;
    emitter) fuzz emitter 100000 1024 "" ;;
    splice) fuzz splice 100000 2048 "$files/files" ;;
    build) fuzz build 20000 8192 "$files/build" ;;
    *)
      echo "error: no target $name"
      exit 2
      ;;
  esac
done
exit $failed
