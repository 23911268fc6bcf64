// Package scaffold conducts the engine: words in, a plan out, one way.
//
// Read it in this order:
//
//	spec      what the user said; the field language; one row per field type
//	view      what templates read, worked out from the spec
//	render    a tree of files and a view make the files of a project
//	edit      single lines into files that their owner edits
//	merge     the owner's text and the tool's newer one, three ways
//	problem   every error that people read: what, where, what to type next
//	plan      what is about to happen to each file, as data
//	apply     carries a plan out as one step, and takes it back
//	scaffold  catalog.go: what can be generated; scaffold.go: Change, which
//	          calls all of the above but apply; upgrade.go: Upgrade, with what
//	          this version does better; join.go: Merge, of two branches; draft.go:
//	          the files on their way
//
// Every command is the same sentence: change the spec, render, plan, show,
// apply. Only apply touches the disk.
package scaffold
