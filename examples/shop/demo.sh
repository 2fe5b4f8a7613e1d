#!/bin/sh
# The main job on this example: drift, a promotion that its gate stops, one
# that passes, and the diff before and after. Everything happens in a temporary
# folder. With Go a real API server is built and started; without, a cluster of
# your kubeconfig is read, and never written to; with neither the Git part runs.
set -eu
project=$(cd "$(dirname "$0")/../.." && pwd)
stage=$(mktemp -d)
server=
trap 'exec 9>&- 2>/dev/null; [ -z "$server" ] || wait "$server" 2>/dev/null; rm -rf "$stage"' EXIT
trap 'exit 130' INT TERM

say() { printf '\n# %s\n' "$*"; }
run() { # run EXPECTED-STATUS COMMAND...: shows a command, and holds it to its status
    want=$1; shift
    printf '$ %s\n' "$*" | sed 's/^\$ kubectl-gitops/$ kubectl gitops/'
    status=0; "$@" || status=$?
    [ "$status" = 0 ] || printf '[exit status %s]\n' "$status"
    [ "$status" = "$want" ] || { echo "demo: expected status $want" >&2; exit 1; }
}

# The programs: kubectl-gitops from this build, in front.
mkdir "$stage/bin"
ln -s "$project/target/debug/kubectl-gitops" "$stage/bin/kubectl-gitops"
PATH=$stage/bin:$PATH

say "A GitOps repository with three environments, a policy compiled to WASM, and a remote"
mkdir "$stage/shop"
cp -R "$project/examples/shop/." "$stage/shop"
rm -f "$stage/shop/demo.sh"
cp "$project/target/policies/no-floating-tag/no-floating-tag.wasm" "$stage/shop/policies/no-floating-tag/"
cd "$stage/shop"
export GIT_CONFIG_GLOBAL="$stage/gitconfig"
git config --global user.name "Demo" && git config --global user.email "demo@example.com"
git config --global init.defaultBranch main && git config --global advice.detachedHead false
run 0 kubectl-gitops policy lock
git init -q . && git add -A && git commit -qm "The shop"
git clone -q --bare . "$stage/origin.git" && git remote add origin "$stage/origin.git"
git fetch -q origin && git remote set-head origin main
run 0 kubectl-gitops list

cluster=none
if [ -n "${KUBEBUILDER_ASSETS:-}" ] || command -v go >/dev/null; then
    cluster=own
elif [ -f "${KUBECONFIG:-$HOME/.kube/config}" ]; then
    cluster=yours
fi

case $cluster in
own)
    say "A real API server (etcd and kube-apiserver, built once into your cache)"
    mkfifo "$stage/hold"
    "$project/target/debug/gitops-test-cluster" up --kubeconfig "$stage/kubeconfig" <"$stage/hold" >"$stage/up" &
    server=$!
    exec 9>"$stage/hold"
    for _ in $(seq 1 1200); do
        [ -s "$stage/up" ] && break
        kill -0 "$server" 2>/dev/null || { echo "demo: the API server did not start" >&2; exit 1; }
        sleep 1
    done
    export KUBECONFIG="$stage/kubeconfig"
    kubectl=$("$project/target/debug/gitops-test-cluster" assets | grep 'kubectl$')
    "$kubectl" create namespace shop-dev >/dev/null
    "$kubectl" apply -k overlays/dev --server-side >/dev/null
    say "dev is applied: the cluster is what Git says"
    run 0 kubectl-gitops diff dev
    say "Somebody changes an image and a password by hand"
    "$kubectl" -n shop-dev set image deployment/web web=registry.example/shop/web:hotfix >/dev/null
    "$kubectl" -n shop-dev patch secret database -p '{"stringData":{"password":"changed by hand"}}' >/dev/null
    run 1 kubectl-gitops diff dev
    ;;
yours)
    say "No Go here: your cluster is read, nothing is written to it"
    status=0; kubectl-gitops diff dev || status=$?
    case $status in 0 | 1 | 3) ;; *) exit "$status" ;; esac
    ;;
none)
    say "Left out: the diff against a cluster (no Go to build one, no kubeconfig)"
    ;;
esac

say "A floating tag is released into dev; dev has no gate"
run 0 kubectl-gitops release web latest
say "Promoting it to uat is stopped by the policy"
run 1 kubectl-gitops promote web --to uat
say "A pinned version passes"
run 0 kubectl-gitops release web v1.5.0
run 0 kubectl-gitops promote web --to uat
git pull -q origin main
say "What a promotion to prod would change"
run 0 kubectl-gitops promote web --to prod --dry-run
say "Again: nothing is left to do"
run 0 kubectl-gitops promote web --to uat
say "Before and after, in Git"
run 1 kubectl-gitops diff --rev "HEAD~1..HEAD" uat
if [ "$cluster" = own ]; then
    say "And in the cluster: dev wants the new version now"
    run 1 kubectl-gitops diff dev
fi
say "Done. The temporary folder is removed, and what ran in it is stopped"
