//go:build !windows

package process

const ExeSuffix = ""
