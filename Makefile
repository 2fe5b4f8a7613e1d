# The front door. Each target works on a fresh machine with Rust, Go, git and a
# C compiler; what else is needed is built into a per-user cache, once.

CARGO ?= cargo
XDG_CACHE_HOME ?= $(HOME)/.cache
PEERS := $(XDG_CACHE_HOME)/kubectl-gitops/peers
KUSTOMIZE := $(PEERS)/kustomize-5.8.1/kustomize
GO_YAML := $(PEERS)/go-yaml/go-yaml
SSHD := $(PEERS)/sshd/sshd
VERSIONS := $(PEERS)/versions-3.4.0/versions
GITEA := $(PEERS)/gitea-1.25.2/gitea
SUITE := $(PEERS)/kustomize-suite-0.21.1/cases.jsonl
ACTIONLINT := $(PEERS)/actionlint-1.7.12/actionlint
SCHEMAS := $(PEERS)/ci-schemas-0.39.0
CONTRACT := $(PEERS)/github-contract-23.0.2
PYTHON ?= python3
NPM ?= npm

.PHONY: build target policies assets schemas contract demo test test-peers conformance fuzz lint fmt peers bench

build: ## the program, for development
	$(CARGO) build -p kubectl-gitops

# Automatic installation of targets may be switched off.
target:
	@rustup target list --installed | grep -qx wasm32-unknown-unknown \
	  || rustup target add wasm32-unknown-unknown

policies: target ## the starter policies, as components
	$(CARGO) run -q -p gitops-policy-build

assets: ## etcd, kube-apiserver and kubectl of the tests
	$(CARGO) run -q -p gitops-test-cluster -- assets

# GitHub's and GitLab's are not ours to copy; one package carries both.
schemas: ## the published schemas that the pipelines in examples/ci are held to
	@[ -e $(SCHEMAS)/gitlab-ci.json ] || { \
	  $(PYTHON) -m pip download -q --no-deps --only-binary :all: --python-version 3.13 --require-hashes \
	    -r tests/pipelines/schemas.txt -d $(SCHEMAS) && \
	  $(PYTHON) -m zipfile -e $(SCHEMAS)/*.whl $(SCHEMAS)/package && \
	  cp $(SCHEMAS)/package/check_jsonschema/builtin_schemas/vendor/git*.json $(SCHEMAS) && \
	  rm -r $(SCHEMAS)/package $(SCHEMAS)/*.whl; \
	} || echo "skipped: the schemas of pipelines ($(PYTHON) with pip fetches them)"

# Of GitHub's packages two files are kept. The tests look for them in this folder.
contract: ## GitHub's description of its APIs, which its stand-in in tests/forges is held to
	@[ -e $(CONTRACT)/schema.graphql ] || { \
	  mkdir -p $(CONTRACT)/npm && cd $(CONTRACT)/npm && \
	  $(NPM) pack --silent @octokit/openapi@23.0.2 @octokit/graphql-schema@15.26.1 >/dev/null && \
	  { sha256sum --quiet -c $(CURDIR)/tests/forges/github/contract.sha256 \
	    || shasum -a 256 -c $(CURDIR)/tests/forges/github/contract.sha256; } && \
	  tar xzf octokit-openapi-23.0.2.tgz package/generated/api.github.com.json && \
	  tar xzf octokit-graphql-schema-15.26.1.tgz package/schema.graphql && \
	  mv package/generated/api.github.com.json package/schema.graphql .. && rm -r $(CONTRACT)/npm; \
	} || echo "skipped: GitHub's description of its APIs (npm fetches it)"

demo: policies ## the main job, end to end, on an example
	$(CARGO) build -q -p kubectl-gitops -p gitops-test-cluster
	@sh examples/shop/demo.sh

# Without Go the tests that need a server are skipped, visibly; not in CI.
test: policies schemas contract ## unit tests, cases, and tests against a real API server
	@if [ -n "$$KUBEBUILDER_ASSETS" ] || command -v go >/dev/null; then \
	  $(CARGO) run -q -p gitops-test-cluster -- assets >/dev/null; \
	else \
	  echo "skipped: tests against an API server (no Go to build one)"; [ "$$CI" != true ]; \
	fi
	$(CARGO) run -q -p gitops-policy-build -- hostile
	$(CARGO) test
	$(CARGO) test -p no-floating-tag -p control-characters -p flagger-canary -p no-removal -p removed-apis -p same-everywhere -p gitops-policy-sdk -p gitops-policy-build -p gitops-bench -p gitops-fuzz

test-peers: policies assets $(KUSTOMIZE) $(GO_YAML) $(VERSIONS) $(SSHD) $(GITEA) $(ACTIONLINT) ## long property runs, and differential ones against the peers
	GITOPS_YAML_PEER=$(GO_YAML) GITOPS_KUSTOMIZE_PEER=$(KUSTOMIZE) GITOPS_VERSIONS_PEER=$(VERSIONS) PROPTEST_CASES=5000 $(CARGO) test \
	  -p gitops-yaml -p gitops-tree -p gitops-core -p gitops-kustomize -p gitops-desired
	GITOPS_KILLS=1000 GITOPS_SSHD=$(SSHD) $(CARGO) test -p kubectl-gitops --test remotes -- --nocapture
	GITOPS_GITEA=$(GITEA) $(CARGO) test -p gitops-test-forges --test gitea
	GITOPS_KILLS=1000 GITOPS_GITEA=$(GITEA) $(CARGO) test -p kubectl-gitops --test requests -- --nocapture
	$(ACTIONLINT) -ignore 'unexpected key "queue" for "concurrency" section' examples/ci/github/*.yaml examples/ci/gitea/*.yaml
	CARGO="$(CARGO)" tests/fuzz/run.sh

fuzz: ## each fuzz target for FUZZ_SECONDS, on top of what was found before
	CARGO="$(CARGO)" FUZZ_SECONDS=$${FUZZ_SECONDS:-300} tests/fuzz/run.sh

# What kustomize, kubectl or helm would do is compared with, never called, to render.
conformance: $(SUITE) $(GO_YAML) ## the renderer against kustomize's own tests and real repositories, the YAML against go-yaml
	GITOPS_KUSTOMIZE_SUITE=$(SUITE) GITOPS_YAML_PEER=$(GO_YAML) $(CARGO) test -q --no-fail-fast \
	  -p gitops-kustomize --test conformance --test repositories --test suite \
	  -p gitops-yaml --test go_differential -- --nocapture

lint: ## formatting and lints, as CI has them
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

fmt:
	$(CARGO) fmt --all

peers: assets $(KUSTOMIZE) $(GITEA) ## what the benchmark compares with, and asks

$(KUSTOMIZE):
	mkdir -p $(@D)
	GOBIN=$(@D) go install -trimpath -ldflags='-s -w' sigs.k8s.io/kustomize/kustomize/v5@v5.8.1

$(SUITE): $(wildcard cli/kustomize/tests/suite/*.go cli/kustomize/tests/suite/woven/*/*.go)
	cd cli/kustomize/tests/suite && go run . $(@D)

