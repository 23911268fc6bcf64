// Package files keeps uploaded files: their bytes in a Store, a local
// directory or an S3-compatible bucket, and what is known of them in the
// table "files". Bytes are streamed in and out and never held whole.
//
// Reading order: file.go (a row of the table), library.go (what modules hold),
// receive.go and serve.go (the way in and out), attach.go (which rows use a file, and
// so who may read it), link.go, store.go with local.go and s3.go, pace.go.
package files
