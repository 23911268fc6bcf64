package jobs

import (
	"fmt"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/web"
)

// panelJobs is the number of jobs listed by the panel.
const panelJobs = 30

// panel shows the number of jobs per state and the results of the failed and the newest
// ones, but not their payloads, which may contain secrets.
func (q *Queue) panel(c *gin.Context, _ web.None) (web.Panel, error) {
	p := web.Panel{Title: "Jobs", Head: []string{"id", "kind", "state", "attempts", "created", "error"}}
	var counts []struct {
		State string
		Count int64
	}
	tx := q.db.WithContext(c)
	if err := tx.Model(&job{}).Select("state, COUNT(*) AS count").Group("state").Order("state").Scan(&counts).Error; err != nil {
		return p, err
	}
	var states []string
	for _, s := range counts {
		states = append(states, fmt.Sprintf("%d %s", s.Count, s.State))
	}
	p.Text = strings.Join(states, ", ")
	var found []job
	err := tx.Omit("payload").Order("CASE WHEN last_error <> '' AND state <> 'done' THEN 0 ELSE 1 END, id DESC").Limit(panelJobs).Find(&found).Error
	if err != nil {
		return p, err
	}
	for _, j := range found {
		p.Rows = append(p.Rows, web.PanelRow{
			Cells: []string{
				fmt.Sprint(j.ID), j.Kind, j.State, fmt.Sprintf("%d/%d", j.Attempts, j.MaxAttempts),
				time.UnixMilli(j.CreatedAt).Format(time.DateTime), singleLine(j.LastError),
			},
			Alarm: j.LastError != "" && j.State != done,
		})
	}
	return p, nil
}
