package spec

import (
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// Reserved reports whether word is reserved in the SQL of SQLite, PostgreSQL, MySQL or
// MariaDB. A column may have such a name because the database layer quotes names;
// handwritten SQL has to quote it.
func Reserved(word string) bool {
	return slices.Contains(strings.Fields(sqlReserved), word)
}

const sqlReserved = `
abort accessible action add after all alter always analyse analyze and any array as asc asensitive asymmetric attach
authorization autoincrement before begin between bigint binary blob body both by call cascade case cast change char
character check collate collation column commit concurrently condition conflict constraint continue convert create
cross cube cume_dist current current_catalog current_date current_role current_schema current_time current_timestamp
current_user cursor database databases day_hour day_microsecond day_minute day_second dec decimal declare default
deferrable deferred delayed delete dense_rank desc describe detach deterministic distinct distinctrow div do double
drop dual each else elseif elsif empty enclosed end escape escaped except exclude exclusive exists exit explain fail
false fetch filter first first_value float float4 float8 following for force foreign freeze from full fulltext function
generated general get glob goto grant group grouping groups having high_priority history hour_microsecond hour_minute
hour_second if ignore ignore_server_ids ilike immediate in index indexed infile initially inner inout insensitive insert
instead int int1 int2 int3 int4 int8 integer intersect interval into is isnull iterate join json_table key keys kill lag
last last_value lateral lead leading leave left like limit linear lines load localtime localtimestamp lock long longblob
longtext loop low_priority manual master_bind master_heartbeat_period match materialized maxvalue mediumblob mediumint
mediumtext member middleint minute_microsecond minute_second mod modifies natural no not nothing notnull no_write_to_binlog
nth_value ntile null nulls numeric of offset on only optimize optimizer_costs option optionally or order others out outer
outfile over overlaps page_checksum parallel parse_vcol_expr partition percent_rank period placing plan portion pragma
preceding precision primary procedure purge qualify query raise range rank read reads read_write real recursive
references ref_system_id regexp reindex release rename repeat replace require resignal restrict return returning revoke
right rlike rollback row row_number rowid rows savepoint schema schemas second_microsecond select sensitive separator
session_user set show signal similar slow smallint some spatial specific sql sqlexception sqlstate sqlwarning
sql_big_result sql_calc_found_rows sql_small_result ssl starting stats_auto_recalc stats_persistent stats_sample_pages
stored straight_join symmetric system system_user tablesample temp temporary terminated then ties tinyblob tinyint
tinytext to trailing transaction trigger true unbounded undo union unique unlock unsigned until update usage use user
using utc_date utc_time utc_timestamp vacuum value values varbinary varchar varcharacter variadic varying verbose view
virtual when where while window with without write xor year_month zerofill`

// Predeclared reports whether word is a keyword or a predeclared identifier of Go. A
// package cannot be named after a keyword, and one named after a predeclared identifier
// shadows it wherever it is imported.
func Predeclared(word string) bool {
	return token.IsKeyword(word) || types.Universe.Lookup(word) != nil
}

// takenPackages lists the packages, the imports and the names in internal/app that every
// project has, with which a package of the same name would clash. Those of features are in
// their literals.
const takenPackages = `app model migrations main internal vendor testdata
	web db replica fault config command openapi webtest runtime
	gin gorm slog context log cfg gdb api modules database start`

// Unfit returns why no package of a project can have the name, as a phrase that follows
// the name; "" for a valid name.
func Unfit(name string) string {
	switch {
	case name == "":
		return "is not a name for a package"
	case device(name):
		return "is reserved on Windows and cannot be a folder name"
	case Predeclared(name):
		return "is a Go keyword and cannot be a package name"
	case slices.Contains(strings.Fields(takenPackages), name):
		return "is reserved: every project already uses it"
	}
	return ""
}
