// Package command is the small command line of a generated program: a list of
// commands, one chosen by the first words of the arguments.
//
// # Why not cobra
//
// A program has a dozen commands and no flags that are shared, so a table is enough, and
// commands are tested without a process. cobra would bring pflag and a second way to say
// what is wrong; its completion and groups are for tools of many commands.
//
// Reading order: command.go (a Command, what it is given, exit codes), run.go (how
// words find a command, and help).
package command
