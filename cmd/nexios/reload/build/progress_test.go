package build

import (
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	var o goOutput
	reported := make(chan Progress)
	end := o.watch(time.Millisecond, func(p Progress) {
		select {
		case reported <- p:
		default:
		}
	})
	for _, part := range []string{"go: downloading gorm.io/gorm v1.31.2\nint", "ernal/abi\ngorm.io/gorm\n# shop/internal/app\n", "internal/app/app.go:3:1: undefined: x\nnote: more\nlast"} {
		if n, err := o.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := o.String(); got != "# shop/internal/app\ninternal/app/app.go:3:1: undefined: x\nnote: more\nlast" {
		t.Errorf("kept output: %q", got)
	}
	for p := range reported {
		if p.Packages == 2 {
			if p.Newest != "gorm.io/gorm" || p.Took <= 0 {
				t.Errorf("progress: %+v", p)
			}
			break
		}
	}
	end()
}
