// Package files stores uploaded files: their contents in a Store, which is a local
// directory or an S3-compatible bucket, and their metadata in the table "files".
// Contents are streamed and never held in memory whole.
//
// Reading order: file.go (a row of the table), library.go (the API for modules),
// receive.go and serve.go (uploads and downloads), attach.go (references from rows,
// which decide who may read a file), link.go, store.go with local.go and s3.go,
// pace.go.
package files
