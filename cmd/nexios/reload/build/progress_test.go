package build

import (
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	var o goOutput
	told := make(chan Progress)
	end := o.watch(time.Millisecond, func(p Progress) {
		select {
		case told <- p:
		default:
		}
	})
	for _, part := range []string{"go: downloading gorm.io/gorm v1.31.2\nint", "ernal/abi\ngorm.io/gorm\n# shop/internal/app\n", "internal/app/app.go:3:1: undefined: x\nnote: more\nlast"} {
		if n, err := o.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := o.String(); got != "# shop/internal/app\ninternal/app/app.go:3:1: undefined: x\nnote: more\nlast" {
		t.Errorf("it keeps %q", got)
	}
	for p := range told {
		if p.Packages == 2 {
			if p.Newest != "gorm.io/gorm" || p.Took <= 0 {
				t.Errorf("it tells %+v", p)
			}
			break
		}
	}
	end()
}
