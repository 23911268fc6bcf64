package reload

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
)

// linesKept is how many lines the screen keeps.
const linesKept = 500

// weight is the importance of a line. The key l sets the least weight that is shown.
type weight int

const (
	weightAll weight = iota
	weightWarning
	weightError
)

func (w weight) String() string { return [...]string{"everything", "warnings", "errors"}[w] }

// screen is the full-screen view.
type screen struct{ program *tea.Program }

func newScreen(project, url string, in io.Reader, out io.Writer, keys chan<- string) *screen {
	options := []tea.ProgramOption{tea.WithAltScreen(), tea.WithOutput(out), tea.WithoutSignalHandler()}
	if in != nil {
		options = append(options, tea.WithInput(in))
	}
	return &screen{tea.NewProgram(newScreenModel(project, url, keys), options...)}
}

// show may be called before, during and after run.
func (s *screen) show(e event.Event) { s.program.Send(e) }

// run returns when the user quits or ctx is done.
func (s *screen) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, s.program.Quit)
	defer stop()
	_, _ = s.program.Run() // a closed terminal is a user who has quit
}

// close restores the terminal.
func (s *screen) close() {
	s.program.Quit()
	s.program.Wait()
}

type screenLine struct {
	weight weight
	text   string
}

// screenModel is the Bubble Tea model of the screen.
type screenModel struct {
	project, url  string
	debugger      string // address of the debugger, or empty
	keys          chan<- string
	width, height int
	state         string       // "building", "running", "failed", "down"
	last          *event.Build // the version that runs
	progress      string       // of the current build, if it takes long
	failure       string
	tests         string
	least         weight
	lines         []screenLine
}

func newScreenModel(project, url string, keys chan<- string) screenModel {
	return screenModel{project: project, url: url, keys: keys, width: 80, height: 24, state: "building"}
}

func (m screenModel) Init() tea.Cmd { return nil }

func (m screenModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyMsg:
		return m.key(msg.String())
	case event.Event:
		return m.event(msg), nil
	}
	return m, nil
}

func (m screenModel) key(key string) (tea.Model, tea.Cmd) {
	switch key {
	case "q", "ctrl+c":
		return m, tea.Quit
	case "l":
		m.least = (m.least + 1) % (weightError + 1)
	case "c":
		m.lines = nil
	case keyRebuild, keyTest, keyOpen, keyMigrate:
		keys := m.keys
		return m, func() tea.Msg { keys <- key; return nil }
	}
	return m, nil
}

func (m screenModel) event(e event.Event) screenModel {
	level := weightAll
	if e.Kind == event.KindBuilding {
		m.state, m.progress = "building", plainText(e.Text)
		return m
	}
	switch e.Kind {
	case event.KindListening:
		m.url = e.URL
		return m
	case event.KindDebugger:
		m.debugger = "  debug at " + e.Address
	case event.KindChange:
		m.state, m.tests, m.progress = "building", "", ""
	case event.KindBuilt:
		m.progress = ""
		m.state, m.last, m.failure = "running", e.Build, ""
	case event.KindUnchanged:
		m.state, m.failure = "running", ""
	case event.KindFailed:
		m.state, m.failure = "failed", plainText(describe(e))
		level = weightError
		e = event.Event{Time: e.Time, Kind: event.KindNote, Text: firstLine(describe(e))}
	case event.KindExit:
		m.state, level = "down", weightError
	case event.KindRequest:
		switch {
		case e.Request.Status >= 500:
			level = weightError
		case e.Request.Status >= 400 || e.Request.Repeat > event.ManyRepeats:
			level = weightWarning
		}
	case event.KindLog:
		level = logWeight(e)
	case event.KindTest:
		m.tests = "tests pass"
		if !e.Test.OK {
			m.tests, level = "tests FAIL", weightError
		}
	}
	text := plainText(describe(e))
	if timed(e) {
		text = e.Time.Format("15:04:05") + " " + text
	}
	for line := range strings.Lines(text) {
		m.lines = append(m.lines, screenLine{level, strings.TrimRight(line, "\r\n")})
	}
	m.lines = keep(m.lines, linesKept)
	return m
}

