package main

import "github.com/spf13/cobra"

// jsonTopic documents the JSON output of all commands. It is part of the interface:
// fields may be added, but their meaning does not change.
func jsonTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "json",
		Short: "The JSON output and the exit codes",
		Long: `With --json a command writes one JSON object (routes: an array; dev: an object
per line) to standard output and nothing else. It never asks. Members may be
added later; none will change its meaning.

A command that fails writes
  error.what    what is wrong, in one sentence
  error.where   where, or the valid choices; may be absent
  error.try     what to type next; may be absent
  code          the exit code
One that succeeds writes none of these.

Exit codes
  0    done
  1    failed
  2    the command line is wrong
  3    conflicts, or what db check or adopt --check found; nothing was written
  130  cancelled; nothing was written

new, add, adopt, change, rename, remove, api version, merge, upgrade, undo,
client, templates eject
  applied       whether files were written; false with --dry-run, on conflicts
                and if everything already existed
  dir           the project's folder, absolute
  plan.ops      what was done or would be done; for each file
    kind        create, update, identical, conflict, delete; without a file:
                note (something to do by hand), then (a command to run)
    path        relative to dir, with slashes
    before      the text before; absent when there was no file
    after       the text after; absent when there will be no file
    encoding    "base64" when before and after are not text
    mode        permissions of a new file in octal, if not "0644"
    note        the reason, the hint or the command
                Texts of identical files are left out.
  about         what an upgrade changes in behaviour and in your code
  next          commands to run now; absent when nothing was written

doctor
  findings      one for each check
    name        what was checked: go, git, modules, version, runtime, ...
    status      ok, warn (may be intended), fail (something will not work)
    detail      what was found
    remedy      what to type; absent when all is well

adopt --check   tables: table, outcome (whole, partly, skipped), resource, why,
                notes, drift; drift: every difference, as text
list            dir, parts: kind (feature, resource, model, field, index,
                version), name, command
db check        differences: drift (false: only advice), where, what, try
db reset        dir, seeded: whether the project's seeds ran
db seed         the same
diff            dir, plan.ops: from what nexios wrote (before) to yours (after)
templates list  dir, templates: name, ejected, changed, unused
templates diff  dir, plan.ops: the built-in templates, then and now
openapi         the OpenAPI document
openapi diff    changes: severity, id, text, operation
routes          for each route: method, path, module, guards, summary
version         version, go`,
		Example: "  nexios add resource post title:string --dry-run --json\n  nexios help json",
	}
}
