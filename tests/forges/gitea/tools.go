//go:build tools

// Package tools pins the server that the tests start.
package tools

import _ "code.gitea.io/gitea"
