// Package scaffold runs the engine: a changed specification in, a plan out.
//
// Read it in this order:
//
//	spec      what the user declared; the field language; one row per field type
//	view      the data of templates, derived from the spec
//	render    renders a tree of files with a view into the files of a project
//	edit      adds single lines to files that the developer edits
//	merge     three-way merge of the developer's text and the newly generated one
//	problem   the errors shown to users: what, where, what to type next
//	plan      what is about to happen to each file, as data
//	apply     carries out a plan as one step, and reverts it
//	scaffold  catalog.go: what can be generated; scaffold.go: Change, which
//	          calls all of the above but apply; upgrade.go: Upgrade, to a newer
//	          version of nexios; join.go: Merge, of two branches; draft.go:
//	          the files of a plan in progress
//
// Every command works the same way: change the spec, render, plan, show,
// apply. Only apply touches the disk.
package scaffold
