// Package command is the small command line of a generated program: a list of
// commands, one chosen by the first words of the arguments.
//
// Reading order: command.go (a Command, what it is given, exit codes), run.go (how
// words find a command, and help).
package command
