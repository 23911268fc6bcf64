package main

import "github.com/spf13/cobra"

// jsonTopic documents the JSON of all commands. It is part of the interface:
// members may be added, none will change its meaning.
func jsonTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "json",
		Short: "What --json writes and the exit codes mean",
		Long: `With --json a command writes one JSON object (routes: an array; dev: an object
a line) to standard output and nothing else there. It never asks. Members may be
added later; none will change its meaning.

Every command, when it did not do what it was asked for, writes
  error.what    what is wrong, one sentence
  error.where   where, or what was possible; absent if there is nothing to say
  error.try     what to type next; absent if there is nothing to type
  code          the exit code
and when it did, has neither of them.

Exit codes
  0    done
  1    failed
  2    the words of the command line, or what they refer to, are wrong
  3    nothing was written because of conflicts
  130  cancelled; nothing was written

new, add, remove, upgrade, undo
  applied       whether files were written; false with --dry-run, with conflicts
                and when all was there already
  dir           the project's folder, absolute
  plan.ops      what was done or would be; for each file
    kind        create, update, identical, conflict, delete; without a file:
                note (something to do by hand), then (a command to run)
    path        relative to dir, with slashes
    before      the text before; absent when there was no file
    after       the text after; absent when there will be no file
    encoding    "base64" when before and after are not text
    mode        permissions of a new file in octal, if not "0644"
    note        the reason, the hint or the command
                Texts of identical files are left out.
  next          commands to run now; absent when nothing was written

doctor
  findings      for each thing looked at
    name        go, git, modules, version, runtime, changes, port
    status      ok, note (may be meant so), mend (something will not work)
    detail      what was found
    remedy      what to type; absent when all is well

routes          for each route: method, path, module, guards, summary
version         version, go`,
		Example: "  nexios add resource post title:string --dry-run --json\n  nexios help json",
	}
}
