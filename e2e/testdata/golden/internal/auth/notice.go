package auth

import (
	"context"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/jobs"
)

const noticeJob = "auth.notice"

// notify enqueues the e-mail that notifies the owner of an account of a change to it,
// in the transaction of that change.
func notify(tx *gorm.DB, n auth.Notice) error { return jobs.Enqueue(tx, noticeJob, n) }

func (h handler) sendNotice(ctx context.Context, n auth.Notice) error {
	return h.outbox.send(ctx, n.Email, "notice", noticeData{n, whatHappened(n.Event)})
}

// noticeData is the data of the template notice.
type noticeData struct {
	auth.Notice
	What string
}

func whatHappened(event string) string {
	switch event {
	case auth.NoticeNewDevice:
		return "There was a login from a new device"
	case auth.NoticePasswordChanged:
		return "Your password was changed"
	case auth.NoticeFactorAdded:
		return "Two-factor authentication was turned on"
	case auth.NoticeFactorRemoved:
		return "Two-factor authentication was turned off"
	case auth.NoticeRecoveryCodes:
		return "Your recovery codes were replaced"
	case auth.NoticeKeyMade:
		return "An API key was created"
	case auth.NoticeEmailChanged:
		return "Your e-mail address was changed"
	case auth.NoticeLoginAdded:
		return "A new way to log in was added to your account"
	case auth.NoticeLoginRemoved:
		return "A way to log in was removed from your account"
	case auth.NoticeOwnerAdded:
		return "An organisation of yours has a new owner"
	}
	return "Your account was changed"
}
