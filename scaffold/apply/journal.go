package apply

import (
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
)

// entry is the record of a step in the journal.
type entry struct {
	Seq     int       `json:"-"` // from the file name
	Title   string    `json:"title"`
	Time    time.Time `json:"time"`
	Dirs    []string  `json:"dirs"` // created by the step, parents first
	Changes []change  `json:"changes"`
}

// change is one file of a step; a nil text (null) is an absent file.
type change struct {
	Path   string      `json:"path"`
	Before []byte      `json:"before"`
	After  []byte      `json:"after"`
	Mode   fs.FileMode `json:"mode"` // before the step; for a created file the wanted mode, 0 for the default
}

// state is the progress of a step, and the suffix of its file name.
type state string

const (
	opened    state = ".open.json"
	done      state = ".json"
	reverting state = ".undo.json"
)

// journalTemp is where a step is written before it is renamed.
const journalTemp = UndoDir + "/.nexios-journal.tmp"

func (e *entry) add(name string, before, after []byte, mode fs.FileMode) {
	if !same(before, after) {
		e.Changes = append(e.Changes, change{name, before, after, mode})
	}
}

func (e *entry) file(s state) string {
	return path.Join(UndoDir, fmt.Sprintf("%04d%s", e.Seq, s))
}

// temp returns the temporary file for the new text of a change, next to its file.
func (e *entry) temp(i int) string {
	return path.Join(path.Dir(e.Changes[i].Path), fmt.Sprintf(".nexios-%d-%d.tmp", e.Seq, i))
}

// begin numbers the step and records it. From then on it can be reverted.
func (d *disk) begin(e *entry) error {
	steps, err := d.steps()
	if err != nil {
		return err
	}
	e.Seq = 1
	if len(steps) > 0 {
		e.Seq = steps[len(steps)-1].seq + 1
	}
	if e.Dirs, err = d.missing(e.Changes); err != nil {
		return err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	signature, err := d.signature(e.Seq, text)
	if err != nil {
		return err
	}
	data, err := json.Marshal(signed{signature, text})
	if err != nil {
		return err
	}
	if err := d.writeTemp(journalTemp, data, 0o644, false); err != nil {
		return err
	}
	if err := d.rename(journalTemp, e.file(opened)); err != nil {
		return err
	}
	d.sync(map[string]bool{UndoDir: true})
	return nil
}

// missing returns the missing directories that the changes need.
func (d *disk) missing(changes []change) ([]string, error) {
	var dirs []string
	for _, c := range changes {
		for dir := path.Dir(c.Path); c.After != nil && dir != "." && !slices.Contains(dirs, dir); dir = path.Dir(dir) {
			_, err := d.root.Lstat(dir)
			if err == nil {
				break
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs, nil
}

// step is a step as named in the journal.
type step struct {
	seq   int
	state state
}

// steps lists the recorded steps, oldest first.
func (d *disk) steps() ([]step, error) {
	files, err := fs.ReadDir(d.root.FS(), UndoDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var steps []step
	for _, file := range files {
		number, end, _ := strings.Cut(file.Name(), ".")
		s := state("." + end)
		if seq, err := strconv.Atoi(number); err == nil && seq < math.MaxInt32 && number == fmt.Sprintf("%04d", seq) && slices.Contains([]state{opened, done, reverting}, s) {
			steps = append(steps, step{seq, s})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return a.seq - b.seq })
	return steps, nil
}

// load reads a step.
func (d *disk) load(at step) (entry, error) {
	e := entry{Seq: at.seq}
	name := e.file(at.state)
	data, _, err := d.read(name)
	if err != nil {
		return e, err
	}
	const remedy = "delete that file; that step can then no longer be undone"
	var s signed
	if err := strictly(data, &s); err != nil {
		return e, problem.Failed(fmt.Errorf("%s: %w: %w", name, ErrForeign, err), remedy)
	}
	expected, err := d.signature(e.Seq, s.Step)
	if err != nil {
		return e, err
	}
	if !hmac.Equal(s.Signature, expected) {
		return e, problem.Failed(fmt.Errorf("%s: %w", name, ErrForeign), remedy)
	}
	if err := strictly(s.Step, &e); err != nil {
		return e, problem.Failed(fmt.Errorf("%s is damaged: %w", name, err), remedy)
	}
	for _, c := range e.Changes {
		if err := plan.CheckPath(c.Path); err != nil {
			return e, problem.Failed(fmt.Errorf("%s is damaged: %w", name, err), remedy)
		}
	}
	return e, nil
}

// signed is the file of a step.
type signed struct {
	Signature []byte          `json:"signature"`
	Step      json.RawMessage `json:"step"`
}

// strictly decodes JSON without unknown members.
func strictly(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(v)
}

// forget removes completed steps up to a number.
func (d *disk) forget(seq int) {
	steps, err := d.steps()
	if err != nil {
		return
	}
	for _, s := range steps {
		if s.seq <= seq && s.state == done {
			old := entry{Seq: s.seq}
			_ = d.remove(old.file(done))
		}
	}
}