$(GO_YAML): cli/yaml/tests/go/main.go cli/yaml/tests/go/go.mod
	mkdir -p $(@D)
	cd cli/yaml/tests/go && go build -trimpath -o $@ .

$(VERSIONS): cli/core/tests/go/main.go cli/core/tests/go/go.mod
	mkdir -p $(@D)
	cd cli/core/tests/go && go build -trimpath -o $@ .

# It does not know `queue` of `concurrency` yet; the published schema does.
$(ACTIONLINT):
	mkdir -p $(@D)
	GOBIN=$(@D) go install -trimpath -ldflags='-s -w' github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

$(SSHD): tests/remotes/sshd/main.go tests/remotes/sshd/go.mod
	mkdir -p $(@D)
	cd tests/remotes/sshd && go build -trimpath -o $@ .

# Templates and texts are read at run time: the module's own, beside the program.
$(GITEA):
	mkdir -p $(@D)/static
	cd tests/forges/gitea && go mod download code.gitea.io/gitea \
	  && module="$$(go list -mod=mod -m -f '{{.Dir}}' code.gitea.io/gitea)" \
	  && cp -R "$$module/templates" "$$module/options" "$$module/public" $(@D)/static/ && chmod -R u+w $(@D)/static
	cd tests/forges/gitea && CGO_ENABLED=1 go build -mod=mod -trimpath -tags 'sqlite sqlite_unlock_notify' \
	  -ldflags '-s -w' -o $@ code.gitea.io/gitea

bench: peers policies ## ratios against the peers, in one run
	$(CARGO) build --release -p kubectl-gitops
	$(CARGO) build --release -p gitops-core --example release
	$(CARGO) run -q -p gitops-bench -- --binary target/release/kubectl-gitops --peers $(PEERS)
