package uploads

import "time"

type uploadInput struct {
	// These apply to all files of the upload.
	Private bool `form:"private" doc:"Only you, administrators and holders of a link may download the files."`
	Keep    bool `form:"keep" doc:"Keep the files even if no row refers to them."`
}

type linkInput struct {
	Name    string `uri:"name"`
	Seconds int64  `form:"expires_in,default=3600" binding:"min=60,max=604800" doc:"Seconds until the link expires."`
}

type removeInput struct {
	Name string `uri:"name"`
}

// received is the response to an upload: the fields of uploaded for one file, a
// list of them for several.
type received struct {
	Filename    string     `json:"filename,omitempty"`
	ContentType string     `json:"content_type,omitempty"`
	Size        *int64     `json:"size,omitempty"`
	URL         string     `json:"url,omitempty"`
	Uploaded    []uploaded `json:"uploaded,omitempty"`
}

type uploaded struct {
	Filename    string `json:"filename"`     // the name on the uploader's machine
	ContentType string `json:"content_type"` // detected from the content
	Size        int64  `json:"size"`         // bytes
	URL         string `json:"url"`
}

type link struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}
