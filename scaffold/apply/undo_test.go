package apply

// Undo reverts the newest step of the project in dir.
func Undo(dir string, o Options) (Step, error) {
	project, _, err := Open(dir, o)
	if err != nil {
		return Step{}, err
	}
	defer project.Close()
	return project.Undo()
}

// UndoPlan returns the newest step of the project in dir without writing anything.
func UndoPlan(dir string) (Step, error) {
	project, err := Look(dir)
	if err != nil {
		return Step{}, err
	}
	defer project.Close()
	return project.UndoPlan()
}
