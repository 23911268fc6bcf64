package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/nexios-go/nexios/runtime/files"
)

// A store accepts only names that it generates: no others exist.
func Example() {
	dir, err := os.MkdirTemp("", "files-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := files.OpenStore("file:" + dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, name := context.Background(), files.NewName(".txt")
	fmt.Println(store.Put(ctx, name, strings.NewReader("hello")))
	object, err := store.Open(ctx, name)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer object.Close()
	text, err := io.ReadAll(object)
	fmt.Println(string(text), err)
	_, err = store.Open(ctx, "../../etc/passwd")
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// <nil>
	// hello <nil>
	// true
}
