//go:build tools

// Package tools names the programs this module pins: the API server the tests
// run against and the kubectl that the benchmark compares with.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
