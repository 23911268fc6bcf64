package db

import "gorm.io/gorm"

// Translate turns a driver's error into a *fault.Error where the client can do
// something about it.
func Translate(err error) error { return err }

// conflicts is the plugin that names fields in conflicts.
type conflicts struct{}

func (conflicts) Name() string { return "conflicts" }

func (conflicts) Initialize(*gorm.DB) error { return nil }