// plainText returns the output of a program without control sequences, which could move
// the cursor, clear the screen or colour later text.
func plainText(text string) string {
	return event.Printable(ansi.Strip(strings.ReplaceAll(text, "\r\n", "\n")))
}

// logWeight returns the weight of a log record, or of a line that slog wrote as text.
func logWeight(e event.Event) weight {
	switch {
	case strings.HasPrefix(e.Level, "ERROR"), strings.Contains(e.Text, "level=ERROR"), strings.HasPrefix(e.Text, "panic: "):
		return weightError
	case strings.HasPrefix(e.Level, "WARN"), strings.Contains(e.Text, "level=WARN"):
		return weightWarning
	}
	return weightAll
}

var (
	styleTitle = lipgloss.NewStyle().Bold(true)
	styleSoft  = lipgloss.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: "#667085", Dark: "#98a2b3"})
	styleGood  = lipgloss.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: "#067647", Dark: "#47cd89"})
	styleWarn  = lipgloss.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: "#b54708", Dark: "#fdb022"})
	styleBad   = lipgloss.NewStyle().Foreground(lipgloss.AdaptiveColor{Light: "#b42318", Dark: "#f97066"})
)

func (m screenModel) View() string {
	fit := func(s string) string { return ansi.Truncate(s, max(1, m.width), "…") }
	head := []string{
		fit(styleTitle.Render("nexios dev ") + m.project + "  " + m.status() + "  " + m.url + m.debugger),
		fit(m.build()),
		styleSoft.Render(strings.Repeat("─", max(1, m.width))),
	}
	foot := []string{
		styleSoft.Render(strings.Repeat("─", max(1, m.width))),
		fit(m.help()),
	}
	room := max(0, m.height-len(head)-len(foot))
	var body []string
	if m.failure != "" {
		// Wrapped, not truncated: the end of a message often matters most.
		wrapped := ansi.Wrap(strings.ReplaceAll(m.failure, "\t", "    "), max(10, m.width), "")
		for line := range strings.Lines(wrapped) {
			body = append(body, styleBad.Render(strings.TrimRight(line, "\n")))
		}
		if most := max(room*2/3, min(room, 3)); len(body) > most {
			left := len(body) - max(0, most-1)
			body = append(body[:max(0, most-1)], fit(styleSoft.Render(fmt.Sprintf("… %d more lines, at %s/dev", left, m.url))))
		}
		body = append(body, "")
	}
	left := room - len(body)
	var shown []string
	for i := len(m.lines) - 1; i >= 0 && len(shown) < left; i-- {
		if line := m.lines[i]; line.weight >= m.least {
			shown = append(shown, fit(paint(line)))
		}
	}
	for i := len(shown) - 1; i >= 0; i-- {
		body = append(body, shown[i])
	}
	for len(body) < room {
		body = append(body, "")
	}
	return strings.Join(append(append(head, body[:room]...), foot...), "\n")
}

func paint(l screenLine) string {
	text := strings.ReplaceAll(l.text, "\t", "    ")
	switch l.weight {
	case weightError:
		return styleBad.Render(text)
	case weightWarning:
		return styleWarn.Render(text)
	}
	return text
}

func (m screenModel) status() string {
	switch m.state {
	case "running":
		return styleGood.Render("● running")
	case "failed":
		return styleBad.Render("● the latest change does not run")
	case "down":
		return styleBad.Render("● ended")
	}
	return styleWarn.Render("● building")
}

func (m screenModel) build() string {
	if m.state == "building" && m.progress != "" {
		return m.progress
	}
	text := styleSoft.Render("no version yet")
	if m.last != nil {
		text = fmt.Sprintf("version %d after %s ", m.last.ID, event.Duration(m.last.Total))
		if m.tests != "" {
			text += " " + m.tests + "  "
		}
		text += styleSoft.Render("(" + m.last.Mode + ": " + m.last.Parts() + ")")
	}
	return text
}

func (m screenModel) help() string {
	pairs := []string{"r", "rebuild", "t", "test", "o", "docs", "l", m.least.String(), "c", "clear", "m", "migrate", "q", "quit"}
	var s strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		s.WriteString(styleTitle.Render(pairs[i]) + " " + styleSoft.Render(pairs[i+1]) + "  ")
	}
	return strings.TrimRight(s.String(), " ")
}
