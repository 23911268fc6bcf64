//go:build !windows

package reload

const exeSuffix = ""
