package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

func TestRequestContextDeadline(t *testing.T) {
	parent, leave := context.WithCancel(t.Context())
	soon := func() *requestContext {
		return &requestContext{Context: parent, id: [1]string{"x"}, deadline: time.Now().Add(20 * time.Millisecond)}
	}
	at, ok := soon().Deadline()
	require.True(t, ok)
	require.WithinDuration(t, time.Now(), at, time.Second)

	unwatched := soon()
	require.NoError(t, unwatched.Err())
	require.Eventually(t, func() bool { return unwatched.Err() != nil }, 5*time.Second, time.Millisecond)
	require.ErrorIs(t, unwatched.Err(), context.DeadlineExceeded)

	child, cancel := context.WithCancel(soon())
	defer cancel()
	require.Equal(t, "x", RequestID(child))
	<-child.Done()
	require.ErrorIs(t, child.Err(), context.DeadlineExceeded)

	// Nothing waits for the deadline once the request has ended.
	for _, watch := range []bool{false, true} {
		over := &requestContext{Context: parent, deadline: time.Now().Add(time.Hour)}
		if watch {
			over.Done()
		}
		over.end()
		<-over.Done()
		require.Error(t, over.Err())
	}

	left, endless := soon(), &requestContext{Context: parent}
	_, ok = endless.Deadline()
	require.False(t, ok)
	leave()
	<-endless.Done()
	require.ErrorIs(t, left.Err(), context.Canceled)
	require.ErrorIs(t, endless.Err(), context.Canceled)
}

func TestKeep(t *testing.T) {
	type key struct{}
	type other struct{}
	for name, ctx := range map[string]context.Context{
		"request context": &requestContext{Context: t.Context(), id: [1]string{"x"}},
		"other context":   t.Context(),
		"derived context": context.WithValue(&requestContext{Context: t.Context(), id: [1]string{"x"}}, other{}, "other"),
	} {
		t.Run(name, func(t *testing.T) {
			c, engine := gin.CreateTestContext(httptest.NewRecorder())
			engine.ContextWithFallback = true
			c.Request = httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			require.Nil(t, c.Value(key{}))
			Keep(c, key{}, 1)
			Keep(c, other{}, 2)
			Keep(c, key{}, 3)
			require.Equal(t, 3, c.Value(key{}))
			require.Equal(t, 2, c.Value(other{}))
			child, cancel := context.WithCancel(c.Request.Context())
			defer cancel()
			require.Equal(t, 3, child.Value(key{}))
		})
	}
}
