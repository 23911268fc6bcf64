// Package command implements the command line of a generated program: a list of
// commands, selected by the first words of the arguments.
//
// # Why not cobra
//
// A program has a dozen commands and no shared flags, so a table is enough, and
// commands are tested without starting a process. cobra would add pflag and a second
// form of error message; its completion and command groups pay off in tools with many
// commands.
//
// Reading order: command.go (Command, its IO, exit codes), run.go (lookup of
// commands, and help).
package command
