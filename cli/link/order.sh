#!/bin/sh
# Prints the linker script of `order.ld`: the functions that small renders run,
# those that most of them run first. Takes the map and the program of one link
# (with its symbols), and folders to render. Needs valgrind.
#
#   cargo rustc --release -p kubectl-gitops --bin kubectl-gitops -- \
#     -C strip=none -C link-arg=-Wl,-Map=/tmp/map
#   cli/link/order.sh /tmp/map target/release/kubectl-gitops FOLDER... > cli/link/order.ld
set -eu
map=$1 program=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
for folder; do
  number=$((number + 1))
  valgrind -q --tool=callgrind --demangle=no --callgrind-out-file="$work/run.$number" \
    "$program" render -k "$folder" >/dev/null 2>&1 || true
done
cat <<'EOF'
/* The functions that small renders run, those first that most of them run: they
   then stand on few pages. Made by order.sh; names that are gone do no harm. */
SECTIONS
{
  .text.first :
  {
EOF
# Hashes of names and of objects change with every build.
awk '
  function shape(name) {
    if (name ~ /^_R/) { sub(/\.llvm\.[0-9]+$/, "*", name); gsub(/Cs[0-9A-Za-z]+_/, "Cs*_", name) }
    else sub(/17h[0-9a-f]+E.*$/, "17h*", name)
    return name
  }
  function value(hex,   at, sum) {
    for (at = 1; at <= length(hex); at++)
      sum = sum * 16 + index("0123456789abcdef", substr(hex, at, 1)) - 1
    return sum
  }
  FNR == 1 { file++ }
  # The map: sizes, and the crate of each section of code.
  file == 1 {
    if ($5 !~ /:\(\.text\.(unlikely\.)?_[A-Z]/) next
    symbol = $5; sub(/^.*:\(\.text\./, "", symbol); sub(/\)$/, "", symbol)
    rarely = sub(/^unlikely\./, "", symbol) ? "unlikely." : ""
    object = $5; sub(/:\(.*$/, "", object); sub(/^.*\//, "", object)
    crate = ""
    if (object ~ /^kubectl_gitops-[0-9a-f]+\.[a-z0-9_]+-[0-9a-f]+\./) {
      crate = object; sub(/^[^.]*\./, "", crate); sub(/-.*$/, "", crate)
    }
    line = "    *" (crate == "" ? "" : "kubectl_gitops-*." crate "-*") "(.text." rarely shape(symbol) ")"
    of[symbol] = line; size[symbol] = value($3); all[line] += size[symbol]
    next
  }
  # A run: each function is named once in full.
  /^c?fn=\([0-9]+\) / {
    symbol = $2; sub(/\047[0-9]+$/, "", symbol)
    if (!(symbol in of)) next
    line = of[symbol]
    if (!(line in first)) first[line] = ++count
    if (!((file, line) in seen)) { seen[file, line] = 1; runs[line]++ }
    if (!(symbol in counted)) { counted[symbol] = 1; run[line] += size[symbol] }
  }
  END {
    # What would bring much else with it stays where it is.
    for (line in first)
      if (all[line] <= 3 * run[line] || all[line] <= 8192)
        printf "%d %d %s\n", runs[line], first[line], line
  }
' "$map" "$work"/run.* | sort -k1,1nr -k2,2n | sed 's/^[0-9]* [0-9]* //'
cat <<'EOF'
  }
}
INSERT BEFORE .text;
EOF
