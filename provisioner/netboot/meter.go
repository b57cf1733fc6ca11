package netboot

import (
	"io"
	"net/http"
	"time"
)

// How much goes out between two looks at the clock, and how often is told.
const (
	meterChunk = 1 << 20
	meterEvery = time.Second
)

// A meter counts what goes out through a ResponseWriter and how long that took.
type meter struct {
	http.ResponseWriter
	tell   func(sent int64)
	total  int64
	sent   int64
	waited time.Duration // in the socket
	told   time.Time
}

func newMeter(w http.ResponseWriter, total int64, tell func(int64)) *meter {
	return &meter{ResponseWriter: w, tell: tell, total: total, told: time.Now()}
}

// Unwrap is for http.ResponseController.
func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// Write implements io.Writer.
func (m *meter) Write(p []byte) (int, error) {
	began := time.Now()
	n, err := m.ResponseWriter.Write(p)
	m.count(int64(n), began)
	return n, err
}

// ReadFrom implements io.ReaderFrom. http.ServeContent hands over an
// io.LimitedReader around the file; each piece keeps that shape, since the
// connection uses sendfile for nothing else.
func (m *meter) ReadFrom(r io.Reader) (int64, error) {
	to, fast := m.ResponseWriter.(io.ReaderFrom)
	lim, limited := r.(*io.LimitedReader)
	if !fast || !limited {
		return io.Copy(struct{ io.Writer }{m}, r)
	}
	var sum int64
	for lim.N > 0 {
		began := time.Now()
		want := min(lim.N, meterChunk)
		n, err := to.ReadFrom(&io.LimitedReader{R: lim.R, N: want})
		sum, lim.N = sum+n, lim.N-n
		m.count(n, began)
		if err != nil || n < want {
			return sum, err
		}
	}
	return sum, nil
}

func (m *meter) count(n int64, began time.Time) {
	now := time.Now()
	m.sent += n
	m.waited += now.Sub(began)
	if now.Sub(m.told) >= meterEvery && m.sent < m.total {
		m.told = now
		m.tell(m.sent)
	}
}
