package db

import "gorm.io/gorm"

// UniqueFold makes the column of table unique whatever the case, by an index
// named idx_<table>_<column>.
func UniqueFold(tx *gorm.DB, table, column string) error {
	name := "idx_" + table + "_" + column
	if tx.Name() == "mysql" {
		return tx.Exec("CREATE UNIQUE INDEX `" + name + "` ON `" + table + "` (`" + column + "`)").Error
	}
	return tx.Exec(`CREATE UNIQUE INDEX "` + name + `" ON "` + table + `" (lower("` + column + `"))`).Error
}
