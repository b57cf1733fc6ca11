package mirror

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// exchange is one request and its answer, and what is counted of them. It is
// the answer's ResponseWriter.
type exchange struct {
	http.ResponseWriter
	r *http.Request

	what   string // item or list that was asked for, for people; empty when there is none
	status int
	sent   int64 // bytes of the body
	err    error // why the server, not the client, is to blame
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (x *exchange) Write(p []byte) (int, error) {
	n, err := x.ResponseWriter.Write(p)
	x.wrote(int64(n))
	return n, err
}

// ReadFrom implements io.ReaderFrom: without TLS a file goes out by sendfile, which
// the writer below does for a reader that it knows.
func (x *exchange) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(x.ResponseWriter, r)
	x.wrote(n)
	return n, err
}

func (x *exchange) wrote(n int64) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	x.sent += n
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// problem is how a registry says no (OCI distribution specification 1.1, "Error
// Codes").
type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// refuse answers with one problem in the registry's form; people read it as well.
func (x *exchange) refuse(status int, code, message string) {
	body := marshal(struct {
		Errors []problem `json:"errors"`
	}{[]problem{{code, message}}})
	head := x.Header()
	for _, name := range []string{"Docker-Content-Digest", "ETag", "Last-Modified"} {
		head.Del(name) // they belong to what isn't sent
	}
	head.Set("Content-Type", "application/json")
	head.Set("Content-Length", strconv.Itoa(len(body)))
	head.Set("Cache-Control", "no-store")
	x.WriteHeader(status)
	_, _ = x.Write(body) // who went away hears nothing
}

// fail answers 500: content is damaged, or a disk can't be read.
func (x *exchange) fail(err error) {
	x.err = err
	x.refuse(http.StatusInternalServerError, "UNKNOWN", err.Error())
}

// answer sends a small text.
func (x *exchange) answer(kind string, body []byte) {
	x.Header().Set("Content-Type", kind)
	x.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = x.Write(body)
}

// send streams content with ranges (RFC 9110, 14). Its name is its digest, so it
// has no date.
func (x *exchange) send(from *checked, d bundle.Digest, item, kind string) {
	b, err := from.open(d, item)
	if err != nil {
		x.fail(err)
		return
	}
	defer b.Close()
	x.Header().Set("Content-Type", kind)
	x.Header().Set("ETag", `"`+string(d)+`"`)
	http.ServeContent(x, x.r, "", time.Time{}, b.ReadSeeker)
}

// marshal is v as JSON.
func marshal(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil { // what is sent here always marshals
		return []byte("{}")
	}
	return append(out, '\n')
}
