//go:build tools

// Package tools names the program this module pins: the store of the API
// server that the tests run against.
package tools

import (
	_ "go.etcd.io/etcd/server/v3"
)
